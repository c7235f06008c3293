"""An address that changes its virtual router, handed over so that somebody answers for it all the time.

Pure, but for what it remembers. A virtual router that nobody ran before takes three advertisement intervals
to elect its master, so an address stays where it is until that is over: on the nodes that had it, while they
can still answer. Then it passes to the new virtual router: at once where this node is master of that, else a
moment later, when its master has it too. For that moment two nodes answer for the address, and both can.

keepalived goes through its instances in their order when it reloads: an address must be taken off by the one
before it is put there by the other, or it ends up on neither. So an instance with departing addresses is
written first (see `render`), and they depart with the reload after that.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec

from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.addresses import Address

from .model import Instance, Router

_ELECTION_INTERVALS = 4
"""Advertisement intervals after which a virtual router has a master: three, and the skew."""
_RELOADING = 1.5
"""Seconds in which every node has loaded the configuration that lets it take part."""
_HANDING = 2.0
"""Seconds in which the new master has set the address, and told the LAN."""
_GLANCE = 0.5
"""Seconds until it is looked again whether something has been loaded."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """What shall run now, and when (monotonic seconds) that changes by time alone."""

    instances: tuple[Instance, ...]
    deadline: float | None = None


class Moves:
    """The moves under way on this node."""

    def __init__(self) -> None:
        self._running: dict[str, float] = {}
        self._begun: dict[Address, float] = {}

    def step(
        self,
        wanted: Iterable[Instance],
        running: Sequence[Instance],
        *,
        led: Collection[str],
        used: Collection[Router],
        can_answer: Callable[[Address], bool],
        now: float,
    ) -> Step:
        """From what runs, in keepalived's order, towards what is wanted.

        `led` are the names of the instances that this node is master of, `used` the virtual routers that the
        plan has on any node.
        """
        self._running = {one.name: self._running.get(one.name, now) for one in running}
        made = {one.name: one for one in wanted}
        goals = {each: one.name for one in made.values() for each in one.addresses}
        begun, self._begun = self._begun, {}
        deadlines: list[float] = []
        for place, host in enumerate(running):
            if host.name not in made and host.router in used:
                # It is for other addresses now, and this node has no part in it.
                continue
            later = {one.name for one in running[place + 1 :]}
            for each in host.addresses:
                goal = goals.get(each, "")
                if goal == host.name or not can_answer(each):
                    continue
                self._begun[each] = begun.get(each, now)
                if goal in led and (goal in later or host.name not in led):
                    continue
                until = self._until(each, made.get(goal), host, led=led, now=now)
                if now < until:
                    deadlines.append(until)
                    _hold(made, host, each, goal)
        return Step(instances=tuple(sorted(made.values())), deadline=soonest(*deadlines))

    def _until(
        self, address: Address, goal: Instance | None, host: Instance, *, led: Collection[str], now: float
    ) -> float:
        """Until when an address stays where it is; what has to be loaded first is looked for again soon."""
        begun = self._begun[address]
        if goal is None:
            return begun + _election(host) + _HANDING
        if goal.name in led or goal.name not in self._running:
            return now + _GLANCE
        return max(begun, self._running[goal.name] + _election(goal)) + _HANDING


def _election(one: Instance) -> float:
    """Seconds until a virtual router that is new on every node has a master."""
    return _RELOADING + _ELECTION_INTERVALS * one.advert_ms / 1000


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
