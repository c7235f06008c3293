"""The statuses of Eips, BgpConfs and BgpPeers as they stand in the API, for a leader that takes over."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from openelb_bgp.model.meta import Kind, ObjectRef, ref
from openelb_bgp.model.statuses import BgpConfStatus, BgpPeerStatus, EipStatus, Status
from openelb_bgp.report.conditions import READY, VALID

from .client import Client
from .resources import RESOURCES

_Report = EipStatus | BgpConfStatus | BgpPeerStatus
_TYPES: Mapping[Kind, type[_Report]] = {
    Kind.EIP: EipStatus,
    Kind.BGP_CONF: BgpConfStatus,
    Kind.BGP_PEER: BgpPeerStatus,
}


async def stored_statuses(client: Client) -> Sequence[tuple[ObjectRef, Status]]:
    """All of them. What cannot be read counts as not written. Raises KubeError."""
    found: list[tuple[ObjectRef, Status]] = []
    for kind, type_ in _TYPES.items():
        items, _ = await client.list_all(RESOURCES[kind])
        for item in items:
            document = msgspec.json.decode(item, type=_Document)
            if (status := read_status(document.status, type_)) is not None:
                found.append((ref(kind, document.metadata.name), status))
    return found


def read_status(status: object, type_: type[_Report]) -> _Report | None:
    """A status with the conditions that are ours; None where there is none that can be read."""
    if status is None:
        return None
    try:
        read = msgspec.convert(status, type_)
    except msgspec.ValidationError:
        return None
    own = tuple(one for one in read.conditions if one.type in (VALID, READY))
    return msgspec.structs.replace(read, conditions=own)


class _Metadata(msgspec.Struct):
    name: str


class _Document(msgspec.Struct):
    metadata: _Metadata
    status: Any = None
