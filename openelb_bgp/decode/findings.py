"""Where decoding writes down what is wrong in one object: every defect, not only the first.

The collector and the way a value is shown are here; what is wrong is found elsewhere. Whatever may hold a
secret is shown as `***`, and mappings and lists are not shown, because a secret may be inside.
"""

from openelb_bgp.model.errors import Defect
from openelb_bgp.model.reasons import Reason

HIDDEN = "***"
_LONGEST = 80


class Findings:
    """The defects of one object, in the order in which they were found."""

    __slots__ = ("_defects",)

    def __init__(self) -> None:
        self._defects: list[Defect] = []

    def fatal(
        self, path: str, value: object, problem: str, remedy: str, *, reason: Reason = Reason.INVALID
    ) -> None:
        """The object cannot be used."""
        self.add(path, value, problem, remedy, fatal=True, reason=reason)

    def left_out(
        self, path: str, value: object, problem: str, remedy: str, *, reason: Reason = Reason.INVALID
    ) -> None:
        """The object is used without this field."""
        self.add(path, value, problem, remedy, fatal=False, reason=reason)

    def add(
        self,
        path: str,
        value: object,
        problem: str,
        remedy: str,
        *,
        fatal: bool,
        reason: Reason = Reason.INVALID,
    ) -> None:
        """Either, where that depends on the object."""
        # Paths and problems may quote what users wrote, and end in logs, statuses and terminals.
        defect = Defect(printable(path), shown(value), printable(problem), remedy, reason, fatal=fatal)
        self._defects.append(defect)

    def missing(self, path: str, remedy: str) -> None:
        """A field that must be there is not, unless a bad value in it has been written down as fatal."""
        if not any(defect.fatal and defect.path == path for defect in self._defects):
            self.fatal(path, None, "is missing", remedy)

    def mentions(self, path: str) -> bool:
        """Whether a defect at this path has been written down."""
        return any(defect.path == path for defect in self._defects)

    @property
    def defects(self) -> tuple[Defect, ...]:
        """All of them."""
        return tuple(self._defects)

    @property
    def any_fatal(self) -> bool:
        """Whether the object cannot be used."""
        return any(defect.fatal for defect in self._defects)


def shown(value: object) -> str:
    """A scalar as the user wrote it, shortened; empty for anything else."""
    if value is None or isinstance(value, dict | list | tuple | set):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = printable(value) if isinstance(value, str) else _number(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def printable(text: str) -> str:
    """The text with control characters and lone surrogates escaped, as Python escapes them."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def kind_of_value(value: object) -> str:
    """What sort of thing a YAML or JSON value is, in words."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple | set):
        return "a list"
    return "nothing" if value is None else "a date or another value"


def _number(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 256:
        # Python refuses to print integers of more than 4,300 digits.
        return "a number of more than 77 digits"
    return str(value)
