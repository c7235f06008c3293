"""A folder of manifests with its state beside it. Whoever holds the state's lock is the controller."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

import msgspec

from openelb_bgp.files.source import FilesSource
from openelb_bgp.files.state import CONTROLLER, State, speaker_role
from openelb_bgp.host.netlink import HostState, read_host
from openelb_bgp.host.own_node import own_node
from openelb_bgp.model.meta import Kind, ObjectRef
from openelb_bgp.model.statuses import BgpConfStatus, BgpPeerStatus, EipStatus, Status
from openelb_bgp.runtime.clock import BootClock
from openelb_bgp.runtime.store import Store
from openelb_bgp.settings import FilesSettings

from .origin import Origin, Post

_STATUS_TYPES: Mapping[Kind, type[EipStatus | BgpConfStatus | BgpPeerStatus]] = {
    Kind.EIP: EipStatus,
    Kind.BGP_CONF: BgpConfStatus,
    Kind.BGP_PEER: BgpPeerStatus,
}


@asynccontextmanager
async def opened_folder(settings: FilesSettings, *, node: str | None, owner: bool) -> AsyncIterator[Origin]:
    """Open it. Raises files.errors.StateError and FilesError, whose text is for the user."""
    # Who is alive is counted in time that passes while this machine is suspended, too.
    clock = BootClock()
    role = CONTROLLER if node is None else speaker_role(node)
    state = State.open(settings.state, role=role, owner=owner, clock=clock)
    try:
        here = None if node is None else own_node(node, await read_host())
        source = FilesSource(settings.files, state, clock, own_node=here)

        def host_is(host: HostState) -> None:
            if node is not None:
                source.set_own_node(own_node(node, host))

        async def lead(work: Callable[[Post], Awaitable[None]]) -> None:
            await work(Post(state, lambda: _stored(state)))

        yield Origin(Store(), source, state, clock, lead, host_is, trouble=lambda: state.problem or None)
    finally:
        await state.close()


async def _stored(state: State) -> list[tuple[ObjectRef, Status]]:
    rows = (await state.since(-1)).rows
    return [
        (row.ref, msgspec.json.decode(row.status, type=_STATUS_TYPES[row.ref.kind]))
        for row in rows
        if row.status is not None and row.ref.kind in _STATUS_TYPES
    ]
