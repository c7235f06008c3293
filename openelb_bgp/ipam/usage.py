"""How full each pool is: what `Eip.status` and the metrics say of it.

Who holds what has been decided before; here it is only counted: what changed since the count before.
"""

from collections.abc import Collection, Mapping

import msgspec

from openelb_bgp.lib.identity import changed_keys
from openelb_bgp.lib.tables import Table
from openelb_bgp.model.addresses import Family, parse_address, text_of
from openelb_bgp.model.meta import Key
from openelb_bgp.model.pools import INT64_MAX
from openelb_bgp.model.statuses import MAX_USED

from .numbers import address_at, number
from .pools import Pool


class PoolUse(msgspec.Struct, frozen=True, kw_only=True):
    """One pool's use.

    `holders` maps the number of each address that the pool has given to the Services that have it, in
    order; `blocked` maps the numbers of addresses that it may not give because they stand in some Service's
    status without being this pool's (another load balancer's, or on their way out) to those Services.
    `taken` counts those of both that it could give otherwise; `used` maps the 1,000 lowest addresses to
    `ns/name`, `;` between sharers. A pool that did not change is the same object in the next Allocation.
    """

    pool: Pool
    holders: Table[int, tuple[Key, ...]]
    blocked: Table[int, tuple[Key, ...]]
    taken: int
    used: Mapping[str, str]

    @property
    def usage(self) -> int:
        """How many addresses are given, not how many Services have one."""
        return len(self.holders)

    @property
    def pool_size(self) -> int:
        """How many addresses its ranges hold, excluded ones included; saturates at 2^63-1."""
        return min(self.pool.eip.size, INT64_MAX)

    @property
    def first_ip(self) -> str:
        """Its lowest address; IPv4 before IPv6."""
        return str(address_at(self.pool.spans[0][0]))

    @property
    def last_ip(self) -> str:
        """Its highest address."""
        return str(address_at(self.pool.spans[-1][1]))

    @property
    def v4(self) -> bool:
        """Whether it has IPv4 addresses."""
        return Family.IPV4 in self.pool.families

    @property
    def free(self) -> int:
        """How many addresses it can still give: not excluded, not a node's, not taken (not saturated)."""
        return self.pool.capacity - self.taken

    @property
    def occupied(self) -> bool:
        """Whether it has nothing left to give."""
        return self.free == 0


Page = Table[int, tuple[Key, ...]]


def unused(pool: Pool) -> PoolUse:
    """The use of a pool of which nothing is known yet."""
    return PoolUse(pool=pool, holders=Table(), blocked=Table(), taken=0, used={})


def counted(before: PoolUse, *, holders: Page, blocked: Page) -> PoolUse:
    """The use of the same pool with these pages; `before` itself if they are its own."""
    if holders is before.holders and blocked is before.blocked:
        return before
    moved = changed_keys(old=before.holders, new=holders)
    touched = dict.fromkeys((*moved, *changed_keys(old=before.blocked, new=blocked)))
    can_give = before.pool.can_give
    came = sum(can_give(value) for value in touched if value in holders or value in blocked)
    went = sum(can_give(value) for value in touched if value in before.holders or value in before.blocked)
    return PoolUse(
        pool=before.pool,
        holders=holders,
        blocked=blocked,
        taken=before.taken + came - went,
        used=_used(before, holders, moved),
    )


def _used(before: PoolUse, holders: Page, moved: Collection[int]) -> Mapping[str, str]:
    """The lowest addresses with their holders; what is told of none of the lowest changes nothing."""
    if len(before.used) == MAX_USED:
        *_, last = before.used
        highest = number(parse_address(last))
        if all(value > highest for value in moved):
            return before.used
    lowest = sorted(holders)[:MAX_USED]
    return {text_of(address_at(value)): ";".join(map(str, holders[value])) for value in lowest}
