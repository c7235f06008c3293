"""Who comes first in each bucket: masters spread evenly, and a node that is lost moves only what it held.

Pure. Each virtual router has an order of all the nodes that can ever serve it, and its master is the first
of them that may. Nodes are put into the orders one after the other, the oldest first, each at the head of as
many as is its share, taken from those that lead most; within the orders that the same node leads, the second
place is shared out in the same way, and so on. What is in an order already is never rearranged, so a node
that comes takes its share from the others and nothing else moves, and one that is lost leaves its share to
the next in each order.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

_SHARED_OUT = 8
"""Places that are shared out evenly; behind them the hash decides."""


@lru_cache(maxsize=256)
def orders(routers: tuple[str, ...], nodes: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """For each virtual router, by its text, the nodes in the order in which they serve it.

    `nodes` come in the order in which they joined. Among all of them the numbers of routers that two of them
    lead differ by one at most.
    """
    lists: list[list[str]] = [[] for _ in routers]
    for node in nodes:
        places = list(range(len(routers)))
        for router, place in zip(places, _places(node, places, lists, routers, depth=0), strict=True):
            lists[router].insert(place, node)
    return tuple(tuple(one) for one in lists)


def score(*parts: object) -> bytes:
    """The same on every node, in every process: the lowest comes first (rendezvous hashing)."""
    return hashlib.sha256("#".join(map(str, parts)).encode()).digest()


def _places(
    node: str, chosen: Sequence[int], lists: Sequence[Sequence[str]], routers: Sequence[str], *, depth: int
) -> list[int]:
    """Where the node goes in each of the chosen lists, which are the same up to `depth`."""
    if not chosen:
        return []
    place = dict.fromkeys(chosen, depth)
    present = len(lists[chosen[0]]) - depth
    if present <= 0:
        return [place[one] for one in chosen]
    if depth >= _SHARED_OUT:
        return [_by_hash(node, lists[one], routers[one], depth) for one in chosen]
    led: dict[str, list[int]] = {}
    for one in chosen:
        led.setdefault(lists[one][depth], []).append(one)
    given: Counter[str] = Counter()
    for _ in range(_share(node, chosen, routers, present + 1)):
        richest = max(led, key=lambda head: (len(led[head]), -given[head], score(head, node)))
        given[richest] += 1
        led[richest].remove(_commonest(led[richest], lists, depth + 1, by=node))
        if not led[richest]:
            del led[richest]
    for rest in led.values():
        for one, deeper in zip(rest, _places(node, rest, lists, routers, depth=depth + 1), strict=True):
            place[one] = deeper
    return [place[one] for one in chosen]


def _commonest(chosen: Sequence[int], lists: Sequence[Sequence[str]], depth: int, *, by: str) -> int:
    """One of the lists without which the rest are shared out as evenly as before, from that depth on."""
    led: dict[str, list[int]] = {}
    for one in chosen:
        led.setdefault(lists[one][depth] if depth < len(lists[one]) else "", []).append(one)
    richest = max(led, key=lambda head: (len(led[head]), score(head, by)))
    if not richest or depth >= _SHARED_OUT:
        return led[richest][0]
    return _commonest(led[richest], lists, depth + 1, by=by)


def _share(node: str, chosen: Sequence[int], routers: Sequence[str], nodes: int) -> int:
    """Its share of the lists among so many nodes, rounded up for some of the nodes, down for others."""
    share, rest = divmod(len(chosen), nodes)
    draw = int.from_bytes(score("share", node, *(routers[one] for one in chosen))[:4])
    return share + (draw * nodes < rest << 32)


def _by_hash(node: str, ordered: Sequence[str], router: str, depth: int) -> int:
    own = score(router, node)
    tail = ordered[depth:]
    return depth + next((at for at, other in enumerate(tail) if own < score(router, other)), len(tail))
