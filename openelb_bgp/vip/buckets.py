"""From claims to buckets: which virtual router serves each address, and its members by rank.

Pure, and the same on every node: nothing here depends on who asks.
"""

from collections.abc import Iterable, Mapping

import msgspec

from openelb_bgp.eligibility import Eligibility
from openelb_bgp.lib.words import some
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import EMPTY
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot

from .claims import Claim, Reader, claims, universe
from .model import MOST_NODES, Bucket
from .ranks import orders
from .vrids import Allotment, allot, apart_vrids, shared_vrid


class BucketPlan(msgspec.Struct, frozen=True, kw_only=True):
    """All buckets of the cluster, sorted, and the addresses in none of them with the reason.

    `claims` are by address; `allotments` by pool.
    """

    buckets: tuple[Bucket, ...] = ()
    claims: Mapping[Address, Claim] = EMPTY
    refused: Mapping[Address, Refused] = EMPTY
    allotments: Mapping[str, Allotment] = EMPTY


def plan_buckets(snapshot: Snapshot, eligibility: Eligibility, reader: Reader) -> BucketPlan:
    """Every address of the vip pools in exactly one bucket, or refused."""
    pools = [pool for pool in snapshot.eips.values() if pool.protocol is Protocol.VIP]
    allotments = allot(pools)
    claimed = claims(snapshot, eligibility, reader)
    of_pool: dict[str, list[Claim]] = {pool.name: [] for pool in pools}
    for claim in claimed.values():
        of_pool[claim.pool.name].append(claim)
    buckets: list[Bucket] = []
    refused: dict[Address, Refused] = {}
    for pool in pools:
        allotment = allotments[pool.name]
        if allotment.refused is not None:
            refused.update((claim.address, allotment.refused) for claim in of_pool[pool.name])
            continue
        nodes = universe(pool, eligibility, snapshot.nodes)
        made, left = _of_pool(pool, allotment, of_pool[pool.name], nodes)
        buckets += made
        refused.update(left)
    return BucketPlan(buckets=tuple(sorted(buckets)), claims=claimed, refused=refused, allotments=allotments)


def _of_pool(
    pool: Eip, allotment: Allotment, wanted: Iterable[Claim], nodes: tuple[str, ...]
) -> tuple[list[Bucket], dict[Address, Refused]]:
    refused: dict[Address, Refused] = {}
    groups: dict[tuple[int, int], list[Claim]] = {}
    sets: dict[frozenset[str], float] = {}
    apart: list[Claim] = []
    for claim in wanted:
        if claim.refused is not None:
            refused[claim.address] = claim.refused
        elif claim.apart is None:
            vrid = shared_vrid(claim.address, allotment.shared)
            groups.setdefault((claim.address.version, vrid), []).append(claim)
        else:
            apart.append(claim)
            of = claim.apart & frozenset(nodes)
            sets[of] = min(claim.since, sets.get(of, claim.since))
    spare = allotment
    if not allotment.apart and not groups:
        # The pool's only virtual router: whoever needs it.
        spare = msgspec.structs.replace(allotment, apart=allotment.shared)
    vrids = apart_vrids(sets, spare)
    for claim in apart:
        served = vrids.get((claim.apart or frozenset()) & frozenset(nodes))
        if served is None:
            refused[claim.address] = _none_left(pool, claim)
        else:
            groups.setdefault((claim.address.version, served), []).append(claim)
    order = dict(zip(allotment.shared, orders(_texts(pool, allotment.shared), nodes), strict=True)) | dict(
        zip(spare.apart, orders(_texts(pool, spare.apart), nodes), strict=True)
    )
    return [_bucket(pool, key, group, order[key[1]]) for key, group in groups.items()], refused


def _texts(pool: Eip, vrids: Iterable[int]) -> tuple[str, ...]:
    return tuple(f"{pool.name} {vrid}" for vrid in vrids)


def _bucket(pool: Eip, key: tuple[int, int], group: list[Claim], order: tuple[str, ...]) -> Bucket:
    may = frozenset.intersection(*(claim.nodes for claim in group))
    can = frozenset.intersection(*(claim.nodes | claim.leaving for claim in group))
    return Bucket(
        pool=pool.name,
        version=key[0],
        vrid=key[1],
        nodes=tuple(node for node in order if node in may)[:MOST_NODES],
        addresses=tuple(sorted(claim.address for claim in group)),
        last_resort=tuple(node for node in order if node in can - may),
    )


def _none_left(pool: Eip, claim: Claim) -> Refused:
    where = some(sorted(claim.apart or ()))
    return Refused(
        Reason.NO_VRID,
        f"Eip {pool.name} has no VRID left for Services of the policy Local with endpoints on {where}: each "
        "set of nodes takes one; widen spec.vip.virtualRouterIds, or set externalTrafficPolicy to Cluster",
    )
