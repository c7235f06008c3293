"""Neighbours that another process of this node speaks to: they are left to it.

Typically the CNI. A router takes a second connection from the same address for a restart of whoever has the
first, closes that, and forgets its routes (seen with FRR). So a neighbour is not dialled to which another has
a connection, and not for a while after it has gone: it may be coming back just now. Where there is another
speaker on the node and ours loses a session, ours waits a moment before it dials again: if it was the other
that took it, each would go on taking it from the other.
"""

from collections.abc import Collection, Mapping

from openelb_bgp.ports import Clock

from .daemon import Daemon
from .discovery import bare
from .model import PeerConf

HOLD = 600.0
"""Seconds for which a neighbour stays left alone after another's connection to it was last seen."""
FIRST_WAIT, WAIT, LONGEST_WAIT = 20.0, 30.0, 300.0
"""Seconds to wait for another to come up after the first loss, the second, and at most.

While a router forgets ours it may refuse the other once (seen with FRR). GoBGP 3.10 dials again 10 to 14 s
later (5 s idle, 5 to 9 s of its retry timer), 4.8 within 7 s: ours must not be there first.
"""
LOSSES_COUNT_FOR = 900.0
"""Seconds after which a loss is forgotten."""
_PAUSE, _SHORT_PAUSE = 5.0, 1.0
"""Seconds between two looks as long as nothing changes, and while another may take what ours dials."""
_CLOSELY = 60.0
"""Seconds for which it may: then whoever was to come has come, and the tables of a busy node are long."""


class Rivals:
    """Remembers whose neighbours are whose."""

    def __init__(self, daemon: Daemon, *, clock: Clock) -> None:
        self._daemon = daemon
        self._clock = clock
        self._established: frozenset[str] = frozenset()
        self._suspects: frozenset[str] = frozenset()
        self._look_at = self._closely_until = 0.0
        self._others_exist = False
        self._seen: dict[str, tuple[str, float]] = {}
        self._losses: dict[str, list[float]] = {}
        self._waits_until: dict[str, float] = {}

    @property
    def look_again_at(self) -> float | None:
        """When to look again though nothing happens, in seconds of the monotonic clock.

        None where ours dials nobody, or is alone: whom another has reached meanwhile must not be dialled.
        """
        return self._look_at if self._contested() else None

    async def in_use(self, wanted: Collection[str], *, established: Collection[str]) -> dict[str, str]:
        """Of the wanted neighbour addresses those that are left to another, and why.

        With those that are `established` ours speaks itself; while there are no others nothing is looked at.
        """
        up, now = frozenset(established), self._clock.monotonic()
        suspects = frozenset(wanted) - up
        lost = suspects & self._established
        if self._forget(now) or suspects != self._suspects:
            # Ours may dial from now on, and never without having looked.
            self._look_at, self._closely_until = now, now + _CLOSELY
        self._suspects = suspects
        if suspects and now >= self._look_at:
            await self._look(lost)
        self._established = up
        return {address: why for address in suspects if (why := self._why(address))}

    def edited(self, *, old: Mapping[str, PeerConf], new: Mapping[str, PeerConf]) -> None:
        """The peers before and after an edit of ours: where they differ, nobody has taken the session."""
        self._established = frozenset(one for one in self._established if old.get(one) == new.get(one))

    def ended_all(self) -> None:
        """Our gobgpd has ended, and all sessions with it."""
        self._established = frozenset()

    async def _look(self, lost: Collection[str]) -> None:
        found, now = await self._daemon.others(), self._clock.monotonic()
        for address in self._suspects:
            who = found.speak_to.get(bare(address))
            if who is not None:
                self._seen[bare(address)] = who, now
                self._waits_until.pop(address, None)
            elif address in lost and found.exist:
                self._wait(address, now)
        self._others_exist = found.exist
        closely = self._contested() and now < self._closely_until
        self._look_at = now + (_SHORT_PAUSE if closely else _PAUSE)

    def _contested(self) -> bool:
        """Whether there is another speaker, and a neighbour without a session that is not known as its."""
        return self._others_exist and any(bare(address) not in self._seen for address in self._suspects)

    def _wait(self, address: str, now: float) -> None:
        losses = [at for at in self._losses.get(address, []) if now < at + LOSSES_COUNT_FOR]
        wait = min(WAIT * 2 ** (len(losses) - 1), LONGEST_WAIT) if losses else FIRST_WAIT
        self._losses[address] = [*losses, now]
        self._waits_until[address] = now + wait

    def _forget(self, now: float) -> bool:
        """Drop what has had its time; whether there was any."""
        seen = {address: one for address, one in self._seen.items() if now < one[1] + HOLD}
        waiting = {address: until for address, until in self._waits_until.items() if now < until}
        fewer = len(seen) < len(self._seen) or len(waiting) < len(self._waits_until)
        self._seen, self._waits_until = seen, waiting
        return fewer

    def _why(self, address: str) -> str:
        seen = self._seen.get(bare(address))
        if seen is not None:
            return (
                f"{seen[0]} of this node has a BGP connection to {address} of its own, and a second one "
                "would cost it its routes: leave this router to it, or end its session (ours is tried ten "
                "minutes later)"
            )
        if address in self._waits_until:
            return (
                f"the session with {address} was lost, and another BGP speaker of this node may have taken "
                "it: ours is tried again within minutes; leave this router to the other, or end that"
            )
        return ""
