"""Announcers, found by their entry point: bgp, layer2, vip, or a third party's.

A mode that is off, or of which no pool exists, is not imported. An entry point `openelb_bgp.announcers`
names a function that takes a `Workplace` and returns an Announcer.
"""

import asyncio
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points

import msgspec
import structlog

from openelb_bgp.lib.tasks import one_cause
from openelb_bgp.model.pools import Protocol
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.ports import Announcer, Clock
from openelb_bgp.settings import SpeakerSettings

log = structlog.get_logger(__name__)

GROUP = "openelb_bgp.announcers"


class Workplace(msgspec.Struct, frozen=True):
    """What an announcer is given: the speaker's settings, the clock, and how to ask for a cycle."""

    settings: SpeakerSettings
    clock: Clock
    wake: Callable[[], None]


def announcer(protocol: str, workplace: Workplace) -> Announcer:
    """The announcer of a protocol. Raises LookupError when none is installed."""
    for entry in entry_points(group=GROUP, name=protocol):
        made: Announcer = entry.load()(workplace)
        return made
    raise LookupError(f"no announcer is installed for protocol {protocol}")


class Announcers:
    """The announcers of one speaker: bgp from the start, each other once a pool of its protocol exists.

    One that has come stays until the end, with or without pools.
    """

    def __init__(self, workplace: Workplace) -> None:
        self._workplace = workplace
        self._serving: dict[Protocol, Announcer] = {}
        self._off = switched_off(workplace.settings)
        self._came: asyncio.Queue[Announcer] = asyncio.Queue()
        self._enlist(Protocol.BGP)

    @property
    def off(self) -> Mapping[Protocol, str]:
        """The protocols that nobody serves here, with why and what helps."""
        return self._off

    def serving(self, snapshot: Snapshot) -> tuple[Announcer, ...]:
        """Those that work, with those that the snapshot's pools call for."""
        called_for = {pool.protocol for pool in snapshot.eips.values()} | self._left_over()
        for protocol in called_for - self._off.keys():
            if protocol not in self._serving:
                self._enlist(protocol)
        return tuple(self._serving.values())

    def _left_over(self) -> set[Protocol]:
        """Protocols of which the process before may have left something that goes on, perhaps unwanted."""
        config = self._workplace.settings.runtime_dir / "keepalived" / "keepalived.conf"
        try:
            return {Protocol.VIP} if config.stat().st_size else set()
        except OSError:
            return set()

    async def run(self) -> None:
        """Run each for ever, those that come later too. An end of one ends all."""
        with one_cause():
            async with asyncio.TaskGroup() as tasks:
                while True:
                    one = await self._came.get()
                    tasks.create_task(one.run(), name=f"announcer-{one.protocol}")

    async def close(self, *, withdraw: bool) -> None:
        """Stop them all."""
        for one in self._serving.values():
            await one.close(withdraw=withdraw)

    def _enlist(self, protocol: Protocol) -> None:
        try:
            one = announcer(protocol.value, self._workplace)
        except (LookupError, ImportError) as error:
            log.error("announcer_missing", protocol=protocol.value, error=str(error))
            self._off = {**self._off, protocol: f"{error}; see the speaker's log"}
            return
        self._serving[protocol] = one
        self._came.put_nowait(one)


def switched_off(settings: SpeakerSettings) -> dict[Protocol, str]:
    """The protocols that the settings leave out, with what helps."""
    flags = {
        Protocol.LAYER2: (settings.layer2, "--enable-layer2"),
        Protocol.VIP: (settings.vip, "--enable-keepalived-vip"),
    }
    return {
        protocol: f"the speaker was started with {flag}=false; start it with {flag}=true"
        for protocol, (wanted, flag) in flags.items()
        if not wanted
    }
