"""The pure part at rest: Services that come one by one where thousands are, as both daemons work it out.

The same at a tenth of them: what one change costs must not depend on how many Services there are.
"""

import gc
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from bench.results import Measure
from bench.rows import planning
from openelb_bgp import admission
from openelb_bgp.bgp.diff import diff
from openelb_bgp.bgp.plan import BgpPlan, plan
from openelb_bgp.eligibility import Candidates, Eligibility, eligible_nodes
from openelb_bgp.forwarding import ServiceChecks, service_checks
from openelb_bgp.ipam import Allocation, Rules, allocate
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import Kind, Meta
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.services import Service
from openelb_bgp.model.snapshot import Resource
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import GobgpStatus, PeerState, PoolStatus, SessionStatus, SpeakerStatus
from openelb_bgp.ports import Changed, Listed
from openelb_bgp.report.foreseen import Foresight, written
from openelb_bgp.report.leader import report
from openelb_bgp.report.ledger import resumed
from openelb_bgp.runtime.store import Store

_MANY = 10_000
_CHANGES = 1000
_NOW = "2026-01-01T00:00:00Z"
_STATUS = SpeakerStatus(
    gobgp=GobgpStatus(version="4.8.0", asn=65000),
    sessions=(SessionStatus(peer="leaf", peer_state=PeerState(session_state="ESTABLISHED")),),
    pools=(PoolStatus(name="pool", ready=True),),
    applied_revision=10**9,
)
_Result = TypeVar("_Result")


def one_by_one() -> Sequence[Measure]:
    """Processor time for each of 1,000 Services that come, get an address, and are announced."""
    few, many = _House(_MANY // 10), _House(_MANY)
    for number in range(_CHANGES):
        # In turns: what else runs slows both down.
        few.welcome(number)
        many.welcome(number)
    return [
        Measure(
            what=f"{name}, a Service more at {_MANY:,}, beside at {_MANY // 10:,}",
            value=1000 * many.seconds[name] / _CHANGES,
            beside=1000 * few.seconds[name] / _CHANGES,
            unit="ms",
        )
        for name in many.seconds
    ]


class _House:
    """A store with many Services, the controller's cycle and the speaker's, which count their own time."""

    def __init__(self, number: int) -> None:
        self.seconds = {"controller": 0.0, "speaker": 0.0}
        self._number, self._revision = number, 0
        self._store, self._foresight = Store(), Foresight()
        self._allocation: Allocation | None = None
        self._ledger = resumed(())
        self._plan: BgpPlan | None = None
        self._checks = ServiceChecks()
        base = planning.cluster()
        default = Meta(name="pool", annotations={keys.DEFAULT_EIP_ANNOTATION: "true"})
        pool = msgspec.structs.replace(base.eips["pool"], meta=default)
        self._store.apply([Listed(kind, ()) for kind in Kind])
        speakers = [Speaker(Meta(name=name), _STATUS) for name in base.nodes]
        services = [self._service(index) for index in range(number)]
        objects: list[Resource] = [pool, *base.bgp_confs.values(), *base.bgp_peers.values()]
        objects += [*base.nodes.values(), *speakers, *services, *map(planning.slice_of, services)]
        self._store.apply([Changed(one) for one in objects])
        for _ in range(3):
            self._decide()
            self._show()
        self._announce()
        gc.collect()

    def welcome(self, index: int) -> None:
        """One Service more, until it is announced and all is said."""
        service = self._service(self._number + index)
        self._store.apply([Changed(service), Changed(planning.slice_of(service))])
        for _ in range(2):
            self._timed("controller", self._decide)
            self._show()
            self._timed("speaker", self._announce)

    def _service(self, index: int) -> Service:
        meta = Meta(
            name=f"shop-{index:05}",
            namespace="shop",
            annotations={keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE},
            resource_version=self._next_revision(),
        )
        return Service(meta=meta, type="LoadBalancer")

    def _next_revision(self) -> str:
        self._revision += 1
        return str(self._revision)

    def _timed(self, name: str, work: Callable[[], _Result]) -> _Result:
        start = time.thread_time()
        result = work()
        self.seconds[name] += time.thread_time() - start
        return result

    def _decide(self) -> None:
        snapshot = self._foresight.of(self._store.snapshot, self._ledger)
        self._allocation = allocate(
            snapshot,
            rules=Rules(),
            blocked_pools=admission.blocked_pools(snapshot),
            previous=self._allocation,
        )
        eligibility = Eligibility.of(snapshot)

        def may_announce(service: Service, address: Address, pool: Eip) -> Candidates:
            return eligible_nodes(
                snapshot, service, address, selector=pool.node_selector, eligibility=eligibility
            )

        self._ledger = report(
            snapshot,
            self._allocation,
            may_announce=may_announce,
            nodes=eligibility.nodes,
            ledger=self._ledger,
            now=_NOW,
        ).ledger

    def _show(self) -> None:
        """The source shows what was written."""
        shown = []
        for key, write in self._ledger.services.flying.items():
            service = written(self._store.snapshot.services[key], write)
            meta = msgspec.structs.replace(service.meta, resource_version=self._next_revision())
            shown.append(Changed(msgspec.structs.replace(service, meta=meta)))
        self._store.apply(shown)

    def _announce(self) -> None:
        snapshot = self._store.snapshot
        self._checks = service_checks(snapshot, node=planning.FACTS.node, before=self._checks)
        made = plan(snapshot, planning.FACTS, previous=self._plan)
        if self._plan is not None:
            diff(planning.configuration(made), planning.configuration(self._plan), touched=made.changed)
        self._plan = made
