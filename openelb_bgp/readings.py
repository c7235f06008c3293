"""A Service's addresses, each with the endpoints behind it, and which pool announces it.

Pure, and shared by the announcers. A Reading depends on the Service and its EndpointSlices alone, so it
outlives every change of pools, nodes and peers.
"""

from collections.abc import Mapping

import msgspec

from .eligibility import Backends, backends
from .model import keys
from .model.addresses import Address, Family, Network, network_number
from .model.allocated import allocated, is_announceable, pool_of
from .model.pools import Eip, Protocol
from .model.reasons import Reason, Refused
from .model.services import EndpointSlice, Service


class Reading(msgspec.Struct, frozen=True, gc=False):
    """One address of a Service that may be ours.

    `number` is that of its network `host`; `noted` is the pool that the Service's annotation names.
    """

    address: Address
    family: Family
    host: Network
    number: int
    endpoints: Backends
    noted: str = ""


def read(service: Service, slices: tuple[EndpointSlice, ...]) -> tuple[Reading, ...]:
    """The Service's addresses, in the order of its status; none if they cannot be ours."""
    if not is_announceable(service):
        return ()
    notes = allocated(service)
    endpoints: dict[int, Backends] = {}
    found: list[Reading] = []
    addresses = service.addresses
    for address in addresses if len(addresses) < 2 else dict.fromkeys(addresses):
        family = Family.of(address)
        known = endpoints.get(address.version)
        if known is None:
            known = endpoints[address.version] = backends(slices, family)
        host = family.network(int(address), family.bits)
        found.append(Reading(address, family, host, network_number(host), known, notes.get(address, "")))
    return tuple(found)


def pool_for(
    one: Reading,
    service: Service,
    pools: Mapping[str, Eip],
    *,
    protocol: Protocol,
    of_nodes: frozenset[Address],
) -> Eip | Refused | None:
    """The pool of that protocol which announces the address; a Refused if its pool was deleted.

    None if it is another's: of another protocol, or not ours at all.

    `of_nodes` are the nodes' own addresses: announcing one, as K3s's Klipper writes them into statuses, would
    cut the node off.
    """
    noted = pools.get(one.noted) if one.noted else None
    if noted is None and not one.noted and one.address in of_nodes:
        return None
    pool = noted or pool_of(one.address, service, pools)
    if pool is not None:
        return pool if pool.protocol is protocol else None
    origin = one.noted or service.meta.labels.get(keys.EIP_LABEL, "")
    if not origin or origin in pools:
        return None
    return Refused(
        Reason.POOL_GONE,
        f"Eip {origin}, which {one.address} came from, is gone; create it again, or ask for another address",
    )
