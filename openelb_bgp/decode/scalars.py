"""What is wrong with one text, number, boolean, choice or time, judged by a wire field's type alone.

Each function gives the problem and the remedy as two texts, both empty where nothing is wrong.
"""

import math
from datetime import datetime

import msgspec
from msgspec import inspect

from .findings import kind_of_value

Verdict = tuple[str, str]
FINE: Verdict = ("", "")


def verdict(value: object, info: inspect.Type) -> Verdict:
    """The problem and the remedy of a scalar of that type."""
    match info:
        case inspect.BoolType():
            return FINE if isinstance(value, bool) else ("is not a boolean", "write true or false")
        case inspect.StrType():
            return _text(value, info)
        case inspect.IntType():
            return _integer(value, info)
        case inspect.FloatType():
            return _number(value, info.ge, info.le)
        case inspect.LiteralType():
            return _choice(value, info)
        case _:
            return _time(value)


def as_time(value: object) -> datetime:
    """A time from RFC 3339 text, or as a YAML parser has read it already. Raises ValueError."""
    return msgspec.convert(value, datetime)


def _text(value: object, info: inspect.StrType) -> Verdict:
    if not isinstance(value, str):
        return f"is {kind_of_value(value)}, not text", "put it in quotes"
    if not value.isascii() and _has_surrogates(value):
        return "holds characters that are no Unicode", "write plain text"
    if info.min_length and len(value) < info.min_length:
        return "is empty", "write a value or remove the field"
    if info.max_length is not None and len(value) > info.max_length:
        return f"is longer than {info.max_length} characters", "shorten it"
    return FINE


def _has_surrogates(text: str) -> bool:
    """Whether some half of a JSON `\\ud800` pair stands alone: no status or message could carry it."""
    return any("\ud800" <= one <= "\udfff" for one in text)


def _integer(value: object, info: inspect.IntType) -> Verdict:
    if isinstance(value, float):
        return "is not a whole number", "write a whole number"
    return _number(value, info.ge, info.le)


def _number(value: object, low: float | None, high: float | None) -> Verdict:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"is {kind_of_value(value)}, not a number", "write a number without quotes"
    if isinstance(value, float) and not math.isfinite(value):
        return "is not finite", "write a number"
    if (low is not None and value < low) or (high is not None and value > high):
        bounds = f"of at least {low}" if high is None else f"from {low} to {high}"
        return "is out of range", f"write a number {bounds}"
    return FINE


def _choice(value: object, info: inspect.LiteralType) -> Verdict:
    hashable = isinstance(value, str | int) and not isinstance(value, bool)
    if hashable and value in info.values:
        return FINE
    options = ", ".join(str(option) for option in info.values)
    return "is not known", f"write {options}" if len(info.values) == 1 else f"write one of {options}"


def _time(value: object) -> Verdict:
    try:
        as_time(value)
    except msgspec.ValidationError:
        return "is not a time", "write a time such as 2024-01-31T12:00:00Z"
    return FINE
