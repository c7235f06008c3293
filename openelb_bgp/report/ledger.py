"""What has been reported so far: a value that one cycle's report hands to the next.

With it only differences are written, events are told once, and what did not change is not looked at again.
A Ledger counts from the moment that its report was written; if the write failed, go on with the one before.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from openelb_bgp.lib.tables import Table
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import EMPTY, Key, ObjectRef
from openelb_bgp.model.services import EndpointSlice, Service
from openelb_bgp.model.statuses import Status
from openelb_bgp.ports import StatusWrite

from .inputs import Decision
from .patience import Patience
from .reach import Reach


class ServiceBook(msgspec.Struct, frozen=True, kw_only=True):
    """All Services as reported last, and the mappings that this was made of.

    `flying` holds the writes that the source has not answered with a newer version of the Service. `waiting`
    holds the revision that a speaker must reach before a Service can be announced; `revisions` are those
    that the speakers had reached.
    """

    flying: Table[Key, StatusWrite] = Table()
    waiting: Table[Key, int] = Table()
    services: Mapping[Key, Service] = EMPTY
    decisions: Mapping[Key, Decision] = EMPTY
    slices: Mapping[Key, tuple[EndpointSlice, ...]] = EMPTY
    revisions: Mapping[str, int] = EMPTY


class Scene(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Everything besides itself that a Service's announcement depends on; `parts` are compared."""

    sources: tuple[object, ...] = ()
    reaches: Mapping[str, Reach] = EMPTY
    parts: tuple[object, ...] = ()


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """What has been reported. `complaints` are texts told of objects that have no status for them."""

    services: ServiceBook = ServiceBook()
    statuses: Mapping[ObjectRef, Status] = EMPTY
    complaints: Mapping[ObjectRef, str] = EMPTY
    complaint_sources: tuple[object, ...] = ()
    defects: Mapping[ObjectRef, Sequence[Defect]] = EMPTY
    scene: Scene = Scene()
    patience: Patience = Patience()
    pool_sources: tuple[object, ...] = ()
    routing_sources: tuple[object, ...] = ()


def resumed(stored: Iterable[tuple[ObjectRef, Status]]) -> Ledger:
    """The ledger of a controller that starts: the statuses of Eips, BgpConfs and BgpPeers as stored."""
    return Ledger(statuses=dict(stored))
