"""An address that changes its virtual router, handed over so that somebody answers for it all the time.

Pure, but for what it remembers. A virtual router that nobody ran before takes three advertisement intervals
to elect its master. So whoever is master of the old one keeps the address while it can still answer: until it
is master of the new one itself, and passes the address on within one reload, or until another node reports
that it is, and has the address. Without any report it lets go after a while. Whoever is not master of the
old one has nothing to keep: there the address belongs to the new one at once, so that whoever wins has it.

For that time two nodes may answer for the address, and both can. But the old one announces itself anew with
each reload, and nobody when it lets go, so the new one goes on announcing itself until that is long over.

keepalived goes through its instances in their order when it reloads: an address must be taken off by the one
before it is put there by the other, or it ends up on neither. So an instance with departing addresses is
written first (see `render`), and they depart with the reload after that.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import EMPTY

from .model import Instance, Router

_PATIENCE = 30.0
"""Seconds after which an address is let go of though nobody reports it: its report may have been lost."""
_ANNOUNCING = _PATIENCE + 10.0
"""Seconds from the change on in which the old master may have been heard last."""
_MOST_ANNOUNCED = 50
"""Addresses of one instance that are announced that often: it takes a millisecond each."""
_GLANCE = 0.5
"""Seconds until it is looked again whether something has been loaded."""


class Sight(msgspec.Struct, frozen=True, kw_only=True):
    """What a step goes by, at `now` (monotonic seconds).

    `led` are the names of the instances that this node is master of; `routers` is what serves each address
    by the plan, on whichever nodes; `held_by_another` says of an address and a virtual router whether another
    node reports that it is master of the one and has the other.
    """

    led: Collection[str]
    routers: Mapping[Address, Router]
    can_answer: Callable[[Address], bool]
    held_by_another: Callable[[Address, Router], bool]
    now: float


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What shall run now, and when (monotonic seconds) that changes by time alone."""

    instances: tuple[Instance, ...]
    deadline: float | None = None


class Moves:
    """The moves under way on this node."""

    def __init__(self) -> None:
        self._begun: dict[Address, float] = {}
        self._routers: Mapping[Address, Router] = EMPTY
        self._changed: dict[Address, float] = {}

    @property
    def moved(self) -> Collection[Address]:
        """The addresses that have just changed their virtual router, on whichever nodes."""
        return self._changed.keys()

    def step(self, wanted: Iterable[Instance], running: Sequence[Instance], sight: Sight) -> Step:
        """From what runs, in keepalived's order, towards what is wanted."""
        made = {one.name: one for one in wanted}
        deadlines = [*self._keep(made, running, sight), *self._announce(made, sight)]
        return Step(instances=tuple(sorted(made.values())), deadline=soonest(*deadlines))

    def _keep(self, made: dict[str, Instance], running: Sequence[Instance], sight: Sight) -> Iterator[float]:
        """Leave with their hosts what is not to be let go of yet; yields until when."""
        goals = {each: one.name for one in made.values() for each in one.addresses}
        used = frozenset(sight.routers.values())
        begun, self._begun = self._begun, {}
        for place, host in enumerate(running):
            if host.name not in sight.led or (host.name not in made and host.router in used):
                # It has nothing to keep, or is for other addresses now and this node has no part in it.
                continue
            later = {one.name for one in running[place + 1 :]}
            for each in host.addresses:
                goal = goals.get(each, "")
                if goal == host.name or not sight.can_answer(each):
                    continue
                self._begun[each] = begun.get(each, sight.now)
                until = self._until(each, goal, running, sight)
                if sight.now < until and not (goal in sight.led and goal in later):
                    yield until
                    _hold(made, host, each, goal)

    def _until(self, address: Address, goal: str, running: Sequence[Instance], sight: Sight) -> float:
        """Until when an address stays where it is; what has to be loaded first is looked for again soon."""
        if goal and (goal in sight.led or all(one.name != goal for one in running)):
            return sight.now + _GLANCE
        router = sight.routers.get(address)
        if router is not None and sight.held_by_another(address, router):
            return sight.now
        return self._begun[address] + _PATIENCE

    def _announce(self, made: dict[str, Instance], sight: Sight) -> Iterator[float]:
        """Have what came from another virtual router announced again and again; yields until when."""
        before, self._routers = self._routers, sight.routers
        if before is not sight.routers:
            for each, router in sight.routers.items():
                if before.get(each, router) != router:
                    self._changed[each] = sight.now
        self._changed = {each: at for each, at in self._changed.items() if sight.now < at + _ANNOUNCING}
        for one in list(made.values()) if self._changed else ():
            arriving = self._changed.keys() & set(one.addresses) - one.departing
            if arriving and len(one.addresses) <= _MOST_ANNOUNCED:
                made[one.name] = msgspec.structs.replace(one, arriving=frozenset(arriving))
                yield min(self._changed[each] for each in arriving) + _ANNOUNCING


def _hold(made: dict[str, Instance], host: Instance, address: Address, goal: str) -> None:
    """Leave the address with its host, and out of the instance that it shall go to."""
    if goal:
        there = made[goal]
        left = tuple(one for one in there.addresses if one != address)
        made[goal] = msgspec.structs.replace(there, addresses=left)
    here = made.get(host.name) or msgspec.structs.replace(host, addresses=())
    made[host.name] = msgspec.structs.replace(
        here, addresses=tuple(sorted({*here.addresses, address})), departing=here.departing | {address}
    )
