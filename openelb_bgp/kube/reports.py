"""The reports that stand in the API as we wrote them, so that somebody else's edit of one is noticed. Pure.

Statuses of Eips, BgpConfs and BgpPeers are reports of the leading controller: whoever edits one is put right.
What Services say is compared elsewhere, in each cycle.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from openelb_bgp.model.meta import Kind, ObjectRef, ref
from openelb_bgp.model.statuses import BgpConfStatus, BgpPeerStatus, EipStatus, Status
from openelb_bgp.ports import StatusWrite
from openelb_bgp.report.conditions import READY, VALID

Report = EipStatus | BgpConfStatus | BgpPeerStatus
REPORTED: Mapping[Kind, type[Report]] = {
    Kind.EIP: EipStatus,
    Kind.BGP_CONF: BgpConfStatus,
    Kind.BGP_PEER: BgpPeerStatus,
}


class Shown(msgspec.Struct, frozen=True):
    """A report as the API server shows it at one version; `status` None: there is none that can be read."""

    ref: ObjectRef
    version: int
    status: Report | None


class _Metadata(msgspec.Struct):
    name: str
    version: str = msgspec.field(name="resourceVersion")


class _Document(msgspec.Struct):
    metadata: _Metadata
    status: Any = None


_DOCUMENT = msgspec.json.Decoder(_Document)


def shown(kind: Kind, text: msgspec.Raw | bytes) -> Shown:
    """An object's report, with the conditions that are ours. Raises msgspec.MsgspecError for no object."""
    document = _DOCUMENT.decode(text)
    version = document.metadata.version
    return Shown(
        ref(kind, document.metadata.name),
        int(version) if version.isdecimal() else 0,
        _read(document.status, REPORTED[kind]),
    )


def _read(status: object, type_: type[Report]) -> Report | None:
    if status is None:
        return None
    try:
        read = msgspec.convert(status, type_)
    except msgspec.ValidationError:
        return None
    own = tuple(one for one in read.conditions if one.type in (VALID, READY))
    return msgspec.structs.replace(read, conditions=own)


class Reports:
    """What was written of each object last, and at which version it stood there."""

    def __init__(self) -> None:
        self._made: dict[ObjectRef, tuple[StatusWrite, int]] = {}

    def recall(self, stored: Iterable[tuple[ObjectRef, Status]]) -> None:
        """Take what a leader before us wrote."""
        for about, status in stored:
            self._made[about] = (StatusWrite(ref=about, status=status), 0)

    def note(self, write: StatusWrite, answer: Mapping[str, Any]) -> None:
        """Take note of a write, and of the object as the API server answered."""
        if write.ref.kind in REPORTED:
            version = str((answer.get("metadata") or {}).get("resourceVersion") or "")
            self._made[write.ref] = (write, int(version) if version.isdecimal() else 0)

    def correction(self, found: Shown) -> StatusWrite | None:
        """The write that puts an edited report right; None where it is right, or an older one."""
        write, version = self._made.get(found.ref, (None, 0))
        if write is None or found.version <= version or found.status == write.status:
            return None
        return write
