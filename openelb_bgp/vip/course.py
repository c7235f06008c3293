"""From what keepalived runs to what the plan wants: what shall run now, and when that changes by itself.

Pure, but for what it remembers of this process. The plan counts at once, but for what is in doubt since the
start (`doubt`), and for addresses that pass from one virtual router to another step by step (`moves`).
"""

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.snapshot import Snapshot

from .claims import can_answer
from .diff import Observed, mastered
from .doubt import doubt_of, with_doubtful
from .model import Instance
from .moves import Moves, Step
from .plan import VipPlan
from .running import instances_of


class Course:
    """The course of one process; the first step finds what the process before has left."""

    def __init__(self) -> None:
        self._moves = Moves()
        self._found: tuple[Instance, ...] | None = None
        self.unplaced: frozenset[Address] = frozenset()
        """What was found, and no plan of this process has named."""

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
        return self._moves.step(
            with_doubtful(made.instances, self._found, self.unplaced, doubt),
            running,
            led=mastered(running, observed.spots).keys(),
            used={one.router for one in made.buckets.buckets},
            can_answer=lambda one: one in claims and can_answer(claims[one], snapshot, node=made.node),
            now=now,
        )
