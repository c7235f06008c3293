"""What can be wrong with an object, as values that travel to the object's status.

Nothing here is raised across rooms: decoding returns an InvalidResource beside the good objects, so that
one bad object never stops another.
"""

import msgspec

from .meta import ObjectRef
from .reasons import Reason


class Defect(msgspec.Struct, frozen=True):
    """One thing that is wrong in one object.

    `path` is the field's path as the user writes it (`spec.afiSafis[0].addPaths.config.sendMax`),
    `value` what stands there, `remedy` what would be right. `fatal` says that the object cannot be used;
    otherwise it is used without that field.
    """

    path: str
    value: str
    problem: str
    remedy: str
    reason: Reason = Reason.INVALID
    fatal: bool = True

    def __str__(self) -> str:
        shown = f" {self.value!r}" if self.value else ""
        return f"{self.path}{shown}: {self.problem}; {self.remedy}"


class InvalidResource(msgspec.Struct, frozen=True):
    """An object that cannot be used, with everything that is wrong in it."""

    ref: ObjectRef
    defects: tuple[Defect, ...]

    @property
    def message(self) -> str:
        """One sentence for a condition or an event."""
        return "; ".join(str(defect) for defect in self.defects)
