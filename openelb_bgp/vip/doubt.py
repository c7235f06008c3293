"""What a keepalived that was found running goes on serving, though the plan does not hold it.

Pure. An object that could not be read at the start says nothing about what ran before. So what keepalived was
found with stays until the object can be read, and only that: everything else follows the plan. What a plan of
this process has named once is known, and goes when it is no longer wanted.
"""

from collections.abc import Iterable

import msgspec

from openelb_bgp.doubts import doubtful_addresses, unusable
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.snapshot import Snapshot

from .model import Instance


class Doubt(msgspec.Struct, frozen=True, kw_only=True):
    """What may be wanted though the plan does not hold it: anything, all of some pools, single addresses."""

    everything: bool = False
    pools: frozenset[str] = frozenset()
    addresses: frozenset[Address] = frozenset()

    def concerns(self, instance: Instance, address: Address) -> bool:
        """Whether that address of a running instance may be wanted."""
        return self.everything or instance.pool in self.pools or address in self.addresses


NO_DOUBT = Doubt()


def doubt_of(snapshot: Snapshot, *, node: str) -> Doubt:
    """What cannot be known from this snapshot."""
    found = frozenset(unusable(snapshot))
    # Whose addresses such an EndpointSlice concerns, or what such a Service has, nobody can say.
    hidden = any(
        one.kind is Kind.ENDPOINT_SLICE or (one.kind is Kind.SERVICE and one.key not in snapshot.services)
        for one in found
    )
    if snapshot.unseen or hidden or ref(Kind.NODE, node) in found:
        return Doubt(everything=True)
    if not found:
        return NO_DOUBT
    return Doubt(
        pools=frozenset(one.key.name for one in found if one.kind is Kind.EIP),
        addresses=doubtful_addresses(snapshot, found),
    )


def with_doubtful(
    wanted: Iterable[Instance], found: Iterable[Instance], unplaced: frozenset[Address], doubt: Doubt
) -> tuple[Instance, ...]:
    """The wanted instances, and what is in doubt of those that were found.

    `unplaced` are their addresses that no plan of this process has named.
    """
    made = {one.name: one for one in wanted}
    for one in found:
        kept = tuple(each for each in one.addresses if each in unplaced and doubt.concerns(one, each))
        if kept:
            host = made.get(one.name) or msgspec.structs.replace(one, addresses=())
            addresses = tuple(sorted({*host.addresses, *kept}))
            made[one.name] = msgspec.structs.replace(host, addresses=addresses)
    return tuple(sorted(made.values()))
