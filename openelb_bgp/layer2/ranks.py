"""In which order nodes come for an address: a rendezvous hash, the same on every node. Pure.

Each address has an order of its own, so addresses spread evenly, a node that goes gives its addresses to all
others, and one that comes takes from each no more than its share.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping

import msgspec

from openelb_bgp.model.addresses import Address


def rank(node: str, address: Address) -> bytes:
    """Where the node stands for the address; the lowest comes first."""
    return hashlib.sha256(f"{node}#{address}".encode()).digest()


def ordered(nodes: Iterable[str], address: Address) -> tuple[str, ...]:
    """The nodes, the first by rank in front."""
    return tuple(sorted(nodes, key=lambda node: rank(node, address)))


class _Best(msgspec.Struct, frozen=True, gc=False):
    """The first of some nodes for one address; empty for none."""

    among: frozenset[str]
    node: str


class Ranking:
    """Who is first, remembered address by address.

    A node that comes costs one hash an address, one that goes costs something only for its own addresses.
    What is asked for is remembered until `keep` forgets it.
    """

    def __init__(self) -> None:
        self._best: dict[Address, _Best] = {}

    def first(self, nodes: frozenset[str], address: Address) -> str:
        """The first of the nodes for the address; empty where there are none."""
        known = self._best.get(address)
        if known is not None and (known.among is nodes or known.among == nodes):
            return known.node
        if known is None or known.node not in nodes:
            best = min(nodes, key=lambda node: rank(node, address), default="")
        else:
            best = min((known.node, *(nodes - known.among)), key=lambda node: rank(node, address))
        self._best[address] = _Best(nodes, best)
        return best

    def keep(self, addresses: Collection[Address] | Mapping[Address, object]) -> None:
        """Forget all others."""
        for address in self._best.keys() - addresses:
            del self._best[address]
