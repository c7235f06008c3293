"""A node's interfaces on which heartbeats run, and who else is on the LAN of each. Pure.

Two interfaces are on one LAN if they have a subnet in common; those that have no other addresses than
link-local ones, if they also have the same name.
"""

from collections.abc import Iterable, Iterator

import msgspec

from openelb_bgp.model.addresses import Address, Interface

from .messages import OwnInterface, Record, subject_id
from .timing import Timing
from .watch import Place, Watch


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

    `ready` once a whole round has been heard there. `pinged_at` is when somebody last asked us. `alive` is
    whether we count there for the others as far as we know, `stable_since` as in `MemberInterface`.
    """

    def __init__(self, node: str, local: LocalInterface, timing: Timing, now: float) -> None:
        self.local = local
        self.subject = subject_id(node, local.name)
        self.watch = Watch(node, timing)
        self.ready = False
        self.pinged_at: float | None = None
        self.alive = False
        self.since = now
        self.stable_since: float | None = None
        self.members: frozenset[int] = frozenset()

    def is_doubted(self) -> bool:
        """Whether most of those who answer hold us for dead."""
        doubters = self.watch.doubters
        return 2 * sum(doubters) > len(doubters)

    def unheard_until(self, now: float) -> float | None:
        """Until when it is we who are not heard, if nobody asks again: others ask us, but none answers us."""
        if self.pinged_at is None or not self.watch.targets or any(self.watch.opinions.values()):
            return None
        until = self.pinged_at + self.watch.timing.bound
        return until if until > now else None

    def stands(self, *, alive: bool, now: float) -> bool:
        """We count there from now on, or no longer; says whether that is new."""
        if self.alive == alive:
            return False
        self.alive, self.since = alive, now
        self.stable_since = now if alive else None
        return True


def places_on(local: LocalInterface, records: Iterable[Record]) -> Iterator[Place]:
    """Where the others' interfaces on the LAN of ours can be asked."""
    for record in records:
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
