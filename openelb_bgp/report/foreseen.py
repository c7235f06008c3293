"""The snapshot as it reads once everything that was written has come back from the source.

Allocation decides from what Services show: until the source shows a write, an address just given would look
free, and another Service could be given the same.
"""

import msgspec

from openelb_bgp.lib.tables import Table
from openelb_bgp.model.addresses import parse_address
from openelb_bgp.model.meta import Key, patched
from openelb_bgp.model.services import Ingress, Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import ServiceStatus
from openelb_bgp.ports import StatusWrite

from .ledger import Ledger


def foreseen(snapshot: Snapshot, ledger: Ledger) -> Snapshot:
    """The snapshot with the ledger's writes laid over the Services that do not show them yet."""
    return Foresight().of(snapshot, ledger)


def answered(ledger: Ledger, snapshot: Snapshot) -> Ledger:
    """The ledger without the writes that say what the source shows: no newer version comes of them."""
    shown = [
        key
        for key, write in ledger.services.flying.items()
        if (service := snapshot.services.get(key)) is not None and _is_shown(write, service)
    ]
    if not shown:
        return ledger
    flying = ledger.services.flying.without(shown)
    return msgspec.structs.replace(ledger, services=msgspec.structs.replace(ledger.services, flying=flying))


def _is_shown(write: StatusWrite, service: Service) -> bool:
    # The conditions first: of most of what is on its way they tell at once, and cheaply.
    says = write.status.conditions if isinstance(write.status, ServiceStatus) else ()
    return says == service.conditions and written(service, write) == service


class Foresight:
    """`foreseen` from one cycle to the next: what is on its way for long is the same object each time.

    Else whoever compares by identity would look at a thousand Services in flight anew in each cycle.
    """

    def __init__(self) -> None:
        self._made: dict[Key, tuple[Service, StatusWrite, Service]] = {}

    def of(self, snapshot: Snapshot, ledger: Ledger) -> Snapshot:
        """See `foreseen`."""
        made: dict[Key, tuple[Service, StatusWrite, Service]] = {}
        for key, write in ledger.services.flying.items():
            service = snapshot.services.get(key)
            if service is not None and service.meta.resource_version == write.based_on:
                known = self._made.get(key)
                if known is None or known[0] is not service or known[1] is not write:
                    known = (service, write, _on_its_way(service, write))
                made[key] = known
        self._made = made
        if not made:
            return snapshot
        shown = {key: one[2] for key, one in made.items()}
        return msgspec.structs.replace(snapshot, services=Table.of(snapshot.services).with_all(shown))


def _on_its_way(service: Service, write: StatusWrite) -> Service:
    """With everything that it may hold: a new address is taken from now on, an old one until it is seen gone.

    The write may be late or refused, and what it takes away would then be another's too.
    """
    made = written(service, write)
    leaving = tuple(one for one in service.ingress if one.ip is not None and one.ip not in made.addresses)
    return msgspec.structs.replace(made, ingress=(*made.ingress, *leaving)) if leaving else made


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
        Ingress(parse_address(one.ip) if one.ip else None, one.hostname, one.ip_mode, one.ports)
        for one in status.load_balancer.ingress
    )
    return msgspec.structs.replace(service, meta=meta, ingress=entries, conditions=status.conditions)
