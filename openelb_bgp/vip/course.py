"""From what keepalived runs to what the plan wants: what shall run now, and when that changes by itself.

Pure, but for what it remembers of this process. The plan counts at once, but for what is in doubt since the
start (`doubt`), and for addresses that pass from one virtual router to another step by step (`moves`).
"""

from collections.abc import Collection, Mapping
from functools import partial

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import EMPTY
from openelb_bgp.model.snapshot import Snapshot

from .buckets import BucketPlan
from .claims import can_answer
from .diff import Observed, mastered
from .doubt import doubt_of, with_doubtful
from .masters import held_by_another
from .model import Instance, Router
from .moves import Moves, Sight, Step
from .plan import VipPlan
from .running import instances_of


class Course:
    """The course of one process; the first step finds what the process before has left."""

    def __init__(self) -> None:
        self._moves = Moves()
        self._buckets = BucketPlan()
        self._routers: Mapping[Address, Router] = EMPTY
        self._found: tuple[Instance, ...] | None = None
        self.unplaced: frozenset[Address] = frozenset()
        """What was found, and no plan of this process has named."""

    @property
    def moved(self) -> Collection[Address]:
        """The addresses that have just changed their virtual router."""
        return self._moves.moved

    def step(self, made: VipPlan, observed: Observed, snapshot: Snapshot, *, now: float) -> Step:
        """What shall run until something changes."""
        running = instances_of(observed.config)
        if self._found is None:
            self._found = running
            self.unplaced = frozenset(each for one in running for each in one.addresses)
        claims = made.buckets.claims
        if self.unplaced:
            self.unplaced -= claims.keys()
        doubt = doubt_of(snapshot, node=made.node)
        if made.buckets is not self._buckets:
            self._buckets = made.buckets
            self._routers = {each: one.router for one in made.buckets.buckets for each in one.addresses}
        sight = Sight(
            led=mastered(running, observed.spots).keys(),
            routers=self._routers,
            can_answer=lambda one: one in claims and can_answer(claims[one], snapshot, node=made.node),
            held_by_another=partial(held_by_another, snapshot=snapshot, node=made.node),
            now=now,
        )
        wanted = with_doubtful(made.instances, self._found, self.unplaced, doubt)
        return self._moves.step(wanted, running, sight)
