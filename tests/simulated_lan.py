"""A LAN in virtual time with the real membership core on every node: loss, delay, partitions, pauses, skew.

Deterministic from its seed. Messages are handed over as values; `codec=True` has them signed, sent as bytes
and read again, as between sockets.
"""

import heapq
import random
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Address, IPv4Interface

from openelb_bgp.membership.codec import Codec, Dropped
from openelb_bgp.membership.core import Membership, Outgoing, Stale
from openelb_bgp.membership.lanes import NODE_LANE, LocalInterface, Route
from openelb_bgp.membership.messages import Datagram
from openelb_bgp.membership.timing import Timing
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.members import Members

NIC = "eth1"
_QUEUE = 500
"""How many datagrams wait at a paused process; what comes then is lost."""


class Node:
    """One machine: its process, its clock, and what keeps it from running."""

    def __init__(self, index: int, skew: float) -> None:
        self.index = index
        self.name = f"node-{index}"
        self.lan = IPv4Address(0xC0A80000 + 256 * (index // 250) + index % 250 + 1)
        self.management = IPv4Address(0x0A000000 + 256 * (index // 250) + index % 250 + 1)
        self.skew = skew
        self.core: Membership | None = None
        self.paused = False
        self.nic_cut = False
        self.has_carrier = True
        self.waiting: list[tuple[Datagram | bytes, Route]] = []
        self.wakes_at = 0.0
        self.told: Members | None = None
        self.idle_polls = 0
        self.codec = Codec(self.name)
        self.sent = self.sent_bytes = self.received = 0

    @property
    def local(self) -> LocalInterface:
        mac = f"02:00:00:00:{self.index >> 8:02x}:{self.index & 255:02x}"
        addresses = (IPv4Interface((self.lan, 16)),)
        return LocalInterface(name=NIC, mac=mac, addresses=addresses, up=self.has_carrier)


class Lan:
    """The machines, the wires between them, and time."""

    def __init__(
        self,
        count: int,
        *,
        seed: int,
        timing: Timing | None = None,
        loss: float = 0.0,
        delay: tuple[float, float] = (0.0001, 0.001),
        codec: bool = False,
    ) -> None:
        self.random = random.Random(seed)
        self.timing = timing or Timing()
        self.now = 0.0
        self.loss = loss
        self.delay = delay
        self.has_management = True
        self.nodes = [Node(index, self.random.uniform(0, 1e6)) for index in range(count)]
        self._by_name = {node.name: node for node in self.nodes}
        self._lan: dict[Address, Node] = {node.lan: node for node in self.nodes}
        self._management: dict[Address, Node] = {node.management: node for node in self.nodes}
        self._side: Mapping[str, int] = {}
        self._deaf: set[tuple[str, str]] = set()
        self._events: list[tuple[float, int, Node, tuple[Datagram | bytes, Route] | None]] = []
        self._count = 0
        self._is_news = True
        self.codec = codec
        self.watchers: list[Callable[[Node, Members], None]] = []

    # Faults.

    def start(self, node: Node, *, after: float = 0.0) -> None:
        """Start its process, in place of one that runs."""
        now = self.now + after
        node.core = Membership(
            node.name, boot=self.random.getrandbits(63) | 1, timing=self.timing, now=now + node.skew
        )
        node.waiting.clear()
        node.codec.use(keys=(b"0" * 32,), nodes=tuple(self._peers_of(node)))
        self._configure(node, node.core, now)
        self._schedule(node, now)

    def _configure(self, node: Node, core: Membership, now: float) -> None:
        core.configure(now + node.skew, peers=self._peers_of(node), interfaces=(node.local,))

    def _peers_of(self, node: Node) -> dict[str, tuple[Address, ...]]:
        return {one.name: (one.management,) for one in self.nodes if one is not node}

    def start_all(self, *, within: float = 0.5) -> None:
        for node in self.nodes:
            self.start(node, after=self.random.uniform(0, within))

    def kill(self, node: Node) -> None:
        node.core = None

    def pause(self, node: Node) -> None:
        node.paused = True

    def resume(self, node: Node) -> None:
        """What had come meanwhile is read first, as an event loop may do."""
        node.paused = False
        waiting, node.waiting = node.waiting, []
        for message in waiting:
            self._deliver(node, message)
        self._poll(node)

    def plug(self, node: Node, *, into_lan: bool) -> None:
        """Its cable on the LAN is pulled, or is back; its kernel says so at once."""
        assert node.core is not None
        node.nic_cut, node.has_carrier = not into_lan, into_lan
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
                if self.now >= node.wakes_at and not node.paused:
                    self._poll(node)
            elif node.paused:
                if len(node.waiting) < _QUEUE:
                    node.waiting.append(message)
            else:
                self._deliver(node, message)
                self._poll(node)
        self.now = end

    def _schedule(self, node: Node, at: float) -> None:
        node.wakes_at = at
        self._push(at, node, None)

    def _push(self, at: float, node: Node, message: tuple[Datagram | bytes, Route] | None) -> None:
        self._count += 1
        heapq.heappush(self._events, (at, self._count, node, message))

    def _poll(self, node: Node) -> None:
        core = node.core
        if core is None:
            return
        core.poll(self.now + node.skew)
        for one in core.take():
            self._carry(node, one)
        at = core.wake_at
        if at is not None:
            node.idle_polls = node.idle_polls + 1 if at - node.skew < self.now + 1e-5 else 0
            assert node.idle_polls < 100, "it asks to be woken at once, again and again"
            self._schedule(node, max(at - node.skew, self.now + 1e-6))
        if core.members is not node.told:
            node.told = core.members
            self._is_news = True
            for watcher in self.watchers:
                watcher(node, core.members)

    def _deliver(self, node: Node, message: tuple[Datagram | bytes, Route]) -> None:
        if node.core is None:
            return
        data, route = message
        node.received += 1
        try:
            datagram = node.codec.decode(data) if isinstance(data, bytes) else data
            node.core.receive(self.now + node.skew, datagram, route)
        except (Stale, Dropped):
            return

    def _carry(self, node: Node, one: Outgoing) -> None:
        by_lan = one.route.lane != NODE_LANE
        known: Mapping[Address, Node] = self._lan if by_lan else self._management
        to = known.get(one.route.address)
        data: Datagram | bytes = node.codec.encode(one.datagram) if self.codec else one.datagram
        node.sent += 1
        if isinstance(data, bytes):
            node.sent_bytes += len(data)
        if to is None or self._is_lost(node, to, by_lan=by_lan):
            return
        back: Address = node.lan if by_lan else node.management
        route = Route(one.route.lane, back, to.lan if by_lan else None)
        self._push(self.now + self.random.uniform(*self.delay), to, (data, route))

    def _is_lost(self, source: Node, to: Node, *, by_lan: bool) -> bool:
        if not self.carries(source, to) if by_lan else self._is_cut_off(source, to):
            return True
        return self.random.random() < self.loss

    def carries(self, source: Node, to: Node) -> bool:
        """Whether a frame gets through on the LAN, if it is not lost."""
        return not (source.nic_cut or to.nic_cut or self._is_apart(source, to))

    def _is_cut_off(self, source: Node, to: Node) -> bool:
        return not self.has_management or self._is_apart(source, to)

    def _is_apart(self, source: Node, to: Node) -> bool:
        is_deaf = (source.name, to.name) in self._deaf
        return is_deaf or self._side.get(source.name, 0) != self._side.get(to.name, 0)

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
                views, truths = self.views(), self.truths()
                wrong = {
                    name: (sorted(views[name] - truths[name]), sorted(truths[name] - views[name]))
                    for name in views
                    if views[name] != truths[name]
                }
                raise AssertionError(f"after {most} s still wrong (too many, too few): {wrong}")
            self.run(step)
        self._is_news = True
        return self.now - began
