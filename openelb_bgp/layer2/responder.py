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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from typing import NamedTuple

from openelb_bgp.host.arp import Arp
from openelb_bgp.host.ndp import Solicitation
from openelb_bgp.host.packets import Dropped, Packet, build, parse, parse_mac
from openelb_bgp.host.wire import Place
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.facts import Gateway, Link
from openelb_bgp.ports import Clock

from .announcing import Announcing, Job
from .asking import Asker, own_macs
from .listening import Listening
from .owned import Conflict, Handled, Ownership, Probed, Spot
from .packets import (
    Form,
    announcement,
    answer,
    asked_for,
    claimed,
    comes_from,
    is_answerable,
    probe,
    reminder,
)
from .ring import Received
from .sockets import Port, Unusable

OLDEST = 0.2
"""Seconds that a question may have waited. What piled up while the process was stopped is not answered."""
_CLOCK_GRAIN = 0.001
_CONFLICT_PAUSE, _MOST_TOLD = 1.0, 1000
"""For how many seconds the same is not told again, and of how many conflicts at most in that time."""
_MOST_READY = 4096
"""Answers that are kept ready: one megabyte."""


class _Wire(NamedTuple):
    """What of a link matters here: which one it is, its MAC, and whether it is up."""

    ifindex: int
    mac: str
    up: bool


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
        self._asker = Asker(clock)
        self._listening = Listening(self._heard, changed=changed, opened=self._restart)
        self._announcing = Announcing(random.random)
        self._owned: Mapping[Spot, Ownership] = {}
        self._announced: Set[Spot] = frozenset()
        self._seen: tuple[Collection[Link], Collection[Gateway]] = (), ()
        self._links: Mapping[str, Link] = {}
        self._wires: Mapping[str, _Wire] = {}
        self._macs: Mapping[str, bytes] = {}
        self._ours: frozenset[bytes] = frozenset()
        self._ready: dict[tuple[Place, bytes], bytes] = {}
        self._counts: Counter[tuple[Family, Handled | Dropped]] = Counter()
        self._told: dict[Conflict, float] = {}
        self._until = math.inf
        self._pump: asyncio.TimerHandle | None = None
        self.announced: Counter[Form] = Counter()
        """Announcements sent without having been asked."""

    @property
    def problems(self) -> Mapping[str, str]:
        """What keeps this node from announcing on an interface, by its name: a sentence each."""
        return self._listening.problems

    def own(self, owned: Mapping[Spot, Ownership], *, leaving: Collection[Spot] = ()) -> None:
        """Own these and no others; the caller does not change the mapping afterwards.

        What is lost is not answered for, nor announced, from now on; those of `leaving` are answered for
        only. What is new is announced in a burst.
        """
        before, announced = self._announced, owned.keys() - leaving
        if owned == self._owned and announced == before:
            return
        self._owned, self._announced = owned, announced
        self._ready.clear()
        for spot in before - announced:
            self._announcing.stop(spot)
        for spot in announced & before:
            self._announcing.change(spot, owned[spot])
        self._wires = self._wires_in_use()
        self._listening.listen(owned.keys(), self._links)
        self._start(announced - before)

    def see(self, links: Collection[Link], gateways: Collection[Gateway]) -> None:
        """The node's links and the gateways of its default routes are these now.

        A link that has come up, or has another MAC, has everything announced anew.
        """
        if (links, gateways) == self._seen:
            return
        self._seen = links, gateways
        self._links = {link.name: link for link in links}
        self._macs = {link.name: mac for link in links if (mac := parse_mac(link.mac))}
        self._ours = own_macs(links)
        self._ready.clear()
        self._asker.see(links, gateways)
        before, self._wires = self._wires, self._wires_in_use()
        if self._wires != before:
            self._listening.listen(self._owned.keys(), self._links)
        self._restart({name for name, wire in self._wires.items() if wire.up and wire != before.get(name)})

    def announce(self, spots: Iterable[Spot]) -> None:
        """Announce those of them that are owned in a burst: somebody else has said that he has them."""
        self._start(spot for spot in spots if spot in self._announced)

    def ask(self, spots: Iterable[Spot]) -> None:
        """Ask who else has these of what is owned, as nobody: each who answers is a conflict."""
        for spot, port, mac in self._speaking_for(spots):
            port.send(build(probe(spot.address, mac=mac)))

    def remind(self, spot: Spot, to: str) -> None:
        """Tell the host with that MAC, and nobody else, that this node answers for an address too."""
        theirs = parse_mac(to)
        for _, port, mac in self._speaking_for([spot]):
            if theirs is not None:
                port.send(build(reminder(spot.address, mac=mac, to=theirs)))

    def _speaking_for(self, spots: Iterable[Spot]) -> Iterator[tuple[Spot, Port, bytes]]:
        """Those of them that are owned, and from where and which MAC."""
        if self._clock.monotonic() > self._until:
            return
        for spot in spots:
            port = self._listening.port(spot) if spot in self._owned else None
            if port is not None:
                yield spot, port, self._macs[spot.interface]

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
        for family, lost in self._listening.overrun().items():
            overrun[family, Handled.OVERRUN] = lost
        return self._counts + overrun

    def close(self) -> None:
        """Answer nothing more, and leave all groups."""
        if self._pump is not None:
            self._pump.cancel()
        self._asker.close()
        self._listening.close()

    def _wires_in_use(self) -> dict[str, _Wire]:
        names = {spot.interface for spot in self._owned} & self._links.keys()
        return {name: _Wire(link.index, link.mac, link.up) for name in names if (link := self._links[name])}

    def _restart(self, interfaces: Collection[str]) -> None:
        self._start(spot for spot in self._announced if spot.interface in interfaces)

    def _start(self, spots: Iterable[Spot]) -> None:
        now = self._clock.monotonic()
        started = sorted(spots, key=_by_number)
        for spot in started:
            self._announcing.start(spot, self._owned[spot], now=now)
        for interface in {spot.interface for spot in started if spot.family is Family.IPV4}:
            with contextlib.suppress(Unusable):
                self._asker.look_for_gateways(interface)
        self._announce()

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
        port = self._listening.port(job.spot)
        if port is None:
            return
        mac, (address, interface) = self._macs[job.spot.interface], job.spot
        to_gateway = job.form is Form.ARP_TO_GATEWAY
        for gateway in self._asker.gateways(interface) if to_gateway else (None,):
            sent = port.send(build(announcement(address, job.form, mac=mac, gateway=gateway)))
            self.announced[job.form] += sent

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
            gateways = {mac for _, mac in self._asker.gateways(place.interface)}
            self._tell(Conflict(spot, said[1], said[1] in gateways))
            return Handled.CONFLICT
        if not isinstance(packet, Arp | Solicitation) or (target := asked_for(packet)) is None:
            return Handled.NO_QUESTION
        if Spot(target, place.interface) not in self._owned:
            return Handled.WRONG_INTERFACE if self._listening.hears_of(target) else Handled.NOT_OURS
        if not is_answerable(packet):
            return Handled.BAD_SENDER
        return build(answer(packet, mac=mac))

    def _send(self, place: Place, frame: bytes) -> Handled:
        if self._clock.monotonic() > self._until:
            return Handled.IN_DOUBT
        return Handled.ANSWERED if self._listening.send(place, frame) else Handled.NOT_SENT

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


def _by_number(spot: Spot) -> tuple[str, int, int]:
    return spot.interface, spot.address.version, int(spot.address)
