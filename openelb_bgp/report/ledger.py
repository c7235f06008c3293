"""What has been reported so far: a value that one cycle's report hands to the next.

With it only differences are written, events are told once, and what did not change is not looked at again.
A Ledger counts from the moment that its report was written; if the write failed, go on with the one before.
"""

import operator
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import Key, ObjectRef
from openelb_bgp.model.services import EndpointSlice, Service
from openelb_bgp.model.statuses import ServiceStatus, Status
from openelb_bgp.ports import StatusWrite

from .inputs import Decision
from .reach import Reach

_NONE: Mapping[Any, Any] = MappingProxyType({})


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One Service as it was reported last, and what that was made of.

    `write` is the last write while the source has not answered with a newer version of the Service; None
    when nothing is on its way. `settled` False asks for another look when speakers report.
    """

    service: Service
    decision: Decision | None
    slices: tuple[EndpointSlice, ...] | None
    settled: bool = True
    write: StatusWrite | None = None

    def in_flight(self, service: Service) -> StatusWrite | None:
        """The write that the Service, as it is now, does not show yet."""
        write = self.write
        return write if write is not None and write.based_on == service.meta.resource_version else None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The Service's conditions as written last."""
        written = self.write.status if self.write is not None else None
        return written.conditions if isinstance(written, ServiceStatus) else self.service.conditions


class Scene(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Everything besides itself that a Service's announcement depends on; `parts` are compared."""

    sources: tuple[object, ...] = ()
    reaches: Mapping[str, Reach] = _NONE
    parts: tuple[object, ...] = ()


def same(one: tuple[object, ...], other: tuple[object, ...]) -> bool:
    """Whether both hold the very same objects."""
    return len(one) == len(other) and all(map(operator.is_, one, other))


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """What has been reported. `complaints` are texts told of objects that have no status for them."""

    services: Mapping[Key, Judged] = _NONE
    statuses: Mapping[ObjectRef, Status] = _NONE
    complaints: Mapping[ObjectRef, str] = _NONE
    scene: Scene = Scene()
    pool_sources: tuple[object, ...] = ()
    routing_sources: tuple[object, ...] = ()


def resumed(stored: Iterable[tuple[ObjectRef, Status]]) -> Ledger:
    """The ledger of a controller that starts: the statuses of Eips, BgpConfs and BgpPeers as stored."""
    return Ledger(statuses=dict(stored))
