"""The vocabulary of the mode vip: VRRP instances as this node runs them, buckets as all nodes see them.

Values only. A bucket is what one virtual router of a pool serves: addresses of one family that the same nodes
may hold. Every node works out the same buckets; an instance is a node's own part in one.
"""

from typing import NamedTuple

import msgspec

from openelb_bgp.model.addresses import Address

TOP_PRIORITY = 254
"""Never 255, which claims that the addresses are the node's own (RFC 9568, 5.2.4)."""
PRIORITY_STEP = 16
"""Between two ranks: so far apart that the second hears the first before its own timer ends.

The skew is (256 - priority) / 256 of an interval (RFC 9568, 6.1): a step is 12 ms at 200 ms."""
LAST_RESORT = 8
"""Of a node that shall hold nothing while another can, and everything if none does."""
UNPROVEN = 4
"""While the node has not been seen forwarding to one of the Services: below any other's."""
MOST_NODES = 8
"""In one bucket: the ninth would hardly ever be asked, and each costs a timer that may end too early."""
PREEMPT_SECONDS = 30
"""How long a node that is back listens before it takes over from one that serves."""


class Router(NamedTuple):
    """What a virtual router is to a cluster: a pool's, of one family, with a VRID."""

    pool: str
    version: int
    vrid: int


class Bucket(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Addresses of a pool, sorted, that one virtual router serves; `nodes` are its members by rank.

    `last_resort` are nodes that leave, or have not been seen forwarding: they hold it only if none of the
    others does.
    """

    pool: str
    version: int
    vrid: int
    nodes: tuple[str, ...]
    addresses: tuple[Address, ...]
    last_resort: tuple[str, ...] = ()

    def priority(self, node: str) -> int:
        """What a node advertises; 0 if it is no member."""
        if node in self.nodes:
            return TOP_PRIORITY - PRIORITY_STEP * self.nodes.index(node)
        return LAST_RESORT if node in self.last_resort else 0

    @property
    def router(self) -> Router:
        """Its virtual router."""
        return Router(self.pool, self.version, self.vrid)


class Instance(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A VRRP instance of this node's keepalived.

    `source` is our own address there, `carrier` what is advertised in the place of the addresses, `peers`
    whom to send to instead of the multicast group; all are texts of addresses. `preempt_seconds` 0: at once.
    `departing` are those of its addresses that shall go to another instance, `arriving` those that another
    node may have announced last.
    """

    interface: str
    version: int
    vrid: int
    pool: str
    priority: int
    advert_ms: int
    source: str
    carrier: str
    addresses: tuple[Address, ...]
    peers: tuple[str, ...] = ()
    preempt_seconds: int = PREEMPT_SECONDS
    departing: frozenset[Address] = frozenset()
    arriving: frozenset[Address] = frozenset()

    @property
    def name(self) -> str:
        """As keepalived calls it in its log and its reports."""
        return f"v{self.version}_{self.vrid}_{self.interface}"

    @property
    def router(self) -> Router:
        """The virtual router that it is this node's part of."""
        return Router(self.pool, self.version, self.vrid)
