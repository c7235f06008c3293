"""Membership as a state machine: datagrams and time in, datagrams and Members out. Pure.

Whoever owns it hands over what arrives, calls `poll` at `wake_at` and after whatever it has handed over, and
sends what `take` gives. Sockets, keys and the clock are its owner's matter. `now` is seconds on one monotonic
clock.

Here it is decided what follows from an answer, or from none, and what a node may believe. Whom to ask is
decided in `questions`, and what nodes tell each other of themselves is kept in `sharing`. Who is alive is
decided on the lanes of interfaces alone.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.members import Members

from .lanes import NODE_LANE, Lane, LocalInterface, Route, by_addresses, ways_to
from .messages import Ack, Datagram, News, Ping, Record, Summary, subject_id
from .outbox import Outbox, Outgoing
from .questions import Questions
from .sharing import Sharing
from .timing import Timing
from .view import View
from .watch import Watch

_LOOK_SECONDS = 1e-4
_PAUSES = 0.5
"""How much of the time in which others give us up a pause may last before it counts as an absence."""


class Stale(Exception):
    """A datagram that proves nothing: recorded, late, or meant for a process that is no more."""


class Membership:
    """Who is alive, for one node."""

    def __init__(self, node: str, *, boot: int, timing: Timing, now: float) -> None:
        self._node = node
        self._boot = boot
        self._timing = timing
        self._sharing = Sharing(node, boot, timing)
        self._outbox = Outbox(node, boot, self._sharing)
        self._view = View(timing, now)
        self._questions = Questions(node, timing, now)
        self._lanes: dict[str, Lane] = {}
        self._peers: Mapping[str, tuple[Address, ...]] | None = None
        self._leaving = False
        self._keyed = False
        self._void = True
        self._patience = timing.patience
        self._void_at = now
        self._starting = True
        self._look_at: float | None = now
        self._promised: float | None = None
        self._touched = True
        self._answered = False

    @property
    def members(self) -> Members:
        """As of the last poll; the same object while nothing has changed."""
        return self._view.members

    # What the world is like.

    def configure(
        self,
        now: float,
        *,
        peers: Mapping[str, tuple[Address, ...]] | None,
        interfaces: Iterable[LocalInterface],
        keyed: bool = True,
    ) -> None:
        """The other nodes by name with addresses to reach them (None: not known yet), and our interfaces.

        Without a key nothing can be told or believed: a node that has peers is void then.
        """
        self.notice(now)
        self._peers = peers
        if keyed and not self._keyed:
            self._sharing.author.tell_anew()
        self._keyed = keyed
        self._sharing.keep((peers or {}).keys())
        self._questions.aim(peers or {}, now)
        self._keep_lanes({one.name: one for one in interfaces}, now)
        self._aim(now)
        if peers and not keyed:
            self._void, self._void_at = True, now
        self._changed(now, urgent=True)

    def _keep_lanes(self, interfaces: Mapping[str, LocalInterface], now: float) -> None:
        for name in self._lanes.keys() - interfaces.keys():
            del self._lanes[name]
        self._questions.keep(self._lanes)
        for name, local in sorted(interfaces.items()):
            if name in self._lanes:
                self._lanes[name].becomes(local, now)
            else:
                self._lanes[name] = Lane(self._node, local, self._timing, now)

    def _aim(self, now: float, moved: Collection[str] | None = None) -> None:
        """Watch whom there is to be watched; if `moved` is given, only they are elsewhere than before."""
        held = self._sharing.others
        records = [one.record for node, one in sorted(held.items()) if moved is None or node in moved]
        for lane in self._lanes.values():
            lane.find(records, anew=moved is None)
            lane.watch.aim(lane.places, now)

    def leave(self, now: float) -> None:
        """Say goodbye: others take over what this node owns."""
        self._leaving = True
        self._changed(now, urgent=True)

    # Time.

    def notice(self, now: float) -> None:
        """Find out whether this process was paused; to be called before anything is believed."""
        if self._promised is None or now < self._promised + self._timing.interval:
            return
        late, self._promised = now - self._promised, None
        self._questions.start_anew(now)
        is_absence = late >= self._timing.bound * _PAUSES
        for lane in self._lanes.values():
            lane.start_anew(now)
            if is_absence:
                lane.stable_since = None
                lane.alive = False
        if is_absence:
            self._sharing.doubt()
        self._void, self._void_at, self._sharing.agrees = True, now, False
        self._patience = self._timing.bound
        self._changed(now, urgent=True)
        self._look(now)

    def poll(self, now: float) -> None:
        """Do what is due."""
        self.notice(now)
        if not self._touched and self._promised is not None and now < self._promised:
            self._put_off(now)
            return
        self._touched = self._void
        died = [watch.judge(now) for watch in self._watches()]
        if any(died):
            self._changed(now, urgent=True)
            self._look_at = now
        self._end_void(now)
        if self._keyed:
            self._questions.ask(self._lanes, now, self._ping)
        looks_at = soonest(self._look_at, self._view.review_at)
        if looks_at is not None and now >= looks_at:
            self._look(now)
        self._tell(now)
        self._promised = self._next(now)

    def _put_off(self, now: float) -> None:
        """Once all have answered, nobody needs to be asked again before the next round."""
        if self._answered and not any(watch.awaits for watch in self._watches()):
            self._answered = False
            self._promised = self._next(now)

    @property
    def wake_at(self) -> float | None:
        """When to call `poll` next, as of the last call, if nothing arrives before."""
        return self._promised

    def _next(self, now: float) -> float | None:
        # After that a void ends only with a whole round, whose instants are the watches' to know.
        void_ends = self._void_at + self._patience if self._void else now
        wakes = self._questions.wake_at(self._lanes) if self._keyed else ()
        return soonest(
            void_ends if void_ends > now else None,
            *wakes,
            self._sharing.author.wake_at(),
            self._look_at,
            self._view.review_at,
        )

    def take(self) -> list[Outgoing]:
        """What is to be sent, each once."""
        return self._outbox.take()

    def _watches(self) -> list[Watch]:
        return self._questions.watches(self._lanes)

    def _ping(self, route: Route, node: str) -> int:
        return self._outbox.put(route, node, Ping(self._sharing.digest))

    def _end_void(self, now: float) -> None:
        if self._void and self._has_heard_enough(now):
            self._void = self._starting = False
            self._questions.calm_down()
            self._changed(now, urgent=True)
            self._look_at = now
        for lane in self._lanes.values():
            if not lane.ready and not self._void and lane.watch.has_heard:
                lane.ready = True
                self._look_at = now

    def _has_heard_enough(self, now: float) -> bool:
        if self._peers is None or (self._peers and not self._keyed):
            return False
        if not all(watch.has_heard for watch in self._watches()):
            return False
        answers = any(any(watch.opinions.values()) for watch in self._watches())
        return self._sharing.agrees or not answers or now >= self._void_at + self._patience

    def _changed(self, now: float, *, urgent: bool) -> None:
        self._sharing.author.note(now, urgent=urgent)
        # To look costs some 15 µs for each node: where there are many, more of what is new is seen at once.
        wait = self._timing.interval / 40 + _LOOK_SECONDS * len(self._sharing.held)
        self._look_at = soonest(self._look_at, now + wait)
        self._touched = True

    def _look(self, now: float) -> None:
        self._look_at = None
        lanes = list(self._lanes.values())
        stable = [lane.stable_since for lane in lanes]
        self._view.look(
            lanes, self._sharing.others, own=self._sharing.author.record, void=self._void, now=now
        )
        if stable != [lane.stable_since for lane in lanes]:
            self._sharing.author.note(now, urgent=True)

    def _tell(self, now: float) -> None:
        lanes = list(self._lanes.values())
        self._sharing.write(lanes, leaving=self._leaving, void=self._starting, now=now)
        due = self._sharing.author.floods(now)
        for attempt in due if self._keyed else ():
            news = self._sharing.own_news(now)
            for node in self._peers or {}:
                if self._sharing.boot_of(node):
                    ways = [*ways_to(node, self._lanes), *by_addresses((self._peers or {})[node])]
                    self._outbox.put(ways[attempt % len(ways)], node, news)

    # What arrives.

    def receive(self, now: float, datagram: Datagram, route: Route) -> None:
        """A datagram that came from `route.address`. Raises Stale for one that proves nothing."""
        self.notice(now)
        if self._peers is None or datagram.sender not in self._peers:
            raise Stale
        lane = self._lanes.get(route.lane)
        if lane is not None and not lane.local.reaches(route.address):
            # The Node's address is this interface's, and who asks for it is behind a router.
            route = Route(NODE_LANE, route.address)
        is_for_us = datagram.to_boot == self._boot
        match datagram.body:
            case Ping(digest):
                self._answer(now, datagram, route)
                if is_for_us:
                    self._compare(now, datagram, digest, route)
                return
            case Ack() as ack if is_for_us:
                self._hear(now, datagram, ack, route)
            case News(records) if is_for_us:
                self._learn(now, records)
            case Summary(parts) if is_for_us:
                self._make_up(now, datagram, parts, route)
            case _:
                raise Stale

    def _answer(self, now: float, datagram: Datagram, route: Route) -> None:
        lane = self._lanes.get(route.lane)
        doubts = False
        if lane is not None:
            if datagram.to_boot == self._boot:
                lane.was_asked(now)
            subject = self._subject_at(datagram.sender, route.address)
            doubts = subject is not None and lane.ready and not self._void and subject not in lane.members
        ack = Ack(datagram.sequence, self._sharing.digest, doubts)
        self._outbox.put(route, datagram.sender, ack, to_boot=datagram.boot)

    def _subject_at(self, node: str, address: Address) -> int | None:
        held = self._sharing.held.get(node)
        if held is None:
            return None
        for one in held.record.interfaces:
            if any(each.ip == address for each in one.addresses):
                return subject_id(node, one.name)
        return None

    def _hear(self, now: float, datagram: Datagram, ack: Ack, route: Route) -> None:
        asked = self._questions.asked_by(ack.echo, datagram.sender)
        if asked is None:
            raise Stale
        lane_name, key = asked
        # That it answers a question of ours proves which process runs there now.
        self._sharing.runs(datagram.sender, datagram.boot)
        self._answered = True
        watch = self._questions.hello
        if lane_name != NODE_LANE:
            watch = self._lanes[lane_name].watch
            self._lanes[lane_name].was_answered(now)
        if watch.heard(key, ack.echo, doubts=ack.doubts, now=now):
            self._changed(now, urgent=False)
        self._compare(now, datagram, ack.digest, route)

    def _compare(self, now: float, datagram: Datagram, digest: int, route: Route) -> None:
        summary = self._sharing.compare(datagram.sender, digest, void=self._void, now=now)
        if summary is not None:
            self._outbox.put(route, datagram.sender, summary, to_boot=datagram.boot)

    def _make_up(self, now: float, datagram: Datagram, parts: Sequence[int], route: Route) -> None:
        for news in self._sharing.lacking(parts, datagram.sender, now):
            self._outbox.put(route, datagram.sender, news, to_boot=datagram.boot)

    def _learn(self, now: float, records: Iterable[Record]) -> None:
        learnt = self._sharing.learn(records, now)
        if learnt.moved:
            self._aim(now, learnt.moved)
        if learnt.anything:
            self._changed(now, urgent=learnt.outdone)
