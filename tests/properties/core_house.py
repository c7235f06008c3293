"""The pure core as the daemons run it, in virtual time and without I/O.

Documents go through decode, files and the store; a controller allocates and reports, and its writes become
rows that the source shows; each of three speakers plans and brings a modelled gobgpd to its plan. Routers
are a table of what they negotiate. What is drawn, and what must hold, is not here.
"""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ipaddress import ip_interface
from typing import Any

import msgspec

from openelb_bgp import admission
from openelb_bgp.bgp.diff import Changes, Configuration, SessionEffect, apply, diff, needs_restart
from openelb_bgp.bgp.gobgp.canonical import canonical
from openelb_bgp.bgp.model import PathKey
from openelb_bgp.bgp.plan import BgpPlan, plan
from openelb_bgp.eligibility import Candidates, Eligibility, eligible_nodes
from openelb_bgp.files.database import encode
from openelb_bgp.files.documents import Document
from openelb_bgp.files.manifests import Manifests, content
from openelb_bgp.files.objects import Objects
from openelb_bgp.files.rows import Row
from openelb_bgp.ipam import Allocation, Rules, allocate
from openelb_bgp.membership.observed import observe_speakers
from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.facts import Facts, Link, SessionFact, SpeakerFact
from openelb_bgp.model.meta import Kind, ObjectRef, ref
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.services import Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import (
    BgpConfStatus,
    BgpPeerStatus,
    EipStatus,
    GobgpStatus,
    PeerState,
    RouteCounts,
    SessionStatus,
    SpeakerStatus,
    Status,
)
from openelb_bgp.objections import Objections
from openelb_bgp.ports import Announcement, Changed, Delivery, Gone, Listed, Spoilt, StatusWrite, Unseen
from openelb_bgp.report.foreseen import answered, foreseen
from openelb_bgp.report.leader import report
from openelb_bgp.report.ledger import resumed
from openelb_bgp.report.speaker import speaker_status
from openelb_bgp.report.times import rfc3339
from openelb_bgp.runtime.store import Store, ref_of

NODES = {"a": 1, "b": 2, "c": 3}
"""The nodes that run a speaker, and the last octet of their addresses."""
ROUTERS: Mapping[str, frozenset[Family]] = {
    "10.0.0.254": frozenset(Family),
    "10.0.0.253": frozenset(),
    "fd00::fe": frozenset({Family.IPV6}),
}
"""Every router that answers, and the families in which it takes several paths a prefix."""
BURIAL = 60.0
"""Seconds after which the Speaker of a speaker that is gone is deleted."""
HORIZON = 200.0
"""Seconds after which time alone changes nothing any more."""
_NAMESPACE = "openelb-system"
_STATUSES: Mapping[Kind, Any] = {
    Kind.EIP: EipStatus,
    Kind.BGP_CONF: BgpConfStatus,
    Kind.BGP_PEER: BgpPeerStatus,
}

Json = dict[str, Any]


class Controller:
    """The leading controller: allocation, report, and what it remembers."""

    def __init__(self, stored: Iterable[tuple[ObjectRef, Status]] = ()) -> None:
        self._allocation: Allocation | None = None
        self._ledger = resumed(stored)
        self._objections = Objections(_NAMESPACE)
        self.look_again: float | None = None

    def sees(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with its own writes that have not come back."""
        self._ledger = answered(self._ledger, snapshot)
        return foreseen(snapshot, self._ledger)

    def step(self, snapshot: Snapshot, now: float, *, full: bool = False) -> tuple[StatusWrite, ...]:
        """One cycle; returns the writes that became durable: all, or none on a full disk."""
        snapshot = self.sees(snapshot)
        defects, self.look_again = self._objections.of(snapshot, now=now)
        eligibility = Eligibility.of(snapshot)

        def may_announce(service: Service, address: Address, pool: Eip) -> Candidates:
            return eligible_nodes(
                snapshot, service, address, selector=pool.node_selector, eligibility=eligibility
            )

        allocation = allocate(
            snapshot,
            rules=Rules(),
            blocked_pools=admission.blocked_pools(snapshot),
            previous=self._allocation,
        )
        made = report(
            snapshot,
            allocation,
            may_announce=may_announce,
            nodes=eligibility.nodes,
            defects=defects,
            ledger=self._ledger,
            now=rfc3339(now),
        )
        if full and made.writes:
            return ()
        self._allocation, self._ledger = allocation, made.ledger
        return made.writes


class Speaker:
    """One node's speaker and the gobgpd beside it."""

    def __init__(self, node: str, *, now: float, gobgpd: Configuration | None = None) -> None:
        self.node = node
        self.plan: BgpPlan | None = None
        self.gobgpd = gobgpd or Configuration()
        self.status: SpeakerStatus | None = None
        self._started = now
        self._adopted = frozenset(
            (str(key.prefix), str(attrs.next_hop)) for key, attrs in self.gobgpd.paths.items()
        )
        self._sessions: dict[str, SessionFact] = {}
        self._observed: Mapping[str, SpeakerFact] = {}
        self._see_sessions(now)

    def restarted(self, now: float) -> "Speaker":
        """The next process on this node, which finds the same gobgpd."""
        return Speaker(self.node, now=now, gobgpd=self.gobgpd)

    def step(self, snapshot: Snapshot, now: float, *, answering: frozenset[Address]) -> Changes:
        """One cycle: plan, bring gobgpd to it, report. Returns what it changed in gobgpd."""
        self._see_sessions(now)
        facts = self._facts(snapshot, now, answering)
        self.plan = plan(snapshot, facts, previous=self.plan)
        changes = Changes()
        if self.plan.complete:
            desired = self._desired(self.plan)
            changes = diff(desired, self.gobgpd)
            self._lose_sessions(changes, everything=needs_restart(desired, self.gobgpd), now=now)
            self.gobgpd = apply(changes, self.gobgpd)
            assert self.gobgpd == desired
        self.status = self._report(self.plan, facts, revision=snapshot.revision)
        return changes

    def offers(self) -> Iterator[tuple[PathKey, str, tuple[object, ...]]]:
        """What goes to whom: per path and router that answers, the next hop and what is said of it."""
        book = self.plan.memory.book if self.plan is not None and self.plan.memory is not None else None
        for key, attrs in self.gobgpd.paths.items():
            entry = book.entry(key) if book is not None else None
            assert entry is not None
            for neighbour, seen in entry.variant.seen:
                if self._sessions[neighbour].established:
                    hop = seen.next_hop or attrs.next_hop or self.node
                    said = msgspec.structs.replace(seen, next_hop=None)
                    yield key, neighbour, (hop, said, attrs.link_bandwidth)

    def _desired(self, wanted: BgpPlan) -> Configuration:
        if wanted.global_conf is None:
            return Configuration(global_conf=self.gobgpd.global_conf, routing=self.gobgpd.routing)
        return Configuration(
            global_conf=wanted.global_conf,
            routing=canonical(wanted.routing),
            peers=wanted.peers,
            paths=wanted.paths,
        )

    def _facts(self, snapshot: Snapshot, now: float, answering: frozenset[Address]) -> Facts:
        self._observed = observe_speakers(snapshot, own=self.node, before=self._observed, now=now)
        number = NODES[self.node]
        here = tuple(map(ip_interface, (f"10.0.0.{number}/24", f"fd00::{number}/64")))
        return Facts(
            node=self.node,
            now=now,
            links=(Link(name="eth0", index=2, up=True, addresses=here),),
            sessions=dict(self._sessions),
            speakers=self._observed,
            answering=answering,
            adopted=self._adopted,
            gobgp_version=(4, 8),
            first_seen=self._started,
        )

    def _see_sessions(self, now: float) -> None:
        """A session comes up, seen by the next cycle, wherever a router answers."""
        seen = {}
        for address, peer in self.gobgpd.peers.items():
            before = self._sessions.get(address)
            up = address in ROUTERS and not peer.admin_down
            families = frozenset(one.family for one in peer.afi_safis if one.enabled)
            seen[address] = SessionFact(
                peer=peer.name,
                established=up,
                since=before.since if before is not None and before.established else now,
                negotiated=families if up else frozenset(),
                add_path=families & ROUTERS.get(address, frozenset()) if up else frozenset(),
            )
        self._sessions = seen

    def _lose_sessions(self, changes: Changes, *, everything: bool, now: float) -> None:
        gone = {edit.new.neighbor_address for edit in changes.peers_edited if edit.effect is _RESET}
        for address, session in self._sessions.items():
            if everything or address in gone:
                self._sessions[address] = msgspec.structs.replace(session, established=False, lost_at=now)

    def _report(self, made: BgpPlan, facts: Facts, *, revision: int) -> SpeakerStatus:
        conf = self.gobgpd.global_conf
        announcement = Announcement(
            protocol=Protocol.BGP,
            revision=revision,
            settled=made.complete,
            status=SpeakerStatus(
                gobgp=GobgpStatus()
                if conf is None
                else GobgpStatus(version="4.8.0", asn=conf.asn, router_id=conf.router_id),
                sessions=tuple(map(_session, facts.sessions, facts.sessions.values())),
                pools=made.pools,
                routes=RouteCounts(desired=len(made.paths), announced=len(self.gobgpd.paths)),
                standing_in_for=made.standing_in_for,
                draining=made.draining,
                problems=made.problems,
            ),
            left_out=made.left_out,
            wake_at=made.deadline,
        )
        return speaker_status(
            announcements=(announcement,),
            facts=facts,
            started_at="2026-01-01T00:00:00Z",
            draining=made.draining,
            previous=self.status,
        )


_RESET = SessionEffect.RESET


def _session(address: str, fact: SessionFact) -> SessionStatus:
    state = "ESTABLISHED" if fact.established else "IDLE"
    return SessionStatus(peer=fact.peer, peer_state=PeerState(session_state=state, neighbor_address=address))


class House:
    """A folder, a state, a controller and three speakers. `order` None keeps the order of input."""

    def __init__(
        self,
        files: Mapping[str, Json],
        *,
        rows: Iterable[Row] = (),
        stopped: Iterable[str] = (),
        silent: Iterable[str] = (),
        now: float = 1000.0,
        order: random.Random | None = None,
    ) -> None:
        """`files` are documents by file name, `stopped` nodes without a speaker, `silent` dead ones."""
        self.now = now
        self.files: dict[str, Json] = {}
        self.rows = {row.ref: row for row in rows}
        self.stopped = dict.fromkeys(stopped, now)
        self.silent = set(silent)
        self.controller = Controller()
        self.speakers = {node: Speaker(node, now=now) for node in NODES if node not in self.stopped}
        self.store = Store()
        self._order = order
        self._revision = max((row.revision for row in self.rows.values()), default=0)
        self._late: list[Row] = []
        self._manifests = Manifests()
        self._objects = Objects(self._manifests)
        for name, document in files.items():
            self._write(name, document)
        self._objects.take_all_rows(self.rows.values())
        self.store.apply(self._mixed(self._objects.list_all()))

    # Edits.

    def edit(self, batch: Mapping[str, Json | None]) -> None:
        """Write files, or with None delete them, and deliver what that means as one batch."""
        touched: set[ObjectRef] = set()
        for name, document in batch.items():
            touched |= self._write(name, document)
        self._deliver(touched)
        self._forget()

    def stop(self, node: str) -> None:
        """The speaker of a node dies, and its gobgpd with it."""
        if self.speakers.pop(node, None) is not None:
            self.stopped[node] = self.now
            self._deliver(self._objects.set_silent(self.stopped))

    def start(self, node: str) -> None:
        """The speaker of a node starts anew; one that runs is replaced and adopts its gobgpd."""
        running = self.speakers.get(node)
        self.speakers[node] = Speaker(node, now=self.now) if running is None else running.restarted(self.now)
        self.stopped.pop(node, None)
        self._deliver(self._objects.set_silent(self.stopped))

    def restart_controller(self) -> None:
        """Another controller begins, with what is stored."""
        self.deliver_late()
        self.controller = Controller((one, self._status(one)) for one in self.rows if one.kind in _STATUSES)

    # Time passes.

    def cycle(self, *, late: bool = False, full: bool = False) -> bool:
        """The controller, then every speaker, each once; whether anything changed.

        With `late` the source goes on not showing what the controller has written; `full` is the disk, and
        the controller writes nothing.
        """
        writes = self.controller.step(self.store.snapshot, self.now, full=full)
        self._late += self._commit(writes)
        if not late:
            self.deliver_late()
        acted = [self._step(speaker) for _, speaker in sorted(self.speakers.items())]
        reports = [
            StatusWrite(ref=ref(Kind.SPEAKER, node), status=speaker.status)
            for node, speaker in sorted(self.speakers.items())
        ]
        dead = [node for node, since in self.stopped.items() if self.now - since >= BURIAL]
        reports += [StatusWrite(ref=ref(Kind.SPEAKER, node), status=None) for node in dead]
        told = self._commit(reports)
        self._take(told)
        return bool(writes or told or any(acted))

    def settle(self, *, within: float = HORIZON) -> None:
        """Let everything come to rest, and the time pass in which time alone changes something."""
        end = self.now + within
        while True:
            for _ in range(12):
                if not self.cycle():
                    break
            else:
                raise AssertionError("it does not come to rest")
            if self.now >= end:
                return
            waits = [one.plan.deadline for one in self.speakers.values() if one.plan is not None]
            waits += [self.controller.look_again, *(since + BURIAL for since in self.stopped.values())]
            # A deadline that has passed would be asked for without end: time always goes on.
            self.now = min((at for at in waits if at is not None and at > self.now), default=end)
            self.now = min(self.now, end)

    def deliver_late(self) -> None:
        """The source shows what was written."""
        late, self._late = self._late, []
        self._take(late)

    @property
    def seen(self) -> Snapshot:
        """Everything as the controller knows it, its own writes included."""
        return self.controller.sees(self.store.snapshot)

    @property
    def idles(self) -> bool:
        """Without a BgpConf nothing is announced, and a gobgpd that ran before keeps its global part."""
        return self.store.snapshot.bgp_conf is None

    def _step(self, speaker: Speaker) -> bool:
        alive = [node for node in self.store.snapshot.nodes.values() if node.name not in self.silent]
        answering = frozenset(address for node in alive for address in node.addresses)
        return bool(speaker.step(self.store.snapshot, self.now, answering=answering))

    def _write(self, name: str, document: Json | None) -> set[ObjectRef]:
        if document is None:
            self.files.pop(name, None)
            return self._manifests.drop(name)
        self.files[name] = document
        return self._manifests.put(name, content(name, [Document(document, 1)]))

    def _commit(self, writes: Sequence[StatusWrite]) -> list[Row]:
        """What the state does with writes (`files.database`), in memory."""
        changed = []
        for write in writes:
            before = self.rows.get(write.ref)
            row = _row(write, before, self._revision + 1)
            if row is None:
                if before is not None:
                    del self.rows[write.ref]
                    changed.append(Row(write.ref, None, {}, {}, (), self._revision + 1))
            elif before is None or msgspec.structs.replace(before, revision=row.revision) != row:
                self.rows[write.ref] = row
                changed.append(row)
        self._revision += bool(changed)
        return changed

    def _take(self, rows: Iterable[Row]) -> None:
        self._deliver(self._objects.take_rows(rows))

    def _forget(self) -> None:
        """Of deleted objects nothing is kept."""
        self._take(self._commit([StatusWrite(ref=one, status=None) for one in self._objects.unmentioned]))

    def _status(self, of: ObjectRef) -> Status:
        found: Status = msgspec.json.decode(self.rows[of].status or b"{}", type=_STATUSES[of.kind])
        return found

    def _deliver(self, touched: set[ObjectRef]) -> None:
        self.store.apply(self._mixed(self._objects.deliver(sorted(touched))))

    def _mixed(self, batch: Iterable[Delivery]) -> list[Delivery]:
        """A batch in another order; what concerns one object stays in its own order."""
        by_subject: dict[object, list[Delivery]] = {}
        for one in batch:
            by_subject.setdefault(_subject(one), []).append(self._mixed_list(one))
        groups = list(by_subject.values())
        if self._order is not None:
            self._order.shuffle(groups)
        return [one for group in groups for one in group]

    def _mixed_list(self, one: Delivery) -> Delivery:
        if self._order is None or not isinstance(one, Listed):
            return one
        resources = self._order.sample(one.resources, len(one.resources))
        return msgspec.structs.replace(one, resources=tuple(resources))


def _subject(delivery: Delivery) -> object:
    match delivery:
        case Changed(resource):
            return ref_of(resource)
        case Spoilt(invalid):
            return invalid.ref
        case Gone(gone):
            return gone
        case Unseen():
            return Unseen
        case Listed(kind):
            return kind


def _row(write: StatusWrite, before: Row | None, revision: int) -> Row | None:
    if write.status is None:
        return None
    return Row(
        write.ref,
        encode(write.status),
        {**(before.labels if before else {}), **write.labels},
        {**(before.annotations if before else {}), **write.annotations},
        tuple(sorted({*(before.finalizers if before else ()), *write.remove_finalizers})),
        revision,
    )
