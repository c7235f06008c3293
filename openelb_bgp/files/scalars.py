"""What a plain YAML scalar means: as Kubernetes reads manifests, not as YAML 1.1 has it.

kubectl turns YAML into JSON, where there are no dates and no numbers to the base of 60: `65000:10` is a
community and `2026-01-01` a text. PyYAML's own rules would make an integer and a date of them.
"""

import re
from collections.abc import Mapping

Scalar = None | bool | int | float | str

_WORDS: Mapping[str, Scalar] = (
    dict.fromkeys(("", "~", "null", "Null", "NULL"), None)
    | dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"), True)
    | dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"), False)
)
_NUMBER_STARTS = frozenset("-+.0123456789")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9_]*)")
_OTHER_BASE = re.compile(r"[-+]?0(?:x(?P<hex>[0-9a-fA-F_]+)|o?(?P<octal>[0-7_]+)|b(?P<binary>[01_]+))")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)")
_NOT_A_NUMBER = frozenset({".nan", ".NaN", ".NAN"})
# Longer digits than this are no number that anything here could mean, and int() refuses 4,300 of them.
_LONGEST_INTEGER = 40


def plain(text: str) -> Scalar:
    """The value of an unquoted scalar without a tag."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    return _number(text)


def _number(text: str) -> Scalar:
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) <= _LONGEST_INTEGER else float(text.replace("_", ""))
    if match := _OTHER_BASE.fullmatch(text):
        return _in_base(match, negative=text.startswith("-"))
    if _FLOAT.fullmatch(text):
        return float(text)
    if _INFINITE.fullmatch(text):
        return float("-inf") if text.startswith("-") else float("inf")
    return float("nan") if text in _NOT_A_NUMBER else text


def _in_base(match: re.Match[str], *, negative: bool) -> Scalar:
    for name, base in (("hex", 16), ("octal", 8), ("binary", 2)):
        digits = (match[name] or "").replace("_", "")
        if digits:
            value = int(digits, base)
            return -value if negative else value
    return match[0]
