"""A node's interfaces on which heartbeats run, and who else is on the LAN of each. Pure.

Two interfaces are on one LAN if they have a subnet in common; those that have no other addresses than
link-local ones, if they also have the same name.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

import msgspec

from openelb_bgp.model.addresses import Address, Interface

from .messages import OwnInterface, Record, subject_id
from .timing import Timing
from .watch import Place, Watch

NODE_LANE = ""
"""Of the node itself: it reaches others by the addresses that their Nodes have."""


class Route(NamedTuple):
    """By which of our interfaces and addresses something goes to an address, or has come from there."""

    lane: str
    address: Address
    source: Address | None = None


class LocalInterface(msgspec.Struct, frozen=True, kw_only=True):
    """An interface of this node. `up` as in `model.facts.Link`."""

    name: str
    mac: str = ""
    addresses: tuple[Interface, ...] = ()
    up: bool = True

    def reaches(self, address: Address) -> bool:
        """Whether the address is in one of its subnets."""
        return any(one.version == address.version and address in one.network for one in self.addresses)


class Lane:
    """One interface of ours: whom we watch there, and how we stand there ourselves.

    `ready` once a whole round has been heard there. `alive` is whether we count there for the others, as far
    as we know; `stable_since` as in `MemberInterface`.
    """

    def __init__(self, node: str, local: LocalInterface, timing: Timing, now: float) -> None:
        self.local = local
        self.subject = subject_id(node, local.name)
        self.watch = Watch(node, timing)
        self.ready = False
        # When others were last heard asking us, and from when on they have done so without a pause.
        self._asked_since = self._asked_at = now
        self.alive = False
        self.since = now
        self.stable_since: float | None = None
        self.members: frozenset[int] = frozenset()
        self._places: dict[str, tuple[Place, ...]] = {}

    def becomes(self, local: LocalInterface, now: float) -> None:
        """The interface is like this now. Where it comes up, nobody has been heard there yet."""
        if local.up and not self.local.up:
            self.ready = False
            self.start_anew(now)
        self.local = local

    @property
    def places(self) -> Iterator[Place]:
        """Where the others can be asked on this LAN."""
        return chain.from_iterable(self._places.values())

    def find(self, records: Iterable[Record], *, anew: bool) -> None:
        """Those nodes are where their records say now; `anew`: they are all that there are."""
        if anew:
            self._places.clear()
        for record in records:
            self._places[record.node] = tuple(places_on(self.local, record))

    def is_doubted(self) -> bool:
        """Whether most of those who answer hold us for dead."""
        doubters = self.watch.doubters
        return 2 * sum(doubters) > len(doubters)

    def is_mute(self, now: float) -> bool:
        """Whether it is we who are not heard: others go on asking us, though nobody answers us."""
        return self.mute_until(now) is not None

    def mute_until(self, now: float) -> float | None:
        """Until when at least, if nobody asks again; None where we are not."""
        is_unanswered = bool(self.watch.targets) and not any(self.watch.opinions.values())
        until = self._asked_at + self._lull
        return until if is_unanswered and self._asks_go_on and until > now else None

    def was_asked(self, now: float) -> None:
        """Somebody who knows our process asked us."""
        suspicion = self.watch.timing.suspicion
        is_answered = any(one.answers and one.silence(now) < suspicion for one in self.watch.targets.values())
        # One who has died and started anew asks us before we have asked it again: that is a new beginning.
        longest = self._lull if self._asks_go_on else suspicion
        if is_answered or now - self._asked_at > longest:
            self._asked_since = now
        self._asked_at = now

    def was_answered(self, now: float) -> None:
        """Somebody has answered us, so whatever was asked before says nothing."""
        self._asked_since = self._asked_at = now

    @property
    def _asks_go_on(self) -> bool:
        return self._asked_at - self._asked_since >= self.watch.timing.suspicion

    @property
    def _lull(self) -> float:
        """The longest time between two questions, when we are asked as one that is long dead."""
        return self.watch.timing.slow + self.watch.timing.bound

    def start_anew(self, now: float) -> None:
        """We did not listen: nothing that was heard counts until a whole round has been."""
        self.watch.start_anew(now)
        self._asked_since = self._asked_at = now

    def stands(self, *, alive: bool, now: float) -> bool:
        """We count there from now on, or no longer; says whether that is new."""
        if self.alive == alive:
            return False
        self.alive, self.since = alive, now
        self.stable_since = now if alive else None
        return True


def ways_to(node: str, lanes: Mapping[str, Lane]) -> list[Route]:
    """How to reach a node by the LANs that we have in common with it."""
    return [
        Route(name, place.address, place.source)
        for name, lane in lanes.items()
        for place in lane.watch.places_of(node)
    ]


def by_addresses(addresses: Iterable[Address]) -> list[Route]:
    """How to reach a node by its Node's addresses."""
    return [Route(NODE_LANE, address) for address in addresses]


def places_on(local: LocalInterface, record: Record) -> Iterator[Place]:
    """Where a node's interfaces on the LAN of ours can be asked."""
    for other in record.interfaces:
        pair = _pair(local, other)
        if pair is not None:
            ours, its = pair
            yield Place(record.node, other.name, its.ip, ours.ip)


def _pair(local: LocalInterface, other: OwnInterface) -> tuple[Interface, Interface] | None:
    """The first two addresses of a common subnet, IPv4 before IPv6."""
    shared = [
        (ours, its)
        for ours in local.addresses
        for its in other.addresses
        if ours.network == its.network and ours.ip != its.ip
    ]
    routed = [pair for pair in shared if not pair[0].ip.is_link_local]
    if routed:
        return min(routed, key=lambda pair: pair[0].version)
    only_link_local = all(one.ip.is_link_local for one in (*local.addresses, *other.addresses))
    return shared[0] if shared and only_link_local and local.name == other.name else None
