"""Membership at work: the core with sockets, keys and the clock of this process.

Everything happens on one event loop: what arrives is handed to the core at once, and a timer wakes it when it
asks for that. What is decided about whom is the core's matter.
"""

import asyncio
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from ipaddress import ip_address

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Link
from openelb_bgp.model.members import Members
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.statuses import Problem
from openelb_bgp.ports import Clock

from . import metrics
from .codec import Codec, Dropped
from .core import NODE_LANE, Membership, Route, Stale
from .lanes import LocalInterface
from .sockets import Place, Sockets
from .timing import Timing

_REMEMBERED = 10.0
"""Seconds for which a datagram with another key is held against who seems to have sent it."""
_MOST_ADDRESSES = 4


class Heartbeats:
    """The membership of this node; `changed` is called when `members` or `problems` have changed.

    `address` is the only one at which the node's own lane listens, None for all. To be closed at the end.
    """

    def __init__(
        self,
        node: str,
        *,
        clock: Clock,
        changed: Callable[[], None],
        timing: Timing,
        port: int,
        address: Address | None,
    ) -> None:
        self._node = node
        self._clock = clock
        self._changed = changed
        self._address = address
        self._codec = Codec(node)
        self._sockets = Sockets(port, self._arrived)
        self._core = Membership(
            node,
            # Random, so that nothing recorded of an earlier process is believed. Never 0: that is unknown.
            boot=secrets.randbits(63) | 1,
            timing=timing,
            now=clock.monotonic(),
        )
        self._peers: Mapping[str, tuple[Address, ...]] | None = None
        self._places: frozenset[Place] = frozenset()
        self._configured: object = None
        # When somebody was last heard with our key, and with another.
        self._heard: dict[str, float] = {}
        self._strange: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due_at = 0.0
        self._shown: Members | None = None
        self._dead = 0

    @property
    def members(self) -> Members:
        """Who is alive now. A pause of this process that nothing else has noticed yet is noticed here."""
        self._core.notice(self._clock.monotonic())
        return self._core.members

    def aim(
        self,
        interfaces: Collection[str],
        links: Iterable[Link],
        *,
        peers: Mapping[str, tuple[Address, ...]] | None,
        keys: tuple[bytes, ...],
    ) -> None:
        """Watch on these interfaces from now on; `peers` as of `peers.others`, the first key to sign with."""
        chosen = [link for link in links if link.name in interfaces]
        wanted = (tuple(chosen), peers, keys)
        if wanted == self._configured and self._sockets.is_complete:
            return
        self._configured, self._peers = wanted, peers
        self._codec.use(keys=keys, nodes=tuple(peers or ()))
        local = [_local(link) for link in chosen]
        self._places = frozenset((*self._own_places(), *_lane_places(chosen, local)))
        self._sockets.keep(self._places)
        now = self._clock.monotonic()
        self._core.configure(now, peers=peers, interfaces=local, keyed=self._codec.is_keyed)
        self._step(now)

    def _own_places(self) -> list[Place]:
        if self._address is not None:
            return [Place(NODE_LANE, self._address)]
        versions = {address.version for found in (self._peers or {}).values() for address in found}
        return [Place(NODE_LANE, ip_address("0.0.0.0" if one == 4 else "::")) for one in sorted(versions)]

    def close(self) -> None:
        """Answer no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._sockets.close()

    def leave(self) -> None:
        """Say goodbye; what is asked afterwards is still answered, until the end."""
        now = self._clock.monotonic()
        self._core.leave(now)
        self._step(now)

    def _tick(self) -> None:
        self._timer = None
        self._step(self._clock.monotonic())

    def _step(self, now: float) -> None:
        self._core.poll(now)
        self._flush()
        self._wake_at(self._core.wake_at, now)
        if self._core.members is not self._shown:
            self._show(self._core.members)
            self._changed()

    def _flush(self) -> None:
        for one in self._core.take():
            metrics.SENT.inc()
            self._sockets.send(one.route, self._codec.encode(one.datagram))

    def _wake_at(self, at: float | None, now: float) -> None:
        if self._timer is not None:
            if at is not None and self._due_at <= at:
                # It comes too early at worst, and that costs less than another timer for each answer.
                return
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._due_at = at
            self._timer = asyncio.get_running_loop().call_later(max(0.0, at - now), self._tick)

    def _arrived(self, route: Route, data: bytes) -> None:
        now = self._clock.monotonic()
        try:
            datagram = self._codec.decode(data)
            self._core.receive(now, datagram, route)
        except Dropped as dropped:
            metrics.DROPPED.labels(dropped.reason).inc()
            if dropped.reason in ("signature", "no-key"):
                self._suspect(dropped.claimed, route, now)
            return
        except Stale:
            metrics.DROPPED.labels("stale").inc()
        else:
            metrics.RECEIVED.inc()
            self._heard[datagram.sender] = now
        self._step(now)

    def _suspect(self, claimed: str, route: Route, now: float) -> None:
        """Remember who speaks with another key: it says who it is, and comes from where that one is."""
        if not self._is_at(claimed, route.address):
            return
        is_new = claimed not in self._strangers(now)
        self._strange[claimed] = now
        if is_new:
            self._changed()

    def _is_at(self, node: str, address: Address) -> bool:
        if address in (self._peers or {}).get(node, ()):
            return True
        member = self._core.members.others.get(node)
        if member is None:
            return False
        return any(each.ip == address for one in member.interfaces.values() for each in one.addresses)

    def _strangers(self, now: float) -> list[str]:
        """Who speaks with another key, and not with ours."""
        return sorted(
            node
            for node, at in self._strange.items()
            if now - at < _REMEMBERED and now - self._heard.get(node, -_REMEMBERED) >= _REMEMBERED
        )

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What keeps this node from hearing others, with the remedies."""
        here = ref(Kind.NODE, self._node)
        found = [Problem.of(here, Reason.LISTEN_PORT_TAKEN, text) for text in self._sockets.errors.values()]
        strangers = self._strangers(self._clock.monotonic())
        if strangers and self._codec.is_keyed:
            found.append(Problem.of(here, Reason.MEMBERSHIP_KEY_DIFFERS, _differs(strangers)))
        return tuple(found)

    def _show(self, members: Members) -> None:
        self._shown = members
        interfaces = [one for member in members.others.values() for one in member.interfaces.values()]
        alive = sum(one.alive for one in interfaces)
        leaving = sum(member.leaving for member in members.others.values())
        unheard = len(self._peers or {}) - len(members.others)
        dead = len(interfaces) - alive
        for state, count in (("alive", alive), ("dead", dead), ("leaving", leaving), ("unheard", unheard)):
            metrics.MEMBERS.labels(state).set(count)
        metrics.DEATHS.inc(max(0, dead - self._dead))
        metrics.VOID.set(members.void)
        self._dead = dead


def _differs(nodes: list[str]) -> str:
    return (
        f"the speakers of {', '.join(nodes)} sign their heartbeats with another key than this node: neither "
        "believes the other, and both may answer for one address; give all nodes the same key (it is read "
        "again by itself, nothing needs a restart)"
    )


def _local(link: Link) -> LocalInterface:
    """Without addresses that no neighbour is in the subnet of: those that move between nodes."""
    lasting = [one for one in link.addresses if one.network.num_addresses > 1]
    lasting.sort(key=lambda one: (one.ip.is_link_local, one.version))
    return LocalInterface(
        name=link.name, mac=link.mac, addresses=tuple(lasting[:_MOST_ADDRESSES]), up=link.up
    )


def _lane_places(links: Iterable[Link], local: Iterable[LocalInterface]) -> Iterable[Place]:
    for link, one in zip(links, local, strict=True):
        for address in one.addresses:
            yield Place(link.name, address.ip, link.index)
