"""Where decoding writes down what is wrong in one object: every defect, not only the first.

The collector and the way a value is shown are here; what is wrong is found elsewhere. Whatever may hold a
secret is shown as `***`, and a mapping or list only by what it is, because a secret may be inside.
"""

from collections.abc import Mapping

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
        self._defects.append(Defect(path, shown(value), problem, remedy, reason, fatal=True))

    def left_out(
        self, path: str, value: object, problem: str, remedy: str, *, reason: Reason = Reason.INVALID
    ) -> None:
        """The object is used without this field."""
        self._defects.append(Defect(path, shown(value), problem, remedy, reason, fatal=False))

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
        (self.fatal if fatal else self.left_out)(path, value, problem, remedy, reason=reason)

    def missing(self, path: str, remedy: str) -> None:
        """A field that must be there is not, unless a bad value there, or around it, is known already."""
        if not self.mentions(path):
            self.fatal(path, None, "is missing", remedy)

    def mentions(self, path: str) -> bool:
        """Whether a defect at this path, or at one around it, has been written down."""
        around = {path} | {path[:end] for end in range(len(path)) if path[end] in ".["}
        return any(defect.path in around for defect in self._defects)

    @property
    def defects(self) -> tuple[Defect, ...]:
        """All of them."""
        return tuple(self._defects)

    @property
    def any_fatal(self) -> bool:
        """Whether the object cannot be used."""
        return any(defect.fatal for defect in self._defects)


def shown(value: object) -> str:
    """A value as the user wrote it, shortened; of a mapping or a list only what it is; None is empty."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list | tuple | set):
        return kind_of_value(value)
    text = value if isinstance(value, str) else _number(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def kind_of_value(value: object) -> str:
    """What sort of thing a YAML or JSON value is, in words."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple | set):
        return "a list"
    return "nothing" if value is None else "a date or another value"


def _number(value: object) -> str:
    if isinstance(value, int) and value.bit_length() > 256:
        # Python refuses to print integers of more than 4,300 digits.
        return "a number of more than 77 digits"
    return str(value)
