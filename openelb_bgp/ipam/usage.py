"""How full each pool is: what `Eip.status` and the metrics say of it.

Who holds what has been decided before; here it is only counted, and counting is put off until somebody asks.
"""

from collections.abc import Mapping
from functools import cached_property

import msgspec

from openelb_bgp.model.addresses import Family
from openelb_bgp.model.meta import Key
from openelb_bgp.model.pools import INT64_MAX
from openelb_bgp.model.statuses import MAX_USED

from .numbers import address_at
from .pools import Pool


class PoolUse(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One pool's use.

    `holders` maps the number of each address that the pool has given to the Services that have it, in
    order; `blocked` holds the numbers of addresses that it may not give because they stand in some
    Service's status without being this pool's (another load balancer's, or on their way out). A pool that
    did not change is the same object in the next Allocation.
    """

    pool: Pool
    holders: Mapping[int, tuple[Key, ...]]
    blocked: frozenset[int] = frozenset()

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

    @cached_property
    def free(self) -> int:
        """How many addresses it can still give: not excluded, not a node's, not taken (not saturated)."""
        can_give = self.pool.can_give
        return self.pool.capacity - sum(map(can_give, {*self.holders, *self.blocked}))

    @property
    def occupied(self) -> bool:
        """Whether it has nothing left to give."""
        return self.free == 0

    @cached_property
    def used(self) -> dict[str, str]:
        """Address → `ns/name`, `;` between sharers; the 1,000 lowest addresses."""
        lowest = sorted(self.holders)[:MAX_USED]
        return {str(address_at(value)): ";".join(map(str, self.holders[value])) for value in lowest}
