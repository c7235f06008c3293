"""Announcers abreast: a cycle asks each to reconcile, and none waits for another that hangs.

Whoever takes longer than a moment goes on by itself. Meanwhile the cycles of the others go on, with what it
said last, and once it has ended it is asked anew. What it says late is as good as ever, of the revision that
it was asked about: on a machine under load every answer may be late.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from openelb_bgp.model.facts import Facts
from openelb_bgp.model.pools import Protocol
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.ports import Announcement, Announcer, Event

PATIENCE = 0.2
"""Seconds for which a cycle waits for those that it has asked: most take milliseconds."""
_LOOK_AGAIN = 1.0


class Abreast:
    """Asks the announcers of one speaker; `wake` is called when one that took long has ended."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._asked: dict[Protocol, asyncio.Task[Announcement]] = {}
        self._late: set[Protocol] = set()
        self._said: dict[Protocol, Announcement] = {}
        self._news: set[Protocol] = set()
        self._events: dict[Protocol, tuple[Event, ...]] = {}

    async def reconcile(
        self, announcers: Sequence[Announcer], snapshot: Snapshot, facts: Facts
    ) -> tuple[Announcement, ...]:
        """What each says, in that order. Raises what one of them failed with."""
        self._collect()
        asked = []
        for one in announcers:
            if one.protocol not in self._asked:
                self._asked[one.protocol] = asyncio.create_task(one.reconcile(snapshot, facts))
                asked.append(self._asked[one.protocol])
        if asked:
            await asyncio.wait(asked, timeout=PATIENCE)
        self._collect()
        for protocol, task in self._asked.items():
            if protocol not in self._late:
                self._late.add(protocol)
                task.add_done_callback(lambda _: self._wake())
        return tuple(self._announcement(one.protocol, snapshot.revision, now=facts.now) for one in announcers)

    async def close(self) -> None:
        """Whoever still works is cancelled."""
        for task in self._asked.values():
            task.cancel()
        await asyncio.gather(*self._asked.values(), return_exceptions=True)
        self._asked.clear()

    def _collect(self) -> None:
        ended = {protocol: task for protocol, task in self._asked.items() if task.done()}
        for protocol in ended:
            del self._asked[protocol]
            self._late.discard(protocol)
        for protocol, task in ended.items():
            said = task.result()
            self._said[protocol] = said
            self._news.add(protocol)
            # Of one that is asked anew at once what happened before is not to be lost.
            self._events[protocol] = (*self._events.get(protocol, ()), *said.events)

    def _announcement(self, protocol: Protocol, revision: int, *, now: float) -> Announcement:
        said = self._said.get(protocol, Announcement(protocol=protocol, revision=revision, settled=False))
        events, is_news = self._events.pop(protocol, ()), protocol in self._news
        self._news.discard(protocol)
        if protocol in self._asked:
            again, settled = now + _LOOK_AGAIN, said.settled and is_news
            return msgspec.structs.replace(said, settled=settled, events=events, wake_at=again)
        return said if events == said.events else msgspec.structs.replace(said, events=events)
