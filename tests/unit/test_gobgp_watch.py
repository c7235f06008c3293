"""The watch drains its stream at once and keeps one event per peer, however slow its reader is."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from openelb_bgp.bgp.gobgp.errors import SidecarHung, SidecarUnavailable
from openelb_bgp.bgp.gobgp.watch import PeerWatch
from openelb_bgp.bgp.model import PeerEvent, SessionState


def event(address: str, state: SessionState) -> PeerEvent:
    return PeerEvent(neighbor_address=address, session_state=state)


class Stream:
    """Events handed out one by one; `taken` says how many were asked for."""

    def __init__(self, *events: PeerEvent | None, end: Exception | None = None, forever: bool = True) -> None:
        self._events = events
        self._end = end
        self._forever = forever
        self.taken = 0
        self.drained = asyncio.Event()

    async def __call__(self) -> AsyncIterator[PeerEvent | None]:
        for item in self._events:
            self.taken += 1
            yield item
        self.drained.set()
        if self._end is not None:
            raise self._end
        if self._forever:
            await asyncio.Event().wait()


async def test_a_slow_reader_gets_the_latest_state_of_each_peer() -> None:
    flaps = [event("10.0.0.1", state) for state in (SessionState.ACTIVE, SessionState.ESTABLISHED) * 5000]
    stream = Stream(event("10.0.0.2", SessionState.IDLE), None, *flaps)
    async with PeerWatch(stream(), target="here") as watch:
        await stream.drained.wait()
        assert stream.taken == 10_002
        assert await anext(watch) == (
            event("10.0.0.1", SessionState.ESTABLISHED),
            event("10.0.0.2", SessionState.IDLE),
        )


async def test_nothing_new_means_waiting() -> None:
    stream = Stream(event("10.0.0.1", SessionState.ACTIVE))
    async with PeerWatch(stream(), target="here") as watch:
        await anext(watch)
        waiting = asyncio.ensure_future(anext(watch))
        done, _ = await asyncio.wait([waiting], timeout=0)
        assert not done
        waiting.cancel()


async def test_what_ended_the_stream_is_raised_after_the_last_events() -> None:
    stream = Stream(event("10.0.0.1", SessionState.IDLE), end=SidecarHung("here", "WatchEvent", 1))
    async with PeerWatch(stream(), target="here") as watch:
        await stream.drained.wait()
        assert await anext(watch) == (event("10.0.0.1", SessionState.IDLE),)
        for _ in range(2):
            with pytest.raises(SidecarHung):
                await anext(watch)


async def test_a_stream_that_just_ends_is_a_sidecar_that_went() -> None:
    async with PeerWatch(Stream(forever=False)(), target="here") as watch:
        with pytest.raises(SidecarUnavailable, match="here"):
            await anext(watch)


async def test_leaving_ends_the_call() -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncIterator[PeerEvent | None]:
        try:
            yield event("10.0.0.1", SessionState.IDLE)
            await asyncio.Event().wait()
        finally:
            closed.set()

    async with PeerWatch(endless(), target="here") as watch:
        await anext(watch)
    assert closed.is_set()
