"""Sessions as they change: WatchEvent, always drained, in bounded memory.

gobgpd keeps what a slow reader has not taken, without a limit; so a task of its own reads at once and keeps
one event per peer, the latest. What the events mean is for the announcer; details come from ListPeer.
"""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from openelb_bgp.bgp.gobgp.errors import GobgpError, SidecarUnavailable
from openelb_bgp.bgp.model import PeerEvent


class PeerWatch:
    """Batches of the latest events, at most one per peer, first the state of all peers.

    To be entered before it is iterated; leaving it ends the call. The iteration raises what ended the
    stream (SidecarUnavailable where gobgpd went away), after the last batch.
    """

    def __init__(self, events: AsyncIterator[PeerEvent | None], *, target: str) -> None:
        self._events = events
        self._target = target
        self._latest: dict[str, PeerEvent] = {}
        self._wake = asyncio.Event()
        self._end: GobgpError | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._reader = asyncio.create_task(self._drain(), name="gobgp-watch")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[PeerEvent, ...]:
        await self._wake.wait()
        if not self._latest and self._end is not None:
            raise self._end
        batch = tuple(self._latest[address] for address in sorted(self._latest))
        self._latest.clear()
        if self._end is None:
            self._wake.clear()
        return batch

    async def _drain(self) -> None:
        try:
            async for event in self._events:
                if event is not None:
                    self._latest[event.neighbor_address] = event
                    self._wake.set()
            self._end = SidecarUnavailable(self._target, "the watch ended")
        except GobgpError as exc:
            self._end = exc
        finally:
            self._wake.set()
