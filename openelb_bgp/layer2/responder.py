"""The responder: answers for the addresses that this node owns, and announces them. Which those are is
decided elsewhere, and so is what follows from a conflict.

A hot path: the kernel's filter has dropped what concerns no owned address, so what gets here is to be
answered, and clients by the thousand may ask at once. Nothing is awaited between reading a question and
sending its answer. A frame is parsed and checked in full once (16 µs for ARP, 28 µs for NDP); the same frame
gets the same answer as long as nothing changes (3 µs).
"""

import asyncio
import contextlib
import math
import random
import socket
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from ipaddress import IPv6Address

from openelb_bgp.host.arp import Arp
from openelb_bgp.host.ndp import Solicitation
from openelb_bgp.host.packets import Dropped, Packet, build, parse, parse_mac
from openelb_bgp.host.wire import Place
from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.facts import Gateway, Link
from openelb_bgp.ports import Clock

from .announcing import Announcing, Job
from .asking import Asker, own_macs
from .filters import questions
from .groups import Group, Groups, groups_of
from .owned import Conflict, Handled, Ownership, Probed, Spot
from .packets import Form, announcement, answer, asked_for, claimed, comes_from, is_answerable
from .ring import Received
from .sockets import Port, Unusable

OLDEST = 0.2
"""Seconds that a question may have waited. What piled up while the process was stopped is not answered."""
_CLOCK_GRAIN = 0.001
_CONFLICT_PAUSE, _MOST_TOLD = 1.0, 1000
"""For how many seconds the same is not told again, and of how many conflicts at most in that time."""
_RETRY = 5.0
"""Seconds until what the kernel refused is tried again."""
_MOST_READY = 4096
"""Answers that are kept ready: one megabyte."""


class Responder:
    """Answers on this node's interfaces. Used on one event loop; what it is told takes effect at once.

    `conflict` is called when another host says that it has an owned address, for each of its MACs at most
    once in a second; `changed` when `problems` are others than before.
    """

    def __init__(
        self, *, clock: Clock, conflict: Callable[[Conflict], None], changed: Callable[[], None]
    ) -> None:
        self._clock = clock
        self._conflict = conflict
        self._changed = changed
        self._asker = Asker(clock)
        self._groups = Groups()
        self._announcing = Announcing(random.random)
        self._owned: Mapping[Spot, Ownership] = {}
        self._addresses: Mapping[Family, frozenset[Address]] = {family: frozenset() for family in Family}
        self._seen: tuple[Collection[Link], Collection[Gateway]] = (), ()
        self._links: Mapping[str, Link] = {}
        self._macs: Mapping[str, bytes] = {}
        self._ours: frozenset[bytes] = frozenset()
        self._ports: dict[Place, Port] = {}
        self._ready: dict[tuple[Place, bytes], bytes] = {}
        self._counts: Counter[tuple[Family, Handled | Dropped]] = Counter()
        self._told: dict[Conflict, float] = {}
        self._until = math.inf
        self._pump: asyncio.TimerHandle | None = None
        self._again: asyncio.TimerHandle | None = None
        self.problems: Mapping[str, str] = {}
        """What keeps this node from announcing on an interface, by its name: a sentence each."""
        self.announced: Counter[Form] = Counter()
        """Announcements sent without having been asked."""

    def own(self, owned: Mapping[Spot, Ownership]) -> None:
        """Own these and no others; the caller does not change the mapping afterwards.

        What is lost is not answered for, nor announced, from now on. What is new is announced in a burst.
        """
        before, self._owned = self._owned, owned
        if owned is before:
            return
        self._ready.clear()
        for spot in before.keys() - owned.keys():
            self._announcing.stop(spot)
        won = owned.keys() - before.keys()
        for spot in (owned.keys() & before.keys()) if owned != before else ():
            self._announcing.change(spot, owned[spot])
        if owned.keys() != before.keys():
            self._listen()
        self._start(won)

    def see(self, links: Collection[Link], gateways: Collection[Gateway]) -> None:
        """The node's links and the gateways of its default routes are these now.

        A link that has come up, or has another MAC, has everything announced anew.
        """
        if (links, gateways) == self._seen:
            return
        self._seen = links, gateways
        before, self._links = self._links, {link.name: link for link in links}
        self._macs = {link.name: mac for link in links if (mac := parse_mac(link.mac))}
        self._ours = own_macs(links)
        self._ready.clear()
        self._asker.see(links, gateways)
        fresh = {link.name for link in links if link.up and _wire(link) != _wire(before.get(link.name))}
        if {name: _wire(one) for name, one in before.items()} != {
            name: _wire(one) for name, one in self._links.items()
        }:
            self._listen()
        self._start(spot for spot in self._owned if spot.interface in fresh)

    def announce(self, spots: Iterable[Spot]) -> None:
        """Announce those of them that are owned in a burst: somebody else has said that he has them."""
        self._start(spot for spot in spots if spot in self._owned)

    def answer_until(self, instant: float) -> None:
        """Answer and announce nothing after that monotonic instant, unless told of a later one.

        So a node that was stopped cannot act on what it believed before, whatever it runs first.
        """
        self._until = instant
        self._announce()

    async def probe(self, spot: Spot, *, nodes: Collection[bytes]) -> Probed:
        """Who has an address that is to be announced for the first time; see `Asker.probe`."""
        return await self._asker.probe(spot, nodes=nodes)

    def counts(self) -> Mapping[tuple[Family, Handled | Dropped], int]:
        """What became of the frames that concerned owned addresses, since the start."""
        overrun: Counter[tuple[Family, Handled | Dropped]] = Counter()
        for place, port in self._ports.items():
            overrun[place.family, Handled.OVERRUN] += port.overrun()
        return self._counts + overrun

    def close(self) -> None:
        """Answer nothing more, and leave all groups."""
        for timer in (self._pump, self._again):
            if timer is not None:
                timer.cancel()
        self._asker.close()
        self._groups.close()
        for place in list(self._ports):
            self._close(place)

    def _start(self, spots: Iterable[Spot]) -> None:
        now = self._clock.monotonic()
        started = sorted(spots, key=_by_number)
        for spot in started:
            self._announcing.start(spot, self._owned[spot], now=now)
        for interface in {spot.interface for spot in started if spot.family is Family.IPV4}:
            with contextlib.suppress(Unusable):
                self._asker.look_for_gateways(interface)
        self._announce()

    def _listen(self) -> None:
        """Have a port for each interface and family with owned addresses, that hears of them; join groups."""
        addresses = {family: frozenset(_of(family, self._owned)) for family in Family}
        stale = {family for family in Family if addresses[family] != self._addresses[family]}
        self._addresses = addresses
        problems: dict[str, str] = {}
        places = set(self._places(problems))
        for place in self._ports.keys() - places:
            self._close(place)
        for place in places:
            if place in self._ports and place.family not in stale:
                continue
            try:
                self._hear(place)
            except Unusable as unusable:
                problems[place.interface] = str(unusable)
        for group, refused in self._groups.keep(self._wanted_groups()).items():
            name = next(name for name, link in self._links.items() if link.index == group.ifindex)
            problems[name] = f"{name} does not join {group.address}: {refused.strerror}"
        self._note(problems)

    def _places(self, problems: dict[str, str]) -> Iterator[Place]:
        for interface, family in sorted({(one.interface, one.family.value) for one in self._owned}):
            link = self._links.get(interface)
            if link is None:
                problems[interface] = f"{interface} does not exist on this node"
            elif interface not in self._macs:
                problems[interface] = f"{interface} is not an Ethernet interface"
            else:
                yield Place(interface, link.index, Family(family))

    def _hear(self, place: Place) -> None:
        port = self._ports.get(place)
        if port is None:
            port = self._ports[place] = Port(place, questions, self._heard)
        try:
            port.hear(self._addresses[place.family])
        except Unusable:
            # Its old filter lets too little through; the next one is made anew.
            self._close(place)
            raise

    def _close(self, place: Place) -> None:
        port = self._ports.pop(place)
        self._counts[place.family, Handled.OVERRUN] += port.overrun()
        port.close()

    def _wanted_groups(self) -> frozenset[Group]:
        return groups_of(
            (self._links[spot.interface].index, spot.address)
            for spot in self._owned
            if isinstance(spot.address, IPv6Address) and spot.interface in self._links
        )

    def _note(self, problems: Mapping[str, str]) -> None:
        if self._again is not None:
            self._again.cancel()
        self._again = asyncio.get_running_loop().call_later(_RETRY, self._retry) if problems else None
        if problems != self.problems:
            self.problems = problems
            self._changed()

    def _retry(self) -> None:
        before = set(self._ports)
        self._listen()
        ready = {place.interface for place in self._ports.keys() - before}
        self._start(spot for spot in self._owned if spot.interface in ready)

    def _announce(self) -> None:
        """Say what is due, and come back when more is."""
        if self._pump is not None:
            self._pump.cancel()
            self._pump = None
        now = self._clock.monotonic()
        if now > self._until:
            return
        for job in self._announcing.take(now):
            self._say(job)
        due = self._announcing.next_at(now)
        if due is not None:
            self._pump = asyncio.get_running_loop().call_later(max(0.0, due - now), self._announce)

    def _say(self, job: Job) -> None:
        port = self._port(job.spot)
        if port is None:
            return
        mac, (address, interface) = self._macs[job.spot.interface], job.spot
        to_gateway = job.form is Form.ARP_TO_GATEWAY
        for gateway in self._asker.gateways(interface) if to_gateway else (None,):
            sent = port.send(build(announcement(address, job.form, mac=mac, gateway=gateway)))
            self.announced[job.form] += sent

    def _port(self, spot: Spot) -> Port | None:
        link = self._links.get(spot.interface)
        return None if link is None else self._ports.get(Place(link.name, link.index, spot.family))

    def _heard(self, place: Place, received: Received) -> None:
        self._counts[place.family, self._handle(place, received)] += 1

    def _handle(self, place: Place, received: Received) -> Handled | Dropped:
        if not -_CLOCK_GRAIN <= self._clock.wall() - received.at <= OLDEST:
            return Handled.TOO_OLD
        if len(received.frame) < received.length:
            return Dropped.TRUNCATED
        mac = self._macs.get(place.interface)
        if received.kind == socket.PACKET_OTHERHOST:
            # The kernel took the tag off, and found no interface for that VLAN.
            ours = received.frame[0] & 1 or received.frame[:6] == mac
            return Dropped.VLAN_TAGGED if ours else Handled.TO_ANOTHER_HOST
        ready = self._ready.get((place, received.frame))
        if ready is not None:
            return self._send(place, ready)
        packet = parse(received.frame)
        if isinstance(packet, Dropped):
            return packet
        if mac is None or any(one in self._ours for one in comes_from(packet)):
            return Handled.FROM_US
        found = self._answer(place, packet, mac)
        if isinstance(found, Handled):
            return found
        if len(self._ready) >= _MOST_READY:
            self._ready.clear()
        self._ready[place, received.frame] = found
        return self._send(place, found)

    def _answer(self, place: Place, packet: Packet, mac: bytes) -> Handled | bytes:
        """The frame that answers, or why there is none."""
        said = claimed(packet)
        if said is not None and (spot := Spot(said[0], place.interface)) in self._owned:
            self._tell(Conflict(spot, said[1]))
            return Handled.CONFLICT
        if not isinstance(packet, Arp | Solicitation) or (target := asked_for(packet)) is None:
            return Handled.NO_QUESTION
        if Spot(target, place.interface) not in self._owned:
            elsewhere = target in self._addresses[place.family]
            return Handled.WRONG_INTERFACE if elsewhere else Handled.NOT_OURS
        if not is_answerable(packet):
            return Handled.BAD_SENDER
        return build(answer(packet, mac=mac))

    def _send(self, place: Place, frame: bytes) -> Handled:
        if self._clock.monotonic() > self._until:
            return Handled.IN_DOUBT
        return Handled.ANSWERED if self._ports[place].send(frame) else Handled.NOT_SENT

    def _tell(self, conflict: Conflict) -> None:
        now = self._clock.monotonic()
        if now - self._told.get(conflict, -math.inf) < _CONFLICT_PAUSE:
            return
        if len(self._told) >= _MOST_TOLD:
            self._told = {one: at for one, at in self._told.items() if now - at < _CONFLICT_PAUSE}
        # Of a flood from forged MACs the first show what goes on.
        if len(self._told) < _MOST_TOLD:
            self._told[conflict] = now
            self._conflict(conflict)


def _of(family: Family, spots: Iterable[Spot]) -> Iterator[Address]:
    return (spot.address for spot in spots if spot.family is family)


def _by_number(spot: Spot) -> tuple[str, int, int]:
    return spot.interface, spot.address.version, int(spot.address)


def _wire(link: Link | None) -> tuple[int, str, bool] | None:
    """What of a link matters here: which one it is, its MAC, and whether it is up."""
    return None if link is None else (link.index, link.mac, link.up)
