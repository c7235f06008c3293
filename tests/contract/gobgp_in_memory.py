"""A gobgpd in memory that holds state, with routers around it, behind the ports that the announcer uses.

It keeps what it is told, establishes sessions with routers that are there, and lets each router keep the
routes of a session that ended without a goodbye, as helpers of graceful restart do. It can die, hang, be
stopped from inside, and refuse.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

from openelb_bgp.bgp.daemon import CannotRestart, Others
from openelb_bgp.bgp.gobgp.canonical import canonical
from openelb_bgp.bgp.gobgp.client import ResetDirection
from openelb_bgp.bgp.gobgp.errors import NotStarted, Rejected, SidecarHung, SidecarUnavailable
from openelb_bgp.bgp.gobgp.features import Features, Version, features
from openelb_bgp.bgp.gobgp.watch import PeerWatch
from openelb_bgp.bgp.model import (
    GlobalConf,
    ObservedGlobal,
    ObservedPath,
    ObservedPeer,
    Path,
    PathAttrs,
    PathKey,
    PeerCapabilities,
    PeerConf,
    PeerEvent,
    RoutingPolicy,
    SessionState,
    TableCount,
)
from openelb_bgp.model.addresses import Family

TARGET = "unix:///gobgpd in memory"
DEADLINE = 5.0


class Router:
    """A neighbour. `routes` is what it has of ours, `sessions` how often a session came up."""

    def __init__(self, *, helper: bool = True) -> None:
        self.helper = helper
        self.sessions = 0
        self.routes: dict[PathKey, PathAttrs] = {}


class MemoryGobgpd:
    """One life of the daemon."""

    def __init__(self, routers: Mapping[str, Router]) -> None:
        self.routers = routers
        self.alive = True
        self.hung = False
        self.conf: GlobalConf | None = None
        self.routing = RoutingPolicy()
        self.peers: dict[str, PeerConf] = {}
        self.paths: dict[PathKey, PathAttrs] = {}
        self.learned: dict[PathKey, ObservedPath] = {}
        self.edits = 0
        self.refuses: Callable[[Path | PeerConf], bool] = contradicts_itself
        self._watchers: list[asyncio.Queue[PeerEvent | None]] = []

    def sessions(self) -> list[str]:
        """The neighbours with a session that is up."""
        return [
            address for address, peer in self.peers.items() if address in self.routers and not peer.admin_down
        ]

    def end(self) -> None:
        """The process is no more."""
        self.alive = False
        for watcher in self._watchers:
            watcher.put_nowait(None)
        for address in self.sessions():
            if not self.routers[address].helper:
                self.routers[address].routes.clear()

    def stop(self) -> None:
        """What `StopBgp` does to 3.x: it lives on with nothing."""
        for address in self.sessions():
            self.routers[address].routes.clear()
        self.conf, self.routing = None, RoutingPolicy()
        self.peers, self.paths, self.learned = {}, {}, {}

    def watch(self) -> asyncio.Queue[PeerEvent | None]:
        """The events from now on, first the state of all peers; None at the end."""
        queue: asyncio.Queue[PeerEvent | None] = asyncio.Queue()
        self._watchers.append(queue)
        for address in self.peers:
            queue.put_nowait(self._event(address))
        return queue

    def add_peer(self, peer: PeerConf) -> None:
        """Dial it."""
        self.peers[peer.neighbor_address] = peer
        if peer.neighbor_address in self.sessions():
            router = self.routers[peer.neighbor_address]
            router.sessions += 1
            router.routes = dict(self.paths)
        self._tell(peer.neighbor_address)

    def delete_peer(self, address: str, *, hung_up: bool) -> None:
        """A NOTIFICATION makes the router forget; a connection that just ended before it does not."""
        if address in self.sessions() and not (hung_up and self.routers[address].helper):
            self.routers[address].routes.clear()
        self.peers.pop(address)
        self._tell(address)

    def change_paths(self, add: Iterable[Path] = (), delete: Iterable[PathKey] = ()) -> None:
        """Change the table, and tell every router."""
        for path in add:
            self.paths[path.key] = path.attrs
        for key in delete:
            self.paths.pop(key, None)
        for address in self.sessions():
            self.routers[address].routes = dict(self.paths)

    def _event(self, address: str) -> PeerEvent:
        up = address in self.sessions()
        state = SessionState.ESTABLISHED if up else SessionState.ACTIVE
        return PeerEvent(neighbor_address=address, session_state=state)

    def _tell(self, address: str) -> None:
        for watcher in self._watchers:
            watcher.put_nowait(self._event(address))


class MemoryDaemon:
    """The daemon's keeper: `life` is the gobgpd that runs; one that ends is started anew when asked for."""

    def __init__(self, routers: Mapping[str, Router], *, version: Version = (4, 8, 0)) -> None:
        self.routers = routers
        self.version = version
        self.life = MemoryGobgpd(routers)
        self.absent = False
        self.may_restart = True
        self.said: list[str] = []
        self.neighbours_of_others: dict[str, str] = {}
        self.other_listens = False
        self.on_port = ""
        self.hung_up: set[str] = set()
        self.lives = 1

    async def connect(self) -> "MemoryClient":
        if self.absent:
            raise SidecarUnavailable(TARGET, "nobody there")
        if not self.life.alive:
            self._begin()
        client = MemoryClient(self)
        await client.global_conf()
        return client

    async def restart(self) -> None:
        if not self.may_restart:
            raise CannotRestart("it is somebody else's: restart it")
        self.life.end()
        self._begin()

    def kill(self) -> None:
        """As SIGKILL does."""
        self.life.end()

    def _begin(self) -> None:
        self.life = MemoryGobgpd(self.routers)
        self.lives += 1

    async def hang_up(self, address: str) -> None:
        self.hung_up.add(address)

    async def last_words(self) -> Sequence[str]:
        return self.said

    async def others(self) -> Others:
        speak_to = self.neighbours_of_others
        return Others(speak_to, exist=self.other_listens or bool(speak_to))

    async def holder(self, port: int) -> str:
        return self.on_port


class MemoryClient:
    """A connection to one life."""

    def __init__(self, daemon: MemoryDaemon) -> None:
        self._daemon = daemon
        self._life = daemon.life
        self._closed = False

    @property
    def features(self) -> Features:
        return features(self._daemon.version[0], self._daemon.version)

    async def close(self) -> None:
        self._closed = True

    def watch(self) -> PeerWatch:
        return PeerWatch(self._events(), target=TARGET)

    async def _events(self) -> AsyncIterator[PeerEvent | None]:
        queue = self._life.watch()
        while (event := await queue.get()) is not None:
            yield event
        raise SidecarUnavailable(TARGET, "the connection broke")

    async def _reach(self, call: str, *, started: bool = True) -> MemoryGobgpd:
        assert not self._closed, f"{call} over a connection that is closed"
        if self._life.hung:
            await asyncio.sleep(DEADLINE)
            raise SidecarHung(TARGET, call, DEADLINE)
        if not self._life.alive:
            raise SidecarUnavailable(TARGET, "the connection broke")
        if started and self._life.conf is None:
            raise NotStarted(call, "bgp server hasn't started yet")
        return self._life

    async def global_conf(self) -> ObservedGlobal | None:
        conf = (await self._reach("GetBgp", started=False)).conf
        if conf is None:
            return None
        return ObservedGlobal(
            asn=conf.asn,
            router_id=conf.router_id,
            listen_port=conf.listen_port,
            listen_addresses=conf.listen_addresses,
            use_multiple_paths=conf.use_multiple_paths,
        )

    async def start(self, conf: GlobalConf) -> None:
        life = await self._reach("StartBgp", started=False)
        if self._daemon.on_port:
            raise Rejected(
                "StartBgp", f"listen tcp4 0.0.0.0:{conf.listen_port}: bind: address already in use"
            )
        life.edits += 1
        life.conf = conf

    async def routing_policy(self) -> RoutingPolicy:
        return canonical((await self._reach("ListPolicy")).routing)

    async def set_policies(self, routing: RoutingPolicy) -> None:
        life = await self._reach("SetPolicies")
        life.edits += 1
        life.routing = routing

    async def peers(self) -> tuple[ObservedPeer, ...]:
        life = await self._reach("ListPeer", started=False)
        up = life.sessions()
        return tuple(self._observed(peer, up=address in up) for address, peer in sorted(life.peers.items()))

    def _observed(self, peer: PeerConf, *, up: bool) -> ObservedPeer:
        families = tuple(one.family for one in peer.afi_safis)
        return ObservedPeer(
            neighbor_address=peer.neighbor_address,
            peer_asn=peer.peer_asn,
            local_asn=peer.local_asn,
            session_state=SessionState.ESTABLISHED if up else SessionState.ACTIVE,
            families=families if up else (),
            add_path_send=families if up else (),
            remote=PeerCapabilities(graceful_restart=up, families=families),
        )

    async def add_peer(self, peer: PeerConf) -> None:
        life = await self._reach("AddPeer")
        if life.refuses(peer):
            raise Rejected("AddPeer", "no such peer here")
        life.edits += 1
        life.add_peer(peer)

    async def update_peer(self, peer: PeerConf) -> bool:
        life = await self._reach("UpdatePeer")
        if life.refuses(peer):
            raise Rejected("UpdatePeer", "not like that")
        life.edits += 1
        life.peers[peer.neighbor_address] = peer
        return False

    async def delete_peer(self, address: str) -> None:
        life = await self._reach("DeletePeer")
        if address not in life.peers:
            raise Rejected("DeletePeer", f"can't delete a peer configuration for {address}")
        life.edits += 1
        life.delete_peer(address, hung_up=address in self._daemon.hung_up)
        self._daemon.hung_up.discard(address)

    async def reset_peer(self, address: str, *, soft: bool, direction: ResetDirection) -> None:
        (await self._reach("ResetPeer")).edits += 1

    async def paths(self, family: Family) -> list[ObservedPath]:
        life = await self._reach("ListPath")
        found = life.paths.items()
        return [
            ObservedPath(key=key, attrs=attrs, local=True) for key, attrs in found if key.family is family
        ]

    async def advertised(self, address: str, family: Family) -> list[ObservedPath]:
        return await self.paths(family)

    async def count(self, family: Family) -> TableCount:
        life = await self._reach("GetTable")
        keys = [key for key in (*life.paths, *life.learned) if key.family is family]
        return TableCount(destinations=len({key.prefix for key in keys}), paths=len(keys))

    async def add_paths(self, paths: Iterable[Path]) -> None:
        life = await self._reach("AddPathStream")
        wanted = list(paths)
        if not wanted:
            return
        life.edits += 1
        for path in wanted:
            if life.refuses(path):
                raise Rejected("AddPathStream", f"{path.key.prefix} is not welcome")
            life.change_paths(add=[path])

    async def withdraw_paths(self, keys: Iterable[PathKey]) -> None:
        life = await self._reach("AddPathStream")
        wanted = list(keys)
        life.edits += len(wanted) > 0
        life.change_paths(delete=wanted)


def contradicts_itself(one: Path | PeerConf) -> bool:
    """What the real client refuses to send."""
    return isinstance(one, PeerConf) and None not in (one.ebgp_multihop_ttl, one.ttl_security_min)
