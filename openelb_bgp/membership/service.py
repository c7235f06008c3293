"""Membership at work: the core with sockets, keys and the clock of this process.

Everything happens on one event loop, beside the speaker's: what arrives is handed to the core at once, and a
timer wakes it when it asks for that. What has been found out is read at the door, `seen`, from any thread.
What is decided about whom is the core's matter.
"""

import asyncio
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import ip_address
from math import inf

import msgspec
import structlog

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Link
from openelb_bgp.model.members import Members
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.statuses import Problem
from openelb_bgp.ports import Clock

from . import metrics
from .codec import Codec, Dropped
from .core import Membership, Stale
from .lanes import NODE_LANE, LocalInterface, Route
from .messages import Ping
from .sockets import Arrived, Place, Sockets
from .timing import LONGEST_PLAN, Timing

log = structlog.get_logger(__name__)

_REMEMBERED = 10.0
"""Seconds for which a datagram with another key is held against who seems to have sent it."""
_MOST_ADDRESSES = 4


class Aim(msgspec.Struct, frozen=True, kw_only=True):
    """Where to watch, and whom: `peers` as of `peers.others`, the first key to sign with."""

    links: tuple[Link, ...]
    peers: Mapping[str, tuple[Address, ...]] | None
    keys: tuple[bytes, ...]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What has been found out: who is alive, and what keeps this node from hearing others.

    After `until` (monotonic) it is out of date: whoever found it out does not run any more, or was paused.
    """

    members: Members
    problems: tuple[Problem, ...] = ()
    until: float = inf


class Heartbeats:
    """The membership of this node; `changed` is called when `seen` says something else.

    `address` is the only one at which the node's own lane listens, None for all. `silence` says for how many
    seconds the speaker has not shown life. To be closed at the end.
    """

    def __init__(
        self,
        node: str,
        *,
        clock: Clock,
        changed: Callable[[], None],
        silence: Callable[[], float],
        timing: Timing,
        port: int,
        address: Address | None,
    ) -> None:
        self._node = node
        self._clock = clock
        self._changed = changed
        self._silence = silence
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
        self._interval = timing.interval
        self._answers_take = timing.answers_take
        self._peers: Mapping[str, tuple[Address, ...]] | None = None
        self._places: frozenset[Place] = frozenset()
        self._configured: Aim | None = None
        # When somebody was last heard with our key, and with another.
        self._heard: dict[str, float] = {}
        self._strange: dict[str, float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due_at = 0.0
        self._dead = 0
        self._hangs = False
        self.seen = Seen(members=self._core.members)

    def aim(self, aim: Aim) -> None:
        """Watch there from now on."""
        if aim == self._configured and self._sockets.is_complete:
            return
        self._configured, self._peers = aim, aim.peers
        self._codec.use(keys=aim.keys, nodes=tuple(aim.peers or ()))
        local = [_local(link) for link in aim.links]
        self._places = frozenset((*self._own_places(), *_lane_places(aim.links, local)))
        self._sockets.keep(self._places)
        now = self._clock.monotonic()
        self._core.configure(now, peers=aim.peers, interfaces=local, keyed=self._codec.is_keyed)
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
        now = self._clock.monotonic()
        if self._is_forsaken():
            # As good as paused: the core will find that out by itself.
            self._wake_at(now + self._interval, now)
        else:
            self._step(now)

    def _is_forsaken(self) -> bool:
        """Whether the speaker hangs, or was stopped and has not done anything yet since."""
        hangs = self._silence() > LONGEST_PLAN
        if hangs and not self._hangs:
            log.error("speaker_silent", seconds=LONGEST_PLAN, what="others take its addresses over")
        self._hangs = hangs
        return hangs

    def _step(self, now: float) -> None:
        self._core.poll(now)
        self._flush()
        wake_at = self._core.wake_at
        self._wake_at(wake_at, now)
        self._show(now, until=inf if wake_at is None else wake_at + self._interval)

    def _flush(self) -> None:
        out = self._core.take()
        if not out:
            return
        for one in out:
            self._sockets.send(one.route, self._codec.encode(one.datagram))
        metrics.SENT.inc(len(out))
        if any(isinstance(one.datagram.body, Ping) for one in out):
            self._sockets.rest(self._answers_take)

    def _wake_at(self, at: float | None, now: float) -> None:
        if self._timer is not None:
            if at == self._due_at:
                return
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._due_at = at
            self._timer = asyncio.get_running_loop().call_later(max(0.0, at - now), self._tick)

    def _arrived(self, arrived: Sequence[Arrived]) -> None:
        """Answer what has arrived together, and do what follows from it."""
        if self._is_forsaken():
            return
        now = self._clock.monotonic()
        accepted = sum([self._accept(route, data, now) for route, data in arrived])
        if accepted:
            metrics.RECEIVED.inc(accepted)
            self._step(self._clock.monotonic())

    def _accept(self, route: Route, data: bytes, now: float) -> bool:
        """Hand a datagram over; whether it proved anything."""
        try:
            datagram = self._codec.decode(data)
            self._core.receive(now, datagram, route)
        except Dropped as dropped:
            metrics.DROPPED.labels(dropped.reason).inc()
            if dropped.reason in ("signature", "no-key"):
                self._suspect(dropped.claimed, route, now)
            return False
        except Stale:
            metrics.DROPPED.labels("stale").inc()
            return False
        self._heard[datagram.sender] = now
        return True

    def _suspect(self, claimed: str, route: Route, now: float) -> None:
        """Remember who speaks with another key: it says who it is, and comes from where that one is."""
        if not self._is_at(claimed, route.address):
            return
        self._strange[claimed] = now
        self._show(now, until=self.seen.until)

    def _is_at(self, node: str, address: Address) -> bool:
        if address in (self._peers or {}).get(node, ()):
            return True
        member = self._core.members.others.get(node)
        if member is None:
            return False
        return any(each.ip == address for one in member.interfaces.values() for each in one.addresses)

    @property
    def _has_no_problems(self) -> bool:
        return not self._strange and self._sockets.is_complete

    def _strangers(self, now: float) -> list[str]:
        """Who speaks with another key, and not with ours."""
        return sorted(
            node
            for node, at in self._strange.items()
            if now - at < _REMEMBERED and now - self._heard.get(node, -_REMEMBERED) >= _REMEMBERED
        )

    def _problems(self, now: float) -> tuple[Problem, ...]:
        if self._has_no_problems:
            return ()
        here = ref(Kind.NODE, self._node)
        found = [Problem.of(here, Reason.LISTEN_PORT_TAKEN, text) for text in self._sockets.errors.values()]
        strangers = self._strangers(now)
        if strangers and self._codec.is_keyed:
            found.append(Problem.of(here, Reason.MEMBERSHIP_KEY_DIFFERS, _differs(strangers)))
        return tuple(found)

    def _show(self, now: float, *, until: float) -> None:
        before = self.seen
        if before.members is self._core.members and before.until == until and self._has_no_problems:
            return
        self.seen = Seen(members=self._core.members, problems=self._problems(now), until=until)
        if self.seen.members is not before.members:
            self._count(self.seen.members)
        elif self.seen.problems == before.problems:
            return
        self._changed()

    def _count(self, members: Members) -> None:
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
