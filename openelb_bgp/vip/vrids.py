"""Which virtual routers (VRIDs) a pool has, and which of them serves which of its addresses.

Pure, and the same on every node. A pool that names none gets some by its identity, so that pools, also those
of other clusters on the same LAN, seldom meet. A VRID on an interface is one pool's: of two that name it the
older keeps it. What is shared out among the rest depends on nothing that comes and goes with Services, so no
address moves because of another.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from functools import lru_cache

import msgspec

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.reasons import Reason, Refused

from .ranks import score

DEFAULT_COUNT = 16
"""VRIDs of a pool that names none."""
_FIRST_DEFAULT, _LAST = 32, 255
"""The low numbers are left to routers, whose defaults they are."""


class Allotment(msgspec.Struct, frozen=True, kw_only=True):
    """The VRIDs of one pool.

    `shared` serve addresses that every eligible node may hold, `apart` those of Services of the policy Local,
    one set of nodes each. `refused` says why there are none, `lost` which were named and are another pool's.
    """

    shared: tuple[int, ...] = ()
    apart: tuple[int, ...] = ()
    refused: Refused | None = None
    lost: Refused | None = None


def allot(pools: Iterable[Eip]) -> dict[str, Allotment]:
    """Every pool's VRIDs: those that name theirs first, older pools before younger ones."""
    ordered = sorted(pools, key=lambda pool: (not pool.vip.virtual_router_ids, pool.age))
    given: dict[str, tuple[Eip, tuple[int, ...]]] = {}
    found: dict[str, Allotment] = {}
    for pool in ordered:
        rivals = {vrid: other for other, vrids in given.values() if _may_meet(pool, other) for vrid in vrids}
        named = pool.vip.virtual_router_ids
        wanted = named or _by_identity(pool)
        free = [vrid for vrid in wanted if vrid not in rivals]
        mine = tuple(free if named else sorted(free[:DEFAULT_COUNT]))
        given[pool.name] = pool, mine
        found[pool.name] = _allotment(pool, mine, {one: rivals[one] for one in named if one in rivals})
    return found


def _allotment(pool: Eip, mine: tuple[int, ...], lost: Mapping[int, Eip]) -> Allotment:
    taken: Refused | None = None
    if lost:
        numbers = ", ".join(map(str, sorted(lost)))
        others = ", ".join(sorted({other.name for other in lost.values()}))
        taken = Refused(
            Reason.VRID_CONFLICT,
            f"VRID {numbers} of Eip {pool.name} is on the same interface as that of Eip {others}, which is "
            "older and keeps it; give each its own spec.vip.virtualRouterIds",
        )
    if not mine:
        return Allotment(refused=taken or _none_left(pool), lost=taken)
    apart = len(mine) // 4 or (1 if len(mine) > 1 else 0)
    return Allotment(shared=mine[: len(mine) - apart], apart=mine[len(mine) - apart :], lost=taken)


def _none_left(pool: Eip) -> Refused:
    return Refused(
        Reason.NO_VRID,
        f"all VRIDs of the LAN are used by other pools: none is left for Eip {pool.name}; join pools",
    )


def _may_meet(one: Eip, other: Eip) -> bool:
    """Whether both may be on one interface of some node: unless both name NICs, and different ones."""
    if not one.interfaces or not other.interfaces:
        return True
    texts = (*one.interfaces, *other.interfaces)
    if any(":" in text for text in texts):
        return True
    return any(fnmatchcase(a, b) or fnmatchcase(b, a) for a in one.interfaces for b in other.interfaces)


def identity(pool: Eip) -> str:
    """What tells the pool from one of that name in another cluster; without a cluster its name is all."""
    return pool.meta.uid or pool.name


def _by_identity(pool: Eip) -> list[int]:
    of = identity(pool)
    return sorted(range(_FIRST_DEFAULT, _LAST + 1), key=lambda vrid: score("vrid", of, vrid))


@lru_cache(maxsize=1 << 14)
def shared_vrid(address: Address, vrids: tuple[int, ...]) -> int:
    """The one of these that serves an address; another only when these change."""
    return min(vrids, key=lambda vrid: score("bucket", address, vrid))


def apart_vrids(sets: Mapping[frozenset[str], float], allotment: Allotment) -> dict[frozenset[str], int]:
    """A VRID for each set of nodes that Local Services have, the older set first; no entry: none was left.

    The value of `sets` is when the oldest Service with that set was created. A set that finds none free is
    served by the virtual router of a subset, where there is one: whoever is master there has endpoints.
    """
    free = list(allotment.apart)
    found: dict[frozenset[str], int] = {}
    ordered = sorted(sets, key=lambda nodes: (sets[nodes], sorted(nodes)))
    for nodes in ordered:
        if free:
            vrid = min(free, key=lambda one: score("set", *sorted(nodes), one))
            free.remove(vrid)
            found[nodes] = vrid
    for nodes in ordered:
        if nodes not in found:
            inside = [other for other in found if other < nodes]
            if inside:
                found[nodes] = found[max(inside, key=lambda one: (len(one), sorted(one)))]
    return found


def carrier(pool: Eip, *, vrid: int, version: int) -> str:
    """What is advertised in the place of the addresses: link-local, and never another pool's.

    Its last part tells the pool from others that use the VRID, of this cluster or not: they discard each
    other's advertisements, instead of taking them for their own master's, and count them.
    """
    last = 1 + int.from_bytes(score("carrier", identity(pool))[:4]) % 254
    return f"169.254.{vrid}.{last}" if version == 4 else f"fe80::{vrid}:{last}"
