"""The snapshot as it reads once everything that was written has come back from the source.

Allocation decides from what Services show: until the source shows a write, an address just given would look
free, and another Service could be given the same.
"""

import msgspec

from openelb_bgp.model.addresses import parse_address
from openelb_bgp.model.meta import patched
from openelb_bgp.model.services import Ingress, Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import ServiceStatus
from openelb_bgp.ports import StatusWrite

from .ledger import Ledger


def foreseen(snapshot: Snapshot, ledger: Ledger) -> Snapshot:
    """The snapshot with the ledger's writes laid over the Services that do not show them yet."""
    shown = {}
    for key, write in ledger.services.flying.items():
        service = snapshot.services.get(key)
        if service is not None and service.meta.resource_version == write.based_on:
            shown[key] = written(service, write)
    if not shown:
        return snapshot
    return msgspec.structs.replace(snapshot, services={**snapshot.services, **shown})


def written(service: Service, write: StatusWrite) -> Service:
    """The Service as it reads once this is written; its resourceVersion stays."""
    status = write.status
    if not isinstance(status, ServiceStatus):
        return service
    meta = msgspec.structs.replace(
        service.meta,
        labels=patched(service.meta.labels, write.labels),
        annotations=patched(service.meta.annotations, write.annotations),
        finalizers=tuple(one for one in service.meta.finalizers if one not in write.remove_finalizers),
    )
    entries = tuple(
        Ingress(parse_address(one.ip) if one.ip else None, one.hostname, one.ip_mode)
        for one in status.load_balancer.ingress
    )
    return msgspec.structs.replace(service, meta=meta, ingress=entries, conditions=status.conditions)
