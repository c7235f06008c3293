"""Where the responder listens: a port for each interface and family with owned addresses, whose filter knows
them, and the solicited-node groups. What is heard is handled elsewhere.

What the kernel refuses is tried again now and then; what a link lacks, when links have changed.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from ipaddress import IPv6Address

from openelb_bgp.host.packets import parse_mac
from openelb_bgp.host.wire import Place
from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.facts import Link

from .filters import questions
from .groups import Group, Groups, groups_of
from .owned import Spot
from .sockets import Heard, Port, Unusable

_RETRY = 5.0
"""Seconds until what the kernel refused is tried again."""


class Listening:
    """The ports and groups for owned addresses. Used on one event loop.

    `changed` is called when `problems` are others than before, `opened` with the interfaces on which an
    attempt that had failed has succeeded.
    """

    def __init__(
        self, heard: Heard, *, changed: Callable[[], None], opened: Callable[[Collection[str]], None]
    ) -> None:
        self._heard = heard
        self._changed = changed
        self._opened = opened
        self._groups = Groups()
        self._ports: dict[Place, Port] = {}
        self._spots: Collection[Spot] = ()
        self._links: Mapping[str, Link] = {}
        self._addresses: Mapping[Family, frozenset[Address]] = {family: frozenset() for family in Family}
        self._lost: Counter[Family] = Counter()
        self._again: asyncio.TimerHandle | None = None
        self.problems: Mapping[str, str] = {}
        """What keeps this node from announcing on an interface, by its name: a sentence each."""

    def listen(self, spots: Collection[Spot], links: Mapping[str, Link]) -> None:
        """Listen for these and no others, on the links as they are now."""
        self._spots, self._links = spots, links
        addresses = {family: frozenset(_of(family, spots)) for family in Family}
        stale = {family for family in Family if addresses[family] != self._addresses[family]}
        self._addresses = addresses
        places, lacking = self._places()
        for place in self._ports.keys() - places:
            self._close(place)
        refused = {
            **self._hear({place for place in places if place not in self._ports or place.family in stale}),
            **self._join(),
        }
        self._try_again(bool(refused))
        problems = {**lacking, **refused}
        if problems != self.problems:
            self.problems = problems
            self._changed()

    def hears_of(self, address: Address) -> bool:
        """Whether it is owned on any interface."""
        return address in self._addresses[Family.of(address)]

    def port(self, spot: Spot) -> Port | None:
        """Where to speak for an address, None while there is nothing."""
        link = self._links.get(spot.interface)
        return None if link is None else self._ports.get(Place(link.name, link.index, spot.family))

    def send(self, place: Place, frame: bytes) -> bool:
        """Whether the kernel took it."""
        port = self._ports.get(place)
        return port is not None and port.send(frame)

    def overrun(self) -> Mapping[Family, int]:
        """How many frames were lost because nobody read them in time."""
        found = Counter(self._lost)
        for place, port in self._ports.items():
            found[place.family] += port.overrun()
        return found

    def close(self) -> None:
        """Hear nothing more, and leave all groups."""
        self._try_again(False)
        self._groups.close()
        for place in list(self._ports):
            self._close(place)

    def _places(self) -> tuple[set[Place], dict[str, str]]:
        """Where there should be a port, and what some interfaces lack to have one."""
        places: set[Place] = set()
        lacking: dict[str, str] = {}
        for interface, family in {(spot.interface, spot.family) for spot in self._spots}:
            link = self._links.get(interface)
            if link is None:
                lacking[interface] = f"{interface} does not exist on this node"
            elif parse_mac(link.mac) is None:
                lacking[interface] = f"{interface} is not an Ethernet interface"
            else:
                places.add(Place(interface, link.index, family))
        return places, lacking

    def _hear(self, places: Iterable[Place]) -> dict[str, str]:
        """Aim the ports there, which are made where they are missing. Returns what was refused."""
        refused: dict[str, str] = {}
        for place in places:
            try:
                port = self._ports.get(place)
                if port is None:
                    port = self._ports[place] = Port(place, questions, self._heard)
                port.hear(self._addresses[place.family])
            except Unusable as unusable:
                refused[place.interface] = str(unusable)
                if place in self._ports:
                    # Its old filter knows other addresses; the next one is made anew.
                    self._close(place)
        return refused

    def _join(self) -> dict[str, str]:
        names = {link.index: link.name for link in self._links.values()}
        return {
            names[group.ifindex]: f"{names[group.ifindex]} does not join {group.address}: {refused.strerror}"
            for group, refused in self._groups.keep(self._wanted_groups()).items()
        }

    def _wanted_groups(self) -> frozenset[Group]:
        return groups_of(
            (self._links[spot.interface].index, spot.address)
            for spot in self._spots
            if isinstance(spot.address, IPv6Address) and spot.interface in self._links
        )

    def _close(self, place: Place) -> None:
        port = self._ports.pop(place)
        self._lost[place.family] += port.overrun()
        port.close()

    def _try_again(self, wanted: bool) -> None:
        if self._again is not None:
            self._again.cancel()
        self._again = asyncio.get_running_loop().call_later(_RETRY, self._retry) if wanted else None

    def _retry(self) -> None:
        before = set(self._ports)
        self.listen(self._spots, self._links)
        self._opened({place.interface for place in self._ports.keys() - before})


def _of(family: Family, spots: Iterable[Spot]) -> Iterator[Address]:
    return (spot.address for spot in spots if spot.family is family)
