"""A LAN in virtual time with the real membership core on every node: loss, delay, partitions, pauses, clocks.

Deterministic from its seed. Messages are handed over as values; `codec=True` has them signed, sent as bytes
and read again, as between sockets.
"""

import heapq
import random
from collections.abc import Callable, Iterable, Mapping
from math import inf

from openelb_bgp.membership.codec import Dropped
from openelb_bgp.membership.core import Membership, Stale
from openelb_bgp.membership.lanes import NODE_LANE, Route
from openelb_bgp.membership.messages import Datagram, News
from openelb_bgp.membership.outbox import Outgoing
from openelb_bgp.membership.timing import Timing
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.members import Members
from tests.simulated_node import NIC, Clock, Message, Node
from tests.simulated_weather import FAIR, LATEST, Weather

_QUEUE = 500
"""How many datagrams wait at a paused process; what comes then is lost."""
_RATES = 2e-4
"""By how much of itself a clock goes wrong at most: a bad crystal (NTP corrects up to 5e-4)."""


class Lan:
    """The machines, the wires between them, and time."""

    def __init__(
        self,
        count: int,
        *,
        seed: int,
        timing: Timing | None = None,
        weather: Weather = FAIR,
        codec: bool = False,
    ) -> None:
        self.random = random.Random(seed)
        self.timing = timing or Timing()
        self.now = 0.0
        self.weather = weather
        self.has_management = True
        self.nodes = [Node(index, self._any_clock()) for index in range(count)]
        self._lan: dict[Address, Node] = {node.lan: node for node in self.nodes}
        self._management: dict[Address, Node] = {node.management: node for node in self.nodes}
        self._side: Mapping[str, int] = {}
        self._deaf: set[tuple[str, str]] = set()
        self._events: list[tuple[float, int, Node, Message | None]] = []
        self._count = 0
        self._is_news = True
        self.codec = False
        if codec:
            self.sign()
        self.watchers: list[Callable[[Node, Members], None]] = []

    def _any_clock(self) -> Clock:
        return Clock(self.random.uniform(0, 1e6), 1 + self.random.uniform(-_RATES, _RATES))

    # Faults.

    def start(self, node: Node, *, after: float = 0.0) -> None:
        """Start its process, in place of one that runs; until it begins nothing runs there."""
        now = node.begins_at = self.now + after
        node.boot = self.random.getrandbits(63) | 1
        node.core = Membership(node.name, boot=node.boot, timing=self.timing, now=node.clock.reads(now))
        node.waiting.clear()
        node.paused, node.frozen_at = False, None
        self._configure(node, node.core, now)
        self._schedule(node, now)

    def _configure(self, node: Node, core: Membership, now: float) -> None:
        core.configure(node.clock.reads(now), peers=self._peers_of(node), interfaces=(node.local,))

    def _peers_of(self, node: Node) -> dict[str, tuple[Address, ...]]:
        return {one.name: (one.management,) for one in self.nodes if one is not node}

    def start_all(self, *, within: float = 0.5) -> None:
        for node in self.nodes:
            self.start(node, after=self.random.uniform(0, within))

    def start_introduced(self) -> None:
        """All, in little time however many: alone at first, told of each other, and plugged in."""
        self._side = {node.name: node.index for node in self.nodes}
        self.start_all()
        self.run(2.0)
        self._side = {}
        records = tuple(node.record for node in self.nodes)
        for node in self.nodes:
            other = self.nodes[node.index - 1]
            told = Datagram(
                sender=other.name,
                boot=other.boot,
                to=node.name,
                to_boot=node.boot,
                sequence=0,
                body=News(tuple(one for one in records if one.node != node.name)),
            )
            self._push(self.now, node, (told, Route(NODE_LANE, other.management)))

    def sign(self) -> None:
        """Have datagrams signed and sent as bytes from now on."""
        self.codec = True
        names = [node.name for node in self.nodes]
        for node in self.nodes:
            node.codec.use(keys=(b"0" * 32,), nodes=names)

    def kill(self, node: Node) -> None:
        node.core = None

    def say_goodbye(self, node: Node) -> None:
        assert node.core is not None
        node.core.leave(node.clock.reads(self.now))
        self._poll(node)

    def pause(self, node: Node, *, with_clock: bool = False) -> None:
        """It does not run; `with_clock`: nor does its clock, as on a virtual machine that is suspended."""
        if not node.paused:
            node.paused = True
            # A process that has not begun has read no clock yet.
            node.frozen_at = self.now if with_clock and self.now >= node.begins_at else None

    def resume(self, node: Node) -> None:
        """What had come meanwhile is read first, as an event loop may do."""
        if node.frozen_at is not None:
            node.clock.jump(node.frozen_at - self.now)
        node.paused, node.frozen_at = False, None
        waiting, node.waiting = node.waiting, []
        for message in waiting:
            self._deliver(node, message)
        self._poll(node)

    def jump(self, node: Node, seconds: float) -> None:
        """Its clock goes forward at once, as on a machine that makes up for having been suspended."""
        node.clock.jump(seconds)
        if not node.paused:
            self._poll(node)

    def plug(self, node: Node, *, into_lan: bool) -> None:
        """Its cable on the LAN is pulled, or is back; its kernel says so at once."""
        node.nic_cut, node.has_carrier = not into_lan, into_lan
        if node.core is not None:
            self._configure(node, node.core, self.now)
            self._poll(node)

    def partition(self, sides: Mapping[str, int]) -> None:
        """Nodes on different sides hear nothing of each other; an empty mapping heals all."""
        self._side = sides

    def make_deaf(self, to: Iterable[tuple[str, str]]) -> None:
        """Pairs (from, to) of which the second hears nothing of the first."""
        self._deaf = set(to)

    # Time.

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self._events and self._events[0][0] <= end:
            self.now, _, node, message = heapq.heappop(self._events)
            if message is None:
                self._ask(node)
            elif node.paused:
                if len(node.waiting) < _QUEUE:
                    node.waiting.append(message)
            else:
                self._deliver(node, message)
                self._poll(node)
        self.now = end

    def _ask(self, node: Node) -> None:
        """Whether it wants to run; in the meantime it may have found that it does not yet."""
        if self.now < node.asked_at:
            return
        node.asked_at = inf
        if self.now < node.wakes_at:
            self._schedule(node, node.wakes_at)
        elif not node.paused:
            self._poll(node)

    def _schedule(self, node: Node, at: float) -> None:
        node.wakes_at = at
        if at < node.asked_at:
            node.asked_at = at
            self._push(at, node, None)

    def _push(self, at: float, node: Node, message: Message | None) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, node, message))

    def _poll(self, node: Node) -> None:
        core = node.core
        if core is None or self.now < node.begins_at:
            return
        core.poll(node.clock.reads(self.now))
        for one in core.take():
            self._carry(node, one)
        reading = core.wake_at
        if reading is not None:
            at = node.clock.instant(reading)
            node.idle_polls = node.idle_polls + 1 if at < self.now + 1e-5 else 0
            assert node.idle_polls < 100, "it asks to be woken at once, again and again"
            self._schedule(node, max(at, self.now + 1e-6))
        if core.members is not node.told:
            node.told = core.members
            self._is_news = True
            for watcher in self.watchers:
                watcher(node, core.members)

    def _deliver(self, node: Node, message: Message) -> None:
        if node.core is None or self.now < node.begins_at:
            return
        data, route = message
        node.received += 1
        try:
            datagram = node.codec.decode(data) if isinstance(data, bytes) else data
            node.core.receive(node.clock.reads(self.now), datagram, route)
        except (Stale, Dropped):
            return

    def _carry(self, node: Node, one: Outgoing) -> None:
        by_lan = one.route.lane != NODE_LANE
        known: Mapping[Address, Node] = self._lan if by_lan else self._management
        to = known.get(one.route.address)
        data: Datagram | bytes = one.datagram
        node.sent += 1
        if self.codec:
            data = node.codec.encode(one.datagram)
            node.sent_bytes += len(data)
        if to is None or not (self.carries if by_lan else self._is_routed)(node, to):
            return
        back: Address = node.lan if by_lan else node.management
        message = (data, Route(one.route.lane, back, to.lan if by_lan else None))
        self._bring(to, message)
        if self.weather.twice and self.random.random() < self.weather.twice:
            self._bring(to, message)

    def _bring(self, to: Node, message: Message) -> None:
        dice, weather = self.random.random, self.weather
        if dice() < weather.loss:
            return
        least, most = weather.delay
        delay = least + (most - least) * dice()
        if weather.late and dice() < weather.late:
            delay += LATEST * dice()
        self._push(self.now + delay, to, message)

    def carries(self, source: Node, to: Node) -> bool:
        """Whether a frame gets through on the LAN, if it is not lost."""
        return not (source.nic_cut or to.nic_cut or self._is_apart(source, to))

    def _is_routed(self, source: Node, to: Node) -> bool:
        return self.has_management and not self._is_apart(source, to)

    def _is_apart(self, source: Node, to: Node) -> bool:
        if self._deaf and (source.name, to.name) in self._deaf:
            return True
        side = self._side
        return bool(side) and side.get(source.name, 0) != side.get(to.name, 0)

    # What is and what they think.

    def running(self) -> list[Node]:
        return [node for node in self.nodes if node.core is not None and not node.paused]

    def view(self, node: Node) -> frozenset[str]:
        """Who is alive on the LAN, as that node sees it; empty while it is void."""
        assert node.core is not None
        members = node.core.members
        if members.void:
            return frozenset()
        others = {
            name
            for name, one in members.others.items()
            if NIC in one.interfaces and one.interfaces[NIC].alive
        }
        return frozenset(others | ({node.name} if members.own[NIC].alive else set()))

    def views(self) -> dict[str, frozenset[str]]:
        return {node.name: self.view(node) for node in self.running()}

    def truth(self, node: Node) -> frozenset[str]:
        """Whom it should see alive, where links work both ways or not at all."""
        if node.nic_cut:
            return frozenset({node.name})
        side = self._side.get(node.name, 0)
        return frozenset(
            one.name
            for one in self.running()
            if one is node or (self._side.get(one.name, 0) == side and not one.nic_cut)
        )

    def truths(self) -> dict[str, frozenset[str]]:
        return {node.name: self.truth(node) for node in self.running()}

    def run_until_true(self, *, most: float, step: float = 0.05) -> float:
        """Run until all views are true; the seconds that it took. Fails after `most`."""
        began = self.now
        # What nobody sees otherwise than before is as true or false as before.
        while not self._is_news or self.views() != self.truths():
            self._is_news = False
            if self.now - began > most:
                self.expect_truth(f"after {most} s")
            self.run(step)
        self._is_news = True
        return self.now - began

    def expect_truth(self, context: str) -> None:
        """Fails where somebody sees otherwise than it is."""
        views, truths = self.views(), self.truths()
        wrong = {
            name: (sorted(views[name] - truths[name]), sorted(truths[name] - views[name]))
            for name in views
            if views[name] != truths[name]
        }
        assert not wrong, f"{context} they see otherwise (too many, too few): {wrong}"
