"""A process that stands for election and, while it leads, makes ConfigMaps: `NAME-1`, `NAME-2` …

    python -m tests.kube.candidate NAME NAMESPACE

It finds the API server as a pod does, prints a line of JSON whenever something happens, and leaves at
SIGTERM. It writes without a pause, so that a write is due whenever it is stopped.
"""

import asyncio
import itertools
import os
import signal
import sys
from collections.abc import Coroutine
from typing import Any

import msgspec

from openelb_bgp.kube.access import in_pod
from openelb_bgp.kube.client import Client, Timeouts
from openelb_bgp.kube.errors import KubeError
from openelb_bgp.kube.leadership import Leadership, LeaseTimes, NotLeading
from openelb_bgp.kube.lease import Election
from openelb_bgp.kube.resources import RESOURCES
from openelb_bgp.model.meta import Kind
from openelb_bgp.runtime import log, process
from openelb_bgp.runtime.clock import BootClock

TIMES = LeaseTimes(duration=2.0, renew=0.3, request=0.5)
LEASE = "openelb-test"


class SettableClock(BootClock):
    """The machine's clocks, of which somebody may set the wall clock forward."""

    ahead = 0.0

    def wall(self) -> float:
        """Seconds since the epoch, as this host believes."""
        return super().wall() + self.ahead

    def set_forward(self) -> None:
        """By an hour."""
        self.ahead += 3600.0


class Candidate:
    """One candidate over one client. SIGUSR1 sets the clock of its host forward."""

    def __init__(self, name: str, namespace: str) -> None:
        self._name = name
        self._namespace = namespace
        self._clock = SettableClock()
        self._serial = itertools.count(1)

    async def serve(self, stop: asyncio.Event) -> int:
        """Stand for election until asked to leave."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, self._set_forward)
        access = in_pod(os.environ, self._clock)
        timeouts = Timeouts(connect=0.5, request=0.5)
        async with Client(access, self._clock, manager=self._name, timeouts=timeouts) as client:
            election = Election(
                client,
                self._clock,
                namespace=self._namespace,
                name=LEASE,
                identity=self._name,
                times=TIMES,
            )

            async def term(leadership: Leadership) -> None:
                await self._lead(leadership, client)

            self._say("stands")
            await process.work_until(stop, {"election": lambda: election.run(term)})
        return 0

    async def _lead(self, leadership: Leadership, client: Client) -> None:
        self._say("leads", settles_in=round(leadership.settled_at - self._clock.monotonic(), 3))
        writer = leadership.writer(client)
        try:
            while True:
                if leadership.is_settled:
                    await self._whole(self._write(writer))
                await asyncio.sleep(0.002)
        finally:
            self._say("led")

    async def _whole(self, write: Coroutine[Any, Any, None]) -> None:
        """A write that is on its way is awaited before the end, as the controller's are."""
        task = asyncio.ensure_future(write)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait({task})
            raise

    async def _write(self, writer: Client) -> None:
        name = f"{self._name}-{next(self._serial)}"
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        try:
            await writer.create(RESOURCES[Kind.CONFIG_MAP], body, namespace=self._namespace)
        except NotLeading:
            self._say("refused", write=name)
        except KubeError as error:
            self._say("failed", write=name, error=type(error).__name__)
        else:
            self._say("wrote", write=name)

    def _set_forward(self) -> None:
        self._clock.set_forward()
        self._say("set")

    def _say(self, event: str, **fields: object) -> None:
        line = {"event": event, "at": self._clock.monotonic(), **fields}
        print(msgspec.json.encode(line).decode(), flush=True)  # noqa: T201


if __name__ == "__main__":
    log.configure(verbosity=0, colour=False, remarks={})
    sys.exit(process.run(Candidate(*sys.argv[1:]).serve))
