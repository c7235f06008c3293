"""The responder on a loop beside the speaker's: however long a plan takes, what is owned is answered for.

Its door to the announcer. What was decided comes in as an Order, rivals and troubles go back. An order holds
until the next one, as long as this process runs: if it was stopped, until it is decided anew.
"""

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import msgspec
import structlog

from openelb_bgp.host.packets import Dropped
from openelb_bgp.lib.beside import Beside, Ended
from openelb_bgp.lib.kept import Kept
from openelb_bgp.membership.timing import LONGEST_PLAN
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.facts import Gateway, Link
from openelb_bgp.ports import Clock

from .owned import Conflict, Handled, Ownership, Probed, Spot
from .packets import Form
from .responder import Responder
from .sockets import Unusable

T = TypeVar("T")

log = structlog.get_logger(__name__)

_TICK = 0.1
_COUNTED_WITHIN = 1.0


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What to answer for, where, and as of when that was decided (monotonic).

    Those of `leaving` are not announced any more.
    """

    owned: Mapping[Spot, Ownership]
    leaving: Collection[Spot] = ()
    links: Collection[Link]
    gateways: Collection[Gateway]
    decided_at: float


class Apart:
    """A responder beside. Used on one event loop, its home, where `conflict` and `changed` are called.

    For `trust` seconds an order holds without this process having run.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        trust: float,
        conflict: Callable[[Conflict], None],
        changed: Callable[[], None],
    ) -> None:
        def make(beside: Beside) -> _There:
            responder = Responder(
                clock=clock,
                conflict=lambda one: beside.tell_home(conflict, one),
                changed=lambda: beside.tell_home(changed),
            )
            return _There(responder, beside, clock=clock, trust=trust, away=changed)

        self._kept = Kept("answering", make=make, discard=_There.close, changed=changed)

    @property
    def failure(self) -> str:
        """Why nothing is answered, empty where it is."""
        return self._kept.failure

    async def carry_out(self, order: Order) -> Mapping[str, str]:
        """Have it answer so from now on; returns what keeps it from that, by interface."""
        running = self._kept.begun()
        if running is None:
            return {}
        try:
            return await running.beside.ask(running.it.carry_out(order))
        except Ended:
            # It has failed meanwhile, and `changed` says so.
            return {}

    def own(self, owned: Mapping[Spot, Ownership], *, leaving: Collection[Spot]) -> None:
        """Own these and no others, as was just decided; those of `leaving` are not announced any more."""
        if (running := self._kept.running) is not None:
            running.beside.tell(running.it.own, owned, leaving)

    def ask(self, spots: Collection[Spot]) -> None:
        """Ask who else has these of what is owned."""
        if (running := self._kept.running) is not None:
            running.beside.tell(running.it.responder.ask, spots)

    def remind(self, spot: Spot, to: str) -> None:
        """Tell the host with that MAC alone that this node answers for an address too."""
        if (running := self._kept.running) is not None:
            running.beside.tell(running.it.responder.remind, spot, to)

    def announce(self, spots: Collection[Spot]) -> None:
        """Announce those of them that are owned in a burst."""
        if (running := self._kept.running) is not None:
            running.beside.tell(running.it.responder.announce, spots)

    async def probe(self, spot: Spot, *, nodes: Collection[bytes]) -> Probed:
        """Who has an address that is to be announced for the first time; see `Asker.probe`."""
        running = self._kept.begun()
        if running is None:
            raise Unusable(self.failure)
        try:
            return await running.beside.ask(running.it.responder.probe(spot, nodes=nodes))
        except Ended as error:
            raise Unusable("what answers has failed") from error

    def counts(self) -> Mapping[tuple[Family, Handled | Dropped], int]:
        """What became of the frames that concerned owned addresses, since it began."""
        found = self._asked(lambda there: there.responder.counts())
        return found or {}

    def announced(self) -> Mapping[Form, int]:
        """Announcements sent without having been asked, since it began."""
        found = self._asked(lambda there: Counter(there.responder.announced))
        return found or {}

    def _asked(self, question: Callable[["_There"], T]) -> T | None:
        running = self._kept.running
        if running is None:
            return None
        return running.beside.answer(lambda: question(running.it), within=_COUNTED_WITHIN)

    async def run(self) -> None:
        """Have it begin anew when it has failed; for ever."""
        await self._kept.run()

    async def close(self) -> None:
        """Answer nothing more."""
        await self._kept.close()


class _There:
    """What lives beside: the responder, and how far what was decided can be trusted."""

    def __init__(
        self,
        responder: Responder,
        beside: Beside,
        *,
        clock: Clock,
        trust: float,
        away: Callable[[], None],
    ) -> None:
        self.responder = responder
        self._beside = beside
        self._clock = clock
        self._trust = trust
        self._away = away
        self._looked_at, self._away_at = clock.monotonic(), -math.inf
        self._trusted = False
        self._timer: asyncio.TimerHandle | None = None

    async def carry_out(self, order: Order) -> Mapping[str, str]:
        """Answer so; returns the responder's problems."""
        if self._timer is None:
            self._looked_at = self._clock.monotonic()
            self._tick()
        self._look()
        self.responder.see(order.links, order.gateways)
        self.own(order.owned, order.leaving)
        if order.decided_at >= self._away_at and not self._trusted:
            self._trusted = True
            self.responder.answer_until(self._clock.monotonic() + self._trust)
        return self.responder.problems

    def own(self, owned: Mapping[Spot, Ownership], leaving: Collection[Spot]) -> None:
        """See `Responder.own`."""
        self.responder.own(owned, leaving=leaving)

    def close(self) -> None:
        """Answer nothing more."""
        if self._timer is not None:
            self._timer.cancel()
        self.responder.close()

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_TICK, self._tick)
        self._look()
        if self._trusted:
            self.responder.answer_until(self._clock.monotonic() + self._trust)

    def _look(self) -> None:
        """Notice that this process was stopped, or that the speaker hangs: then it is to be decided anew."""
        now = self._clock.monotonic()
        gap, self._looked_at = now - self._looked_at, now
        if gap <= self._trust and self._beside.home_silent_for() <= LONGEST_PLAN:
            return
        if self._trusted:
            log.warning("was_away", seconds=round(gap, 1))
            self._beside.tell_home(self._away)
        self._trusted, self._away_at = False, now
