"""gobgpd as the announcer needs it: the verbs of `gobgp.client.Client` that it calls, as a Protocol.

The client is the real inhabitant and says what each verb does and raises; tests bring one that holds state.
"""

from collections.abc import Iterable
from typing import Protocol

from openelb_bgp.model.addresses import Family

from .gobgp.client import ResetDirection
from .gobgp.features import Features
from .gobgp.watch import PeerWatch
from .model import (
    GlobalConf,
    ObservedGlobal,
    ObservedPath,
    ObservedPeer,
    Path,
    PathKey,
    PeerConf,
    RoutingPolicy,
    TableCount,
)


class Gobgp(Protocol):
    """A connected gobgpd."""

    @property
    def features(self) -> Features: ...

    def watch(self) -> PeerWatch: ...

    async def close(self) -> None: ...

    async def global_conf(self) -> ObservedGlobal | None: ...

    async def start(self, conf: GlobalConf) -> None: ...

    async def routing_policy(self) -> RoutingPolicy: ...

    async def set_policies(self, routing: RoutingPolicy) -> None: ...

    async def peers(self) -> tuple[ObservedPeer, ...]: ...

    async def add_peer(self, peer: PeerConf) -> None: ...

    async def update_peer(self, peer: PeerConf) -> bool: ...

    async def delete_peer(self, address: str) -> None: ...

    async def reset_peer(self, address: str, *, soft: bool, direction: ResetDirection) -> None: ...

    async def paths(self, family: Family) -> list[ObservedPath]: ...

    async def advertised(self, address: str, family: Family) -> list[ObservedPath]: ...

    async def count(self, family: Family) -> TableCount: ...

    async def add_paths(self, paths: Iterable[Path]) -> None: ...

    async def withdraw_paths(self, keys: Iterable[PathKey]) -> None: ...
