"""The statuses of Eips, BgpConfs and BgpPeers as they stand in the API, for a leader that takes over."""

from collections.abc import Sequence

from openelb_bgp.model.meta import ObjectRef
from openelb_bgp.model.statuses import Status

from .client import Client
from .reports import REPORTED, shown
from .resources import RESOURCES


async def stored_statuses(client: Client) -> Sequence[tuple[ObjectRef, Status]]:
    """All of them. What cannot be read counts as not written. Raises KubeError."""
    found: list[tuple[ObjectRef, Status]] = []
    for kind in REPORTED:
        items, _ = await client.list_all(RESOURCES[kind])
        for item in items:
            one = shown(kind, item)
            if one.status is not None:
                found.append((one.ref, one.status))
    return found
