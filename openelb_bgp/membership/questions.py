"""Whom a node asks, when and by which way, and which of its questions an answer belongs to. Pure.

On the lanes of interfaces it asks whom it watches there. On its own, NODE_LANE, it asks seldom, for no
liveness hangs on it: nodes learn of each other's interfaces there, and make up for lost news. What follows
from an answer is `core`'s matter.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from math import inf

import msgspec

from openelb_bgp.model.addresses import Address

from .lanes import NODE_LANE, Lane, Route
from .timing import Timing
from .watch import Place, Target, Watch

Ask = Callable[[Route, str], int]
"""Sends a question to a node by that way; returns its sequence number."""


class Questions:
    """Those of one node. `lanes`, wherever they are asked for, are those of its interfaces by name."""

    def __init__(self, node: str, timing: Timing, now: float) -> None:
        self.hello = Watch(node, timing)
        self._timing = timing
        self._peers: Mapping[str, tuple[Address, ...]] = {}
        self._open: dict[int, tuple[str, tuple[str, str]]] = {}
        self._wander = 0
        self._wander_at = now

    def aim(self, peers: Mapping[str, tuple[Address, ...]], now: float) -> None:
        """There are these other nodes, with addresses to reach them."""
        self._peers = peers
        self.hello.aim((Place(node, "", found[0]) for node, found in peers.items() if found), now)

    def keep(self, lanes: Collection[str]) -> None:
        """Forget what was asked on lanes that are gone."""
        kept = {NODE_LANE, *lanes}
        self._open = {sequence: asked for sequence, asked in self._open.items() if asked[0] in kept}

    def start_anew(self, now: float) -> None:
        """We did not listen: nobody's answer counts any more, and all are to be heard again soon."""
        self._open.clear()
        self.hello.start_anew(now)
        self.hello.timing = self._timing

    def calm_down(self) -> None:
        """Everybody has been heard: by the node's own lane there is no hurry any more."""
        self.hello.timing = msgspec.structs.replace(self._timing, interval=self._timing.slow)

    def watches(self, lanes: Mapping[str, Lane]) -> list[Watch]:
        """All of them."""
        return [self.hello, *(lane.watch for lane in lanes.values())]

    def wake_at(self, lanes: Mapping[str, Lane]) -> Iterator[float | None]:
        """When somebody is to be asked, or has been silent for too long."""
        yield self._wander_at if self.hello.ring else None
        for watch in self.watches(lanes):
            yield watch.wake_at()

    def ask(self, lanes: Mapping[str, Lane], now: float, ask: Ask) -> None:
        """Ask who is due, on all lanes, and with them who would be so in a moment.

        To ask and to hear them together costs fewer turns. So rounds that began at other times become one.
        """
        watches = self.watches(lanes)
        wander_at = self._wander_at if self.hello.ring else inf
        if now < wander_at and not any(watch.is_due(now) for watch in watches):
            return
        begins = any(watch.begins_round(now) for watch in watches)
        ahead = self._timing.retry if begins else self._timing.moment
        for target in self.hello.due(now, ahead=self.hello.timing.moment):
            addresses = self._peers[target.place.node]
            address = addresses[target.misses % len(addresses)]
            self._ask(ask, Route(NODE_LANE, address), target, self.hello, now)
        for name, lane in lanes.items():
            for target in lane.watch.due(now, ahead=ahead):
                place = target.place
                self._ask(ask, Route(name, place.address, place.source), target, lane.watch, now)
        if wander_at <= now + self.hello.timing.moment:
            self._wander_at = now + self._timing.slow
            self._ask_anybody(ask)

    def _ask(self, ask: Ask, route: Route, target: Target, watch: Watch, now: float) -> None:
        sequence = ask(route, target.place.node)
        self._open[sequence] = (route.lane, target.place.key)
        target.asked(sequence, now, watch.timing)
        if len(self._open) > 64 + 32 * len(watch.targets):
            # Whatever was never answered is of no use any more.
            self._open = dict(list(self._open.items())[len(self._open) // 2 :])

    def _ask_anybody(self, ask: Ask) -> None:
        """One of all in turn: so news also gets to where no neighbour's neighbour tells it soon."""
        ring = self.hello.ring
        # A stride that has nothing to do with the ring's neighbourhoods.
        self._wander = (self._wander + 1 + len(ring) * 3 // 8) % len(ring)
        place = ring[self._wander]
        self._open[ask(Route(NODE_LANE, place.address), place.node)] = (NODE_LANE, place.key)

    def asked_by(self, echo: int, sender: str) -> tuple[str, tuple[str, str]] | None:
        """On which lane that question was asked, and whom; None if the sender was not, or has answered."""
        asked = self._open.pop(echo, None)
        return None if asked is None or asked[1][0] != sender else asked
