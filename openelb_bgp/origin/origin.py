"""What a daemon works on, wherever it comes from."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from openelb_bgp.host.netlink import HostState
from openelb_bgp.model.meta import EMPTY, ObjectRef
from openelb_bgp.model.statuses import Status
from openelb_bgp.ports import Clock, Source, StatusSink
from openelb_bgp.runtime.store import Store

StoredStatuses = Callable[[], Awaitable[Sequence[tuple[ObjectRef, Status]]]]


class Post(msgspec.Struct, frozen=True):
    """What the leading controller has for as long as it leads.

    `stored_statuses` are those of Eips, BgpConfs and BgpPeers as they stand.
    """

    sink: StatusSink
    stored_statuses: StoredStatuses


Tasks = Mapping[str, Callable[[], Awaitable[None]]]
"""What runs for as long as a daemon does, each by its name."""

Lead = Callable[[Callable[[Post], Awaitable[None]]], Awaitable[None]]
"""Runs work whenever this process is the leading controller, from the beginning each time; for ever."""


class Origin(msgspec.Struct, frozen=True):
    """Where objects come from, and where a daemon writes to.

    `sink` is for what this process says of itself. `host_is` tells the source what this machine looks like
    now, for a folder that does not name it. `in_cluster`: the nodes are a cluster's, where speakers live in
    pods and something like kube-proxy has to forward before anything is announced. `trouble` says why what
    comes from here or goes there may not be true, or None; `tasks` is what the origin wants done beside.
    """

    store: Store
    source: Source
    sink: StatusSink
    clock: Clock
    lead: Lead
    host_is: Callable[[HostState], None]
    in_cluster: bool = False
    trouble: Callable[[], str | None] = lambda: None
    tasks: Tasks = EMPTY
