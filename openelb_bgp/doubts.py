"""Objects that cannot be used and have no good version from before, and the addresses that hang on them.

Pure, and shared by the announcers whose daemon outlives them. What cannot be read says nothing about what
was announced before this process started; what follows from that is each announcer's matter.
"""

from collections.abc import Collection, Iterator, Mapping

from .model import keys
from .model.addresses import Address
from .model.allocated import allocated
from .model.meta import EMPTY, Kind, ObjectRef
from .model.services import Service
from .model.snapshot import Snapshot


def unusable(snapshot: Snapshot) -> Iterator[ObjectRef]:
    """The objects that cannot be used and have no good version from before either."""
    tables: Mapping[Kind, Mapping[str, object]] = {
        Kind.EIP: snapshot.eips,
        Kind.BGP_CONF: snapshot.bgp_confs,
        Kind.BGP_PEER: snapshot.bgp_peers,
        Kind.NODE: EMPTY,
        Kind.SERVICE: EMPTY,
        Kind.ENDPOINT_SLICE: EMPTY,
    }
    for one in snapshot.invalid:
        table = tables.get(one.kind)
        if table is not None and one.key.name not in table:
            yield one


def doubtful_addresses(snapshot: Snapshot, found: Collection[ObjectRef]) -> frozenset[Address]:
    """The addresses of Services that are among these objects, or whose pool is."""
    pools = {one.key.name for one in found if one.kind is Kind.EIP}
    return frozenset(
        address
        for service in snapshot.services.values()
        for address in service.addresses
        if service.ref in snapshot.invalid or not pools.isdisjoint(_pools_of(service, address))
    )


def _pools_of(service: Service, address: Address) -> tuple[str, str]:
    """The pools that a Service says the address may come from."""
    return allocated(service).get(address, ""), service.meta.labels.get(keys.EIP_LABEL, "")
