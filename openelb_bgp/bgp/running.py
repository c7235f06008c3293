"""What runs in the gobgpd beside us, as far as we know: read from it, then kept up by what we apply.

Reading is done when a connection is new, when something was refused, and on each resync; what was read is
turned into a Configuration with what was applied last (`memory`). No decision is made here.
"""

from collections.abc import Iterable

import structlog

from openelb_bgp.ports import Clock

from .diff import Configuration
from .execute import Executor
from .memory import Memory
from .model import PathKey
from .observe import Reading, configuration, read
from .planned import BgpPlan
from .port import Gobgp

log = structlog.get_logger(__name__)

_LISTING_SHARE = 0.003
"""Of all time, how much listing paths may take."""
_PATH_SECONDS = 50e-6
"""What listing one path costs at least, here and in gobgpd: half a second for 10,000."""
_SLOWEST = 4
"""How many times that a machine may need. What took longer was waiting: a busy machine must not make us look
seldom."""


class Running:
    """Knows one gobgpd at a time.

    `configuration` is what runs there, None while that is not known; `was_started` says whether BGP ran when
    last we knew, in this gobgpd or the one before.
    """

    def __init__(self, memory: Memory, *, clock: Clock, resync: float) -> None:
        self._memory = memory
        self._clock = clock
        self._resync = resync
        self._on: Gobgp | None = None
        self._reading: Reading | None = None
        self._learned = Reading().learned
        self._read_due = 0.0
        self._listed_at, self._listing_took = 0.0, 0.0
        self._touched: set[PathKey] | None = None
        self.configuration: Configuration | None = None
        self.was_started = False

    @property
    def touched(self) -> frozenset[PathKey] | None:
        """The keys under which the last plan noted may differ from what runs; None: any."""
        return None if self._touched is None else frozenset(self._touched)

    async def refresh(self, gobgp: Gobgp) -> Reading | None:
        """Read it where that is due; returns the reading, None where what is known still counts.

        Raises GobgpError.
        """
        if gobgp is not self._on:
            self._on, self.configuration = gobgp, None
        known, began = self.configuration, self._clock.monotonic()
        if known is not None and began < self._read_due:
            return None
        trusted = known is not None and began < self._listing_due(known)
        last = Reading(paths=known.paths, learned=self._learned) if known is not None and trusted else None
        reading = await read(gobgp, last=last)
        ended = self._clock.monotonic()
        self._reading, self._learned = reading, reading.learned
        self._read_due = ended + self._resync
        if last is None or reading.paths is not last.paths:
            self._listed_at, self._listing_took = ended, ended - began
            self._touched = None
        return reading

    def _listing_due(self, known: Configuration) -> float:
        """When paths are listed again: by what it took last, and by what it would take now."""
        least = len(known.paths) * _PATH_SECONDS
        cost = min(max(self._listing_took, least), _SLOWEST * least)
        return self._listed_at + max(self._resync, cost / _LISTING_SHARE)

    def note(self, plan: BgpPlan) -> None:
        """Take note of the next plan, the successor of the one noted before."""
        if plan.changed is None:
            self._touched = None
        elif self._touched is not None:
            self._touched |= plan.changed

    def touch(self, keys: Iterable[PathKey]) -> None:
        """Paths may differ under these keys too, whatever the plans say of them."""
        if self._touched is not None:
            self._touched.update(keys)

    def known(self, plan: BgpPlan) -> Configuration:
        """What runs, told in the words of `plan` where they fit. Only after `refresh`."""
        if self._reading is not None:
            wanted = Configuration(global_conf=plan.global_conf, peers=plan.peers)
            self.configuration = configuration(self._reading, self._memory.recall(plan.peers), wanted)
            self._reading = None
            self.was_started = self.configuration.global_conf is not None
        return self.configuration or Configuration()

    def doubt(self) -> None:
        """Read it again with the next `refresh`."""
        self._read_due = 0.0

    def applied(self, work: Executor, *, wholly: bool) -> None:
        """Take over what was done; `wholly`: nothing is left to do but what was refused."""
        before, now = self.configuration or Configuration(), work.actual
        self.configuration, self.was_started = now, now.global_conf is not None
        self._touched = {one.key for one in work.failures if one.key is not None} if wholly else None
        if work.failures:
            self.doubt()
        if (before.global_conf, before.peers) == (now.global_conf, now.peers):
            return
        try:
            self._memory.remember(now.global_conf, now.peers.values())
        except OSError as error:
            log.warning("peers_not_remembered", error=str(error))
