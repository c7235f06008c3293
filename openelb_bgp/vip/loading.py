"""Getting a configuration into keepalived, and finding what is to blame where it refuses one.

A refused configuration is never loaded. What keepalived accepts is loaded without the addresses that it does
not: they are found by halves, so that one bad address costs a few checks and holds up no other.
"""

from collections.abc import Iterable, Mapping

import msgspec
import structlog

from openelb_bgp.model.addresses import Address

from . import metrics
from .diff import spots_of
from .model import Instance
from .port import ConfigRefused, Keeper
from .render import render

log = structlog.get_logger(__name__)


class Loading:
    """What keepalived was last told, and what it would not take.

    `blocked` are addresses with keepalived's words; `refused` are its words where it takes nothing new at
    all, empty while it does.
    """

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.blocked: Mapping[Address, str] = {}
        self.refused = ""

    def text(self, instances: Iterable[Instance]) -> str:
        """What should count: everything but the blocked addresses."""
        return self._text(instances, without=self.blocked)

    def _text(self, instances: Iterable[Instance], *, without: Iterable[Address]) -> str:
        out = frozenset(without)
        left = []
        for one in instances:
            addresses = tuple(each for each in one.addresses if each not in out)
            # One that waits for its first address elects its master meanwhile.
            if addresses or not one.addresses:
                left.append(msgspec.structs.replace(one, addresses=addresses))
        return render(left, fifo=self._keeper.fifo)

    def forgive(self) -> None:
        """Try again what was refused: it may have been the interface, or the keepalived of before."""
        self.blocked, self.refused = {}, ""

    async def load(self, instances: tuple[Instance, ...]) -> bool:
        """Have it loaded; False where keepalived takes no part of it. Raises KeeperUnavailable."""
        try:
            await self._try(self.text(instances))
        except ConfigRefused as error:
            return await self._load_what_is_good(instances, str(error))
        self.refused = ""
        return True

    async def _load_what_is_good(self, instances: tuple[Instance, ...], words: str) -> bool:
        wanted = {address for one in instances for address in one.addresses} - self.blocked.keys()
        known = {spot.address for spot in spots_of(self._keeper.config())}
        new = sorted(wanted - known, key=lambda one: (one.version, int(one)))
        log.warning("config_refused", words=words, new_addresses=len(new))
        try:
            await self._try(self._text(instances, without=[*self.blocked, *new]))
        except ConfigRefused as error:
            # It is not any address: the one before goes on.
            self.refused = str(error)
            return False
        blocked = dict(self.blocked)
        await self._add(instances, new, {*new}, blocked)
        self.blocked, self.refused = blocked, ""
        return True

    async def _add(
        self,
        instances: tuple[Instance, ...],
        part: list[Address],
        out: set[Address],
        blocked: dict[Address, str],
    ) -> None:
        """Bring in a part of the addresses that are still `out`, by halves where it is refused."""
        if not part:
            return
        try:
            await self._try(self._text(instances, without=[*blocked, *(out - set(part))]))
        except ConfigRefused as error:
            if len(part) == 1:
                blocked[part[0]] = str(error)
                out.discard(part[0])
                return
            middle = len(part) // 2
            await self._add(instances, part[:middle], out, blocked)
            await self._add(instances, part[middle:], out, blocked)
        else:
            out.difference_update(part)

    async def _try(self, text: str) -> None:
        if text == self._keeper.config():
            return
        try:
            await self._keeper.load(text)
        except ConfigRefused:
            metrics.REFUSALS.inc()
            raise
        metrics.RELOADS.inc()
        log.info("config_loaded", instances=text.count("\nvrrp_instance "), addresses=len(spots_of(text)))
