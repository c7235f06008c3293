"""Keeps an eye on the keepalived beside this speaker: its lives, its state changes, its figures.

Looking costs it nothing but a message to its sidecar; only the figures are asked of itself, and seldom.
"""

from collections.abc import Callable, Iterable, Mapping

import structlog

from openelb_bgp.model.statuses import Problem
from openelb_bgp.ports import Clock

from . import metrics
from .figures import Figures, parse, strangers
from .model import Instance
from .port import Keeper, KeeperUnavailable, Life

log = structlog.get_logger(__name__)

_PULSE = 1.0
"""Seconds between two looks at how keepalived stands."""
_FIGURES = 15.0
"""Seconds between two reports of keepalived on its instances."""
_PATIENT = 4
"""Reports in a row that may be missing, on a busy machine, before it is said."""


class Watching:
    """What is known of keepalived.

    `life` is None while it cannot be had, and `error` then says why. `strangers` tell who else uses a VRID.
    """

    def __init__(self, keeper: Keeper, *, clock: Clock, wake: Callable[[], None]) -> None:
        """`wake` is called when any of it has changed."""
        self._keeper = keeper
        self._clock = clock
        self._wake = wake
        self.life: Life | None = None
        self.error = ""
        self.strangers: tuple[Problem, ...] = ()
        self.instances: Iterable[Instance] = ()
        """Those of the plan: of which strangers are told."""
        self._figures: Mapping[str, Figures] = {}
        self._due = 0.0
        self._missing = 0

    @property
    def failing(self) -> bool:
        """Whether it ends again and again."""
        return self.life is not None and self.life.crash_loop

    async def run(self) -> None:
        """For ever."""
        with self._keeper.listening(self._told) as remind:
            while True:
                remind()
                await self._look()
                await self._clock.sleep(_PULSE)

    async def connect(self) -> None:
        """Look how it stands; have it kept if nobody does."""
        try:
            self.life, self.error = await self._keeper.connect(), ""
        except KeeperUnavailable as error:
            self.lose(error)

    def lose(self, error: KeeperUnavailable) -> None:
        """It cannot be had just now."""
        self.life, self.error = None, str(error)

    def _told(self, line: str) -> None:
        """A line of the FIFO: `INSTANCE "v4_51_eth0" MASTER 254`."""
        words = line.split()
        if len(words) >= 3 and words[0] == "INSTANCE":
            metrics.TRANSITIONS.labels(words[2]).inc()
            log.info("vrrp_state", instance=words[1].strip('"'), state=words[2])
            self._wake()

    async def _look(self) -> None:
        before = self.life, self.error
        await self.connect()
        if (self.life, self.error) != before:
            self._wake()
        if self._clock.monotonic() >= self._due and self.life is not None and self.life.ready:
            await self._read_figures()

    async def _read_figures(self) -> None:
        """Where they cannot be had, the next pulse tries again."""
        try:
            figures = parse(await self._keeper.report())
        except (KeeperUnavailable, ValueError) as error:
            self._missing += 1
            if self._missing == _PATIENT:
                log.warning("no_figures", error=str(error), tries=_PATIENT)
            return
        self._due, self._missing = self._clock.monotonic() + _FIGURES, 0
        metrics.ADVERTS_SENT.set(sum(one.sent for one in figures.values()))
        metrics.ADVERTS_RECEIVED.set(sum(one.received for one in figures.values()))
        found = tuple(strangers(self.instances, self._figures, figures))
        self._figures = figures
        if found != self.strangers:
            self.strangers = found
            self._wake()
