"""Which of a pool's advertisements are for a Service at a node, and which prefixes they make of an address.

Pure questions about values, asked by whoever announces and by whoever reports. What neighbours see of an
advertisement is the announcer's matter.
"""

from collections.abc import Mapping, Sequence

from .addresses import Address, Family, Network
from .pools import PLAIN_ADVERTISEMENT, Advertisement, Eip
from .reasons import Reason, Refused
from .services import Service


def advertisements(pool: Eip) -> Sequence[Advertisement]:
    """The pool's advertisements; one plain one where none is written."""
    return pool.advertisements or (PLAIN_ADVERTISEMENT,)


def is_for_service(one: Advertisement, service: Service) -> bool:
    """Whether the advertisement's serviceSelector chooses the Service."""
    return one.service_selector is None or one.service_selector.matches(service.meta.labels)


def is_for_node(one: Advertisement, labels: Mapping[str, str]) -> bool:
    """Whether the advertisement's nodeSelector chooses a node with these labels as next hop."""
    return one.node_selector is None or one.node_selector.matches(labels)


def prefix_of(address: Address, length: int) -> Network:
    """The prefix of that length that holds the address."""
    return Family.of(address).network(int(address), length)


def lies_inside(prefix: Network, pool: Eip) -> bool:
    """Whether every address of the prefix is one of the pool's, be it of several ranges of it."""
    first, last = int(prefix.network_address), int(prefix.broadcast_address)
    for one in sorted(pool.ranges):
        if one.version == prefix.version and one.first <= first <= one.last:
            if one.last >= last:
                return True
            first = one.last + 1
    return False


def carries(one: Advertisement, address: Address, pool: Eip, *, local: bool) -> bool:
    """Whether the advertisement by itself brings traffic for the address.

    An aggregate must lie wholly inside the pool, and is none for a Local Service: traffic to the aggregate
    alone would be spread over nodes without an endpoint.
    """
    family = Family.of(address)
    length = one.length(family)
    return length >= family.bits or (not local and lies_inside(prefix_of(address, length), pool))


def outside(pool: Eip, prefix: Network) -> Refused:
    """Why an aggregate is left out."""
    return Refused(
        Reason.AGGREGATE_OUTSIDE_POOL,
        f"the aggregate {prefix} does not lie wholly inside Eip {pool.name} and is left out; choose a longer "
        "aggregationLength, or widen the pool",
    )
