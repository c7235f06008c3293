"""Asking on the wire who has an address, before it is announced for the first time, and for the MACs of
default gateways.

Answers come to sockets of their own, whose filter knows the addresses that are being asked for. What follows
from an answer is decided elsewhere.
"""

import contextlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Address, ip_address

from openelb_bgp.host.arp import Arp, Operation
from openelb_bgp.host.ndp import Advertisement
from openelb_bgp.host.packets import Packet, build, parse, parse_mac, who_has
from openelb_bgp.host.probe import source_for
from openelb_bgp.host.wire import Place
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.facts import Gateway, Link
from openelb_bgp.ports import Clock

from .filters import answers
from .owned import Holder, Probed, Spot
from .packets import claimed, probe
from .ring import Received
from .sockets import Port, Unusable

_PROBES, _PAUSE = 2, 0.1
"""How often an address is probed, and for how many seconds answers are waited for each time."""
_TOGETHER = 0.01
_GATEWAY_PAUSE = 1.0
"""Seconds between two questions for one gateway's MAC."""


class Asker:
    """Asks on this node's interfaces. Used on one event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._links: Mapping[str, Link] = {}
        self._ours: frozenset[bytes] = frozenset()
        self._gateways: Mapping[str, tuple[Spot, ...]] = {}
        self._gateway_macs: dict[Spot, bytes] = {}
        self._asked_at: dict[Spot, float] = {}
        self._expected: Counter[Spot] = Counter()
        self._found: dict[Spot, list[bytes]] = {}
        self._stale: set[tuple[str, Family]] = set()
        self._ports: dict[Place, Port] = {}

    def see(self, links: Collection[Link], gateways: Iterable[Gateway]) -> None:
        """The node's links and the gateways of its default routes are these now."""
        self._links = {link.name: link for link in links}
        self._ours = own_macs(links)
        self._gateways = _spots_by_interface(gateways)
        known = {spot for spots in self._gateways.values() for spot in spots}
        for spot in self._asked_at.keys() - known:
            self._forget_gateway(spot)
        places = {Place(link.name, link.index, family) for link in links for family in Family}
        for place in self._ports.keys() - places:
            self._ports.pop(place).close()

    def gateways(self, interface: str) -> tuple[tuple[IPv4Address, bytes], ...]:
        """The IPv4 default gateways there whose MAC is known."""
        known = (spot for spot in self._gateways.get(interface, ()) if spot in self._gateway_macs)
        return tuple((IPv4Address(spot.address), self._gateway_macs[spot]) for spot in known)

    def look_for_gateways(self, interface: str) -> None:
        """Learn the MACs of the IPv4 default gateways there, at most once in a second.

        Raises Unusable where it cannot be asked.
        """
        now = self._clock.monotonic()
        for spot in self._gateways.get(interface, ()):
            if spot not in self._asked_at:
                self._expect(spot)
            elif now - self._asked_at[spot] < _GATEWAY_PAUSE:
                continue
            self._asked_at[spot] = now
            self._send(spot, self._question(spot))

    async def probe(self, spot: Spot, *, nodes: Collection[bytes]) -> Probed:
        """Who has the address, asked so that nobody's cache changes; takes 200 ms (RFC 5227, 2.1.1).

        `nodes` are the MACs of all nodes' interfaces. Raises Unusable where it cannot be asked.
        """
        with self._expecting(spot) as found:
            # What is asked for together comes into the filter together: making one takes 0.5 ms.
            await self._clock.sleep(_TOGETHER)
            self.look_for_gateways(spot.interface)
            for _ in range(_PROBES):
                self._send(spot, probe(spot.address, mac=self._mac(spot)))
                await self._clock.sleep(_PAUSE)
            gateways = {mac for _, mac in self.gateways(spot.interface)}
            return judge(found, nodes=nodes, gateways=gateways)

    def close(self) -> None:
        """Ask for nothing more."""
        while self._ports:
            self._ports.popitem()[1].close()

    @contextlib.contextmanager
    def _expecting(self, spot: Spot) -> Iterator[list[bytes]]:
        self._expect(spot)
        try:
            yield self._found[spot]
        finally:
            self._expect_less(spot)

    def _expect(self, spot: Spot) -> None:
        """Hear answers for it from now on."""
        self._expected[spot] += 1
        if self._expected[spot] == 1:
            self._found[spot] = []
            self._stale.add((spot.interface, spot.family))

    def _expect_less(self, spot: Spot) -> None:
        self._expected[spot] -= 1
        if not self._expected[spot]:
            # The filter goes on letting it through until the next address is asked for.
            del self._expected[spot], self._found[spot]

    def _forget_gateway(self, spot: Spot) -> None:
        del self._asked_at[spot]
        self._gateway_macs.pop(spot, None)
        self._expect_less(spot)

    def _aim(self, place: Place) -> None:
        port = self._ports.get(place)
        if port is None:
            port = self._ports[place] = Port(place, answers, self._heard)
        port.hear(
            spot.address
            for spot in self._expected
            if spot.interface == place.interface and spot.family is place.family
        )
        self._stale.discard((place.interface, place.family))

    def _send(self, spot: Spot, question: Packet) -> None:
        place = self._place(spot)
        if place not in self._ports or (spot.interface, spot.family) in self._stale:
            self._aim(place)
        self._ports[place].send(build(question))

    def _question(self, spot: Spot) -> Packet:
        mac, source = self._mac(spot), source_for(spot.address, self._links[spot.interface])
        # A node without an address there can still ask as nobody, and is answered all the same.
        return (
            probe(spot.address, mac=mac) if source is None else who_has(spot.address, mac=mac, source=source)
        )

    def _mac(self, spot: Spot) -> bytes:
        link = self._links.get(spot.interface)
        mac = None if link is None else parse_mac(link.mac)
        if mac is None:
            raise Unusable(f"{spot.interface} is not an Ethernet interface of this node")
        return mac

    def _place(self, spot: Spot) -> Place:
        self._mac(spot)
        return Place(spot.interface, self._links[spot.interface].index, spot.family)

    def _heard(self, place: Place, received: Received) -> None:
        match parse(received.frame):
            case Arp(operation=Operation.REPLY) | Advertisement() as packet:
                said = claimed(packet)
            case _:
                return
        if said is None or said[1] in self._ours or packet.source in self._ours:
            return
        spot = Spot(said[0], place.interface)
        if spot in self._expected and said[1] not in self._found[spot]:
            self._found[spot].append(said[1])
        if spot in self._asked_at:
            self._gateway_macs[spot] = said[1]


def own_macs(links: Iterable[Link]) -> frozenset[bytes]:
    """The MACs of this node's interfaces."""
    return frozenset(mac for link in links if (mac := parse_mac(link.mac)))


def judge(macs: Iterable[bytes], *, nodes: Collection[bytes], gateways: Collection[bytes]) -> Probed:
    """Who holds an address for which these MACs answer; a foreign host first, if there is one among them."""

    def holder(mac: bytes) -> Holder:
        # A gateway that answers is a proxy, a node that does has the address on kube-ipvs0: no host has it.
        return Holder.NODE if mac in nodes else Holder.GATEWAY if mac in gateways else Holder.FOREIGN

    found = [Probed(holder(mac), mac) for mac in macs]
    foreign = [one for one in found if one.holder is Holder.FOREIGN]
    return next(iter((*foreign, *found)), Probed(Holder.NOBODY))


def _spots_by_interface(gateways: Iterable[Gateway]) -> dict[str, tuple[Spot, ...]]:
    found: dict[str, tuple[Spot, ...]] = {}
    for gateway in gateways:
        if gateway.family is Family.IPV4:
            spot = Spot(ip_address(gateway.address), gateway.interface)
            found[gateway.interface] = tuple(dict.fromkeys((*found.get(gateway.interface, ()), spot)))
    return found
