"""What this node's keepalived shall run: from a snapshot and the node's facts to a VipPlan.

Pure. Which addresses there are is read in `claims`, what serves each of them is decided in `buckets`, the
same on every node; here is a node's own part: on which NIC, with which priority, and why not.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from openelb_bgp.eligibility import Eligibility, NodeState
from openelb_bgp.interfaces import Choice, choose
from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.facts import Facts, Link
from openelb_bgp.model.meta import EMPTY, Kind, ObjectRef, ref
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import PoolStatus, Problem

from .buckets import BucketPlan, plan_buckets
from .claims import Claim, Reader
from .model import PREEMPT_SECONDS, UNPROVEN, Bucket, Instance
from .vrids import carrier

_NEEDED = (Kind.EIP, Kind.SERVICE, Kind.ENDPOINT_SLICE, Kind.NODE, Kind.BGP_CONF)


class VipPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What one node shall run.

    `complete` False: not everything has been listed, or cannot be known yet, and nothing is changed.
    `services` are those of each address; `left_out` says why this node does not serve one, `deadline` when
    time alone changes the plan.
    """

    node: str
    complete: bool = False
    instances: tuple[Instance, ...] = ()
    buckets: BucketPlan = BucketPlan()
    services: Mapping[Address, tuple[ObjectRef, ...]] = EMPTY
    pools: tuple[PoolStatus, ...] = ()
    left_out: Mapping[ObjectRef, Refused] = EMPTY
    problems: tuple[Problem, ...] = ()
    deadline: float | None = None
    draining: bool = False


class _Place(NamedTuple):
    """Where an instance is: a NIC, and our address there."""

    link: Link
    source: str


def plan(snapshot: Snapshot, facts: Facts, reader: Reader, *, ignore_exclude_label: bool = False) -> VipPlan:
    """The node's part. `reader` is kept from one plan to the next."""
    missing = [kind for kind in _NEEDED if not snapshot.has_listed(kind)]
    if missing:
        return _waiting(facts, missing)
    eligibility = Eligibility.of(snapshot, ignore_exclude_label=ignore_exclude_label)
    return _Planner(snapshot, facts, eligibility, plan_buckets(snapshot, eligibility, reader)).make()


def _waiting(facts: Facts, missing: Iterable[Kind]) -> VipPlan:
    why = f"not listed yet: {', '.join(missing)}; keepalived goes on as it is until then"
    note = Problem.of(ref(Kind.NODE, facts.node), Reason.WAITING_FOR_SYNC, why)
    return VipPlan(node=facts.node, problems=(note,))


class _Planner:
    """One plan in the making."""

    def __init__(
        self, snapshot: Snapshot, facts: Facts, eligibility: Eligibility, buckets: BucketPlan
    ) -> None:
        self._snapshot, self._facts, self._buckets = snapshot, facts, buckets
        self._states = eligibility.nodes
        self._pools = {
            name: pool for name, pool in sorted(snapshot.eips.items()) if pool.protocol is Protocol.VIP
        }
        self._choices = {name: choose(pool, facts, snapshot) for name, pool in self._pools.items()}
        self._left_out: dict[ObjectRef, Refused] = {}
        self._addresses = Counter(of for claim in buckets.claims.values() for of in claim.services)

    def make(self) -> VipPlan:
        """The plan."""
        me = self._states.get(self._facts.node)
        for address, refused in self._buckets.refused.items():
            self._leave_out(self._buckets.claims[address], refused)
        instances = [one for bucket in self._buckets.buckets for one in self._instances(bucket)]
        return VipPlan(
            node=self._facts.node,
            complete=self._facts.forwarding.known and not any(map(_is_looked_for, self._choices.values())),
            instances=tuple(sorted(instances)),
            buckets=self._buckets,
            services={address: claim.services for address, claim in self._buckets.claims.items()},
            pools=tuple(self._pool_status(pool, me) for pool in self._pools.values()),
            left_out=self._left_out,
            problems=tuple(self._problems()),
            deadline=self._facts.forwarding.deadline,
            draining=me is not None and me.draining,
        )

    def _instances(self, bucket: Bucket) -> Iterator[Instance]:
        """This node's part in a bucket: one instance on each NIC that has addresses of it."""
        pool, claims = self._pools[bucket.pool], self._buckets.claims
        priority = bucket.priority(self._facts.node)
        refused = self._facts.forwarding.refused or (None if priority else self._no_member(bucket))
        if refused is not None:
            for address in bucket.addresses:
                self._leave_out(claims[address], refused)
            return
        places: dict[_Place, list[Address]] = {}
        for address in bucket.addresses:
            place = self._place(self._choices[pool.name], address)
            if isinstance(place, Refused):
                self._leave_out(claims[address], place)
            else:
                places.setdefault(place, []).append(address)
        for place, addresses in places.items():
            peers = self._peers(pool, bucket)
            if isinstance(peers, Refused):
                for address in addresses:
                    self._leave_out(claims[address], peers)
                continue
            yield Instance(
                interface=place.link.name,
                version=bucket.version,
                vrid=bucket.vrid,
                pool=pool.name,
                priority=min(priority, self._trusted(bucket)),
                advert_ms=max(10, pool.vip.advert_interval_ms // 10 * 10),
                source=place.source,
                carrier=carrier(pool, vrid=bucket.vrid, version=bucket.version),
                addresses=tuple(addresses),
                peers=peers,
                # Who takes over from a node that leaves does not wait: that one is still answering.
                preempt_seconds=0 if bucket.last_resort else PREEMPT_SECONDS,
            )

    def _trusted(self, bucket: Bucket) -> int:
        """The highest priority that what has been seen forwarding allows."""
        held = self._facts.forwarding.services
        keys = {of.key for address in bucket.addresses for of in self._buckets.claims[address].services}
        return UNPROVEN if not keys.isdisjoint(held) else 255

    def _no_member(self, bucket: Bucket) -> Refused:
        claim = self._buckets.claims[bucket.addresses[0]]
        refused = claim.candidates.refusal(self._facts.node)
        return refused or Refused(
            Reason.NOT_NEEDED,
            f"{len(bucket.nodes)} nodes serve it, which are enough; node {self._facts.node} is none of them",
        )

    def _place(self, choice: Choice, address: Address) -> _Place | Refused:
        links = choice.of(address)
        if isinstance(links, Refused):
            return links
        link = links[0]
        own = (one.ip for one in link.addresses if one.version == address.version)
        if address.version == 6:
            # Advertisements come from the link-local address (RFC 9568, 5.1.2.1). While it is tentative it
            # is not listed: an instance that starts then becomes master without being able to say so.
            found = next((ip for ip in own if ip.is_link_local and not _is_host(link, ip)), None)
        else:
            found = next((ip for ip in own if not ip.is_link_local and not _is_host(link, ip)), None)
        if found is not None:
            return _Place(link, str(found))
        what = "usable link-local address" if address.version == 6 else "IPv4 address"
        return Refused(
            Reason.NO_SUBNET,
            f"{link.name} of node {self._facts.node} has no {what} to advertise {address} from; give it one",
        )

    def _peers(self, pool: Eip, bucket: Bucket) -> tuple[str, ...] | Refused:
        """Whom to send to where the LAN carries no multicast; () for the group."""
        if not pool.vip.unicast:
            return ()
        family = Family(bucket.version)
        found = []
        for node in (*bucket.nodes, *bucket.last_resort):
            if node == self._facts.node:
                continue
            address = self._states[node].address(family)
            if address is None:
                return Refused(
                    Reason.NO_NODE_ADDRESS,
                    f"node {node} has no {family} InternalIP to send unicast advertisements to; give it one, "
                    f"or take spec.vip.unicast off Eip {pool.name}",
                )
            found.append(str(address))
        return tuple(sorted(found))

    def _leave_out(self, claim: Claim, refused: Refused) -> None:
        for service in claim.services:
            told = refused
            if self._addresses[service] > 1:
                # Of a Service with several addresses the one that is meant.
                told = Refused(refused.reason, f"{claim.address}: {refused.message}")
            self._left_out.setdefault(service, told)

    def _pool_status(self, pool: Eip, me: NodeState | None) -> PoolStatus:
        refused = self._facts.forwarding.refused or self._buckets.allotments[pool.name].refused
        reason = None if refused is None else refused.reason
        if reason is None and me is not None and me.refused is not None:
            reason = me.refused.reason
        selector = pool.node_selector
        if reason is None and me is not None and selector is not None and not selector.matches(me.labels):
            reason = Reason.NODE_NOT_SELECTED
        choice = self._choices[pool.name]
        if reason is None and choice.refused is not None:
            reason = choice.refused.reason
        return PoolStatus(name=pool.name, ready=reason is None, reason=reason or "")

    def _problems(self) -> Iterator[Problem]:
        for name, pool in self._pools.items():
            allotment = self._buckets.allotments[name]
            for found in (allotment.lost or allotment.refused, self._choices[name].refused):
                if found is not None:
                    yield Problem.of(pool.ref, found.reason, found.message)
        if self._snapshot.unseen:
            why = f"{self._snapshot.unseen}; whatever keepalived was found with at the start stays until then"
            yield Problem.of(ref(Kind.NODE, self._facts.node), Reason.SOURCE_INCOMPLETE, why)
        if self._facts.forwarding.refused is not None:
            refused = self._facts.forwarding.refused
            yield Problem.of(ref(Kind.NODE, self._facts.node), refused.reason, refused.message)


def _is_looked_for(choice: Choice) -> bool:
    """Whether it will be known in a moment which NIC the pool means."""
    return choice.refused is not None and choice.refused.reason is Reason.WAITING_FOR_SYNC


def _is_host(link: Link, ip: object) -> bool:
    """Whether it is a single address without a subnet, which somebody has added, perhaps we."""
    return any(one.ip == ip and one.network.prefixlen == one.max_prefixlen for one in link.addresses)
