"""Where objects come from and where statuses go, opened as the settings say: the store and its feeding.

Today that is a folder of manifests with its state beside it. Everything above sees a Store and a StatusSink
and knows no more.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

import msgspec
import structlog

from openelb_bgp.files.errors import FilesError, StateError
from openelb_bgp.files.source import FilesSource
from openelb_bgp.files.state import CONTROLLER, State, speaker_role
from openelb_bgp.host.netlink import HostState, read_host
from openelb_bgp.host.own_node import own_node
from openelb_bgp.model.meta import Kind, ObjectRef
from openelb_bgp.model.statuses import BgpConfStatus, BgpPeerStatus, EipStatus, Status
from openelb_bgp.ports import Clock, Source, StatusSink
from openelb_bgp.runtime.clock import SystemClock
from openelb_bgp.runtime.health import PortTaken
from openelb_bgp.runtime.store import Store
from openelb_bgp.settings import ExitCode, SourceSettings

log = structlog.get_logger(__name__)


StoredStatuses = Callable[[], Awaitable[Sequence[tuple[ObjectRef, Status]]]]

_STATUS_TYPES: Mapping[Kind, type[EipStatus | BgpConfStatus | BgpPeerStatus]] = {
    Kind.EIP: EipStatus,
    Kind.BGP_CONF: BgpConfStatus,
    Kind.BGP_PEER: BgpPeerStatus,
}


class Origin(msgspec.Struct, frozen=True):
    """What a daemon works on.

    `stored_statuses` are those of Eips, BgpConfs and BgpPeers as they stand. `host_is` tells the source what
    this machine looks like now, for a folder that does not name it. `in_cluster`: the nodes are a cluster's,
    where something like kube-proxy has to forward before anything is announced.
    """

    store: Store
    source: Source
    sink: StatusSink
    clock: Clock
    stored_statuses: StoredStatuses
    host_is: Callable[[HostState], None]
    in_cluster: bool = False


@asynccontextmanager
async def opened(settings: SourceSettings, *, node: str | None, owner: bool) -> AsyncIterator[Origin]:
    """Open it. `node` is the speaker's own, `owner` says that this process is the controller.

    Raises files.errors.StateError and FilesError, whose text is for the user.
    """
    clock = SystemClock()
    role = CONTROLLER if node is None else speaker_role(node)
    state = State.open(settings.state, role=role, owner=owner, clock=clock)
    try:
        here = None if node is None else own_node(node, await read_host())
        source = FilesSource(settings.files, state, clock, own_node=here)

        def host_is(host: HostState) -> None:
            if node is not None:
                source.set_own_node(own_node(node, host))

        yield Origin(Store(), source, state, clock, lambda: _stored(state), host_is)
    finally:
        await state.close()


async def exit_code_of(daemon: Awaitable[None]) -> int:
    """Await a daemon to its end; what keeps it from starting costs one line in the log and its exit code."""
    try:
        await daemon
    except StateError as error:
        log.error("cannot_start", error=str(error))
        return ExitCode.STATE
    except (FilesError, PortTaken) as error:
        log.error("cannot_start", error=str(error))
        return ExitCode.FAILED
    except Exception as error:
        log.exception("ended_unexpectedly", error=f"{type(error).__name__}: {error}")
        return ExitCode.FAILED
    return ExitCode.OK


async def feed(origin: Origin) -> None:
    """Bring every delivery of the source into the store, for ever."""
    async for batch in origin.source.deliveries():
        origin.store.apply(batch)


async def _stored(state: State) -> list[tuple[ObjectRef, Status]]:
    rows = (await state.since(-1)).rows
    return [
        (row.ref, msgspec.json.decode(row.status, type=_STATUS_TYPES[row.ref.kind]))
        for row in rows
        if row.status is not None and row.ref.kind in _STATUS_TYPES
    ]
