"""A small cluster for the controller's report, whose writes come back as from a source."""

from collections.abc import Mapping
from typing import Any

import msgspec

from openelb_bgp.decode.pool_text import ranges as parse_ranges
from openelb_bgp.eligibility import Candidates, Eligibility, eligible_nodes
from openelb_bgp.ipam import Allocation, Rules, allocate
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import Key, Kind, Meta, ObjectRef, ref
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.routing import BgpConf, BgpPeer
from openelb_bgp.model.services import Endpoint, EndpointSlice, Service, ServicePort
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import (
    EipStatus,
    GobgpStatus,
    PeerState,
    PoolStatus,
    ServiceStatus,
    SessionStatus,
    SpeakerStatus,
)
from openelb_bgp.ports import StatusWrite
from openelb_bgp.report.foreseen import written
from openelb_bgp.report.leader import Report, report
from openelb_bgp.report.ledger import Ledger

NOW = "2026-01-01T00:00:00Z"
WEB = Key("shop", "web")
ALL = frozenset(Kind)
OURS = {keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE, keys.EIP_ANNOTATION: "west"}


class Cluster:
    """A snapshot that takes our writes back as a source would, one revision each."""

    def __init__(self, **tables: Mapping[Any, Any]) -> None:
        self.snapshot = msgspec.structs.replace(
            Snapshot(
                listed=ALL,
                eips={"west": Eip(meta=Meta(name="west"), ranges=parse_ranges("192.0.2.0/29"))},
                bgp_confs={"default": BgpConf(meta=Meta(name="default"), asn=50000)},
                bgp_peers={"leaf1": BgpPeer(meta=Meta(name="leaf1"), peer_asn=50001)},
                nodes={name: Node(meta=Meta(name=name)) for name in ("n1", "n2")},
                speakers={name: speaker(name) for name in ("n1", "n2")},
                services={WEB: service()},
                slices={WEB: slices("n1", "n2")},
            ),
            **tables,
        )
        self.ledger = Ledger()
        self.allocation: Allocation | None = None
        self.eligibility: Eligibility | None = None
        self.revision = 10
        self.events: list[tuple[str, str]] = []
        self.asked: list[Key] = []
        self.defects: dict[ObjectRef, tuple[Defect, ...]] = {}

    def set(self, table: str, key: Any, value: Any) -> None:
        """Put an object in, or with None take it out."""
        entries = {name: one for name, one in getattr(self.snapshot, table).items() if name != key}
        if value is not None:
            entries[key] = value
        self.snapshot = msgspec.structs.replace(self.snapshot, **{table: entries})

    def decide(self, now: str = NOW) -> tuple[StatusWrite, ...]:
        """One cycle; its writes are not delivered."""
        return self.make(now).writes

    def make(self, now: str = NOW) -> Report:
        """One cycle, and all that it says; nothing is delivered."""
        snapshot = self.snapshot
        eligibility = Eligibility.of(snapshot)

        def may_announce(one: Service, address: Address, pool: Eip) -> Candidates:
            self.asked.append(one.key)
            return eligible_nodes(
                snapshot, one, address, selector=pool.node_selector, eligibility=eligibility
            )

        self.allocation = allocate(snapshot, rules=Rules(), previous=self.allocation)
        made = report(
            snapshot,
            self.allocation,
            may_announce=may_announce,
            nodes=eligibility.nodes,
            defects=dict(self.defects),
            ledger=self.ledger,
            now=now,
        )
        self.ledger = made.ledger
        self.events += [(event.reason, event.message) for event in made.events]
        return made

    def deliver(self, writes: tuple[StatusWrite, ...]) -> None:
        """The source shows what was written."""
        for write in writes:
            if isinstance(write.status, ServiceStatus):
                self.revision += 1
                self.set("services", write.ref.key, self._shown(write))

    def _shown(self, write: StatusWrite) -> Service:
        one = written(self.snapshot.services[write.ref.key], write)
        meta = msgspec.structs.replace(one.meta, resource_version=str(self.revision))
        return msgspec.structs.replace(one, meta=meta)

    def applied(self, *names: str) -> None:
        """These speakers report that everything up to now is applied."""
        for name in names:
            self.report(name, applied_revision=self.revision)

    def report(self, name: str, **changes: Any) -> None:
        """A speaker reports something new."""
        old = self.snapshot.speakers[name]
        status = msgspec.structs.replace(old.status, **changes)
        self.set("speakers", name, Speaker(old.meta, status, old.ready))

    def settle(self, now: str = NOW) -> None:
        """Cycles and deliveries, speakers following, until nothing is left to write."""
        for _ in range(6):
            writes = self.decide(now)
            self.deliver(writes)
            self.applied(*self.snapshot.speakers)
            if not writes:
                return
        raise AssertionError("the report does not come to rest")

    @property
    def web(self) -> Service:
        return self.snapshot.services[WEB]

    def pool_ready(self) -> tuple[str, str, str]:
        """The condition Ready of the pool west, as it was reported last."""
        status = self.ledger.statuses[ref(Kind.EIP, "west")]
        assert isinstance(status, EipStatus)
        one = next(found for found in status.conditions if found.type == "Ready")
        return one.status, one.reason, one.message

    def announced(self, key: Key = WEB) -> tuple[str, str, str]:
        one = condition(self.snapshot.services[key], keys.ANNOUNCED_CONDITION)
        return one.status, one.reason, one.message


def condition(one: Service, type_: str) -> Condition:
    return next(found for found in one.conditions if found.type == type_)


def service(name: str = "web", **more: Any) -> Service:
    meta = Meta(name=name, namespace="shop", annotations=OURS, resource_version="5")
    return msgspec.structs.replace(
        Service(meta=meta, type="LoadBalancer", ports=(ServicePort("TCP", 80),)), **more
    )


def slices(*nodes: str, name: str = "web") -> tuple[EndpointSlice, ...]:
    meta = Meta(name=f"{name}-1", namespace="shop")
    endpoints = tuple(Endpoint(node) for node in nodes)
    return (EndpointSlice(meta=meta, service=name, family=None, endpoints=endpoints),)


def sessions(state: str, error: str = "") -> tuple[SessionStatus, ...]:
    return (SessionStatus(peer="leaf1", peer_state=PeerState(session_state=state), last_error=error),)


def speaker(name: str) -> Speaker:
    status = SpeakerStatus(
        gobgp=GobgpStatus(version="4.8.0", asn=50000),
        sessions=sessions("ESTABLISHED"),
        pools=(PoolStatus(name="west", ready=True),),
    )
    return Speaker(Meta(name=name), status)
