"""Who is master: what Speakers report, and what is said when it changes.

Pure. Every node tells of what it has taken over itself: from whom, and why.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping

from openelb_bgp.lib.words import some
from openelb_bgp.model.addresses import Address, parse_address
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.meta import Kind, ObjectRef, ref
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.ports import Event

from .buckets import BucketPlan
from .model import Bucket, Instance, Router

MASTER_CHANGED = "VipMasterChanged"
_MOST_SERVICES = 10
"""Services of one bucket that get an event each; of more, the pool's event tells."""


def reporting(snapshot: Snapshot) -> Iterator[tuple[str, str]]:
    """Nodes with each address that they hold, as Speakers report it."""
    for name, speaker in sorted(snapshot.speakers.items()):
        for text in speaker.status.vip.master:
            yield name, text


def reported(snapshot: Snapshot) -> dict[Address, str]:
    """Which node holds each address, as Speakers report it; of two the last by name."""
    return {parse_address(text): name for name, text in reporting(snapshot)}


def held_by_another(address: Address, router: Router, *, snapshot: Snapshot, node: str) -> bool:
    """Whether a node other than this reports that it is master of a virtual router and has the address."""
    text, instance = str(address), f"v{router.version}_{router.vrid}_"
    return any(
        name != node
        and text in speaker.status.vip.master
        and any(one.startswith(instance) for one in speaker.status.vip.virtual_routers)
        for name, speaker in snapshot.speakers.items()
    )


def bucket_of(instance: Instance, plan: BucketPlan) -> Bucket | None:
    """The bucket that an instance is this node's part of."""
    return next((one for one in plan.buckets if one.router == instance.router), None)


def takeovers(
    won: Iterable[Instance],
    plan: BucketPlan,
    holders: Mapping[Address, str],
    snapshot: Snapshot,
    facts: Facts,
    services: Mapping[Address, tuple[ObjectRef, ...]],
    moved: Collection[Address] = (),
) -> Iterator[Event]:
    """The events of the instances that this node has become master of; `holders` are as they were before.

    `moved` are addresses that have just changed their virtual router.
    """
    for instance in won:
        before = next((name for one in instance.addresses if (name := holders.get(one, ""))), "")
        if before == facts.node or not instance.addresses:
            continue
        why = _why(instance, bucket_of(instance, plan), before, snapshot, facts)
        if before and any(one in moved for one in instance.addresses):
            why = "its virtual router is another now"
        where = f"VRID {instance.vrid} on {instance.interface}, IPv{instance.version}"
        source = f"from node {before}" if before else "which nobody held"
        told = f"node {facts.node} has become VRRP master of {{}} ({where}), {source}: {why}"
        everything = some(map(str, instance.addresses))
        yield Event(ref=ref(Kind.EIP, instance.pool), reason=MASTER_CHANGED, message=told.format(everything))
        if len(instance.addresses) <= _MOST_SERVICES:
            for address in instance.addresses:
                for service in services.get(address, ()):
                    yield Event(ref=service, reason=MASTER_CHANGED, message=told.format(address))


def _why(instance: Instance, bucket: Bucket | None, before: str, snapshot: Snapshot, facts: Facts) -> str:
    if not before:
        return "it comes first among the nodes that may"
    if bucket is not None and before not in bucket.nodes:
        if before in bucket.last_resort:
            return f"node {before} drains"
        return f"node {before} may not hold it any more"
    fact = facts.speakers.get(before)
    if bucket is not None and bucket.priority(facts.node) > bucket.priority(before):
        return f"it comes before node {before}"
    if before not in snapshot.speakers or (fact is not None and fact.quiet_since is not None):
        return f"node {before} is silent, and so is its speaker"
    return f"the advertisements of node {before} have ended"
