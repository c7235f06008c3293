"""How full the pools are, as metrics; one series a pool, and those of deleted pools go with them."""

from collections.abc import Mapping
from typing import Protocol

from prometheus_client import Gauge

_USED = Gauge("openelb_bgp_pool_addresses_used", "Addresses of the pool that Services hold", ["eip"])
_FREE = Gauge("openelb_bgp_pool_addresses_free", "Addresses of the pool that nobody holds", ["eip"])


class Use(Protocol):
    """How full one pool is."""

    @property
    def usage(self) -> int:
        """Addresses given."""
        ...

    @property
    def free(self) -> int:
        """Addresses that could still be given."""
        ...


class PoolMetrics:
    """Keeps the gauges equal to the last allocation."""

    def __init__(self) -> None:
        self._shown: dict[str, Use] = {}

    def show(self, pools: Mapping[str, Use]) -> None:
        """Set what changed, remove what went."""
        for name in self._shown.keys() - pools.keys():
            _USED.remove(name)
            _FREE.remove(name)
        for name, use in pools.items():
            if self._shown.get(name) is not use:
                _USED.labels(name).set(use.usage)
                _FREE.labels(name).set(use.free)
        self._shown = dict(pools)
