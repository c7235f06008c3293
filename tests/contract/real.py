"""A node with a real gobgpd under its sidecar, and FRR as its router, in namespaces of their own."""

import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from ipaddress import ip_interface
from pathlib import Path
from typing import Any

from openelb_bgp.bgp.announcer import BgpAnnouncer
from openelb_bgp.bgp.gobgp.client import Client
from openelb_bgp.bgp.gobgp.features import parse_version
from openelb_bgp.bgp.memory import Memory
from openelb_bgp.bgp.planned import PlanOptions
from openelb_bgp.model.facts import Link
from openelb_bgp.sidecar import client as sidecar
from openelb_bgp.sidecars import KeptGobgpd
from tests.contract.process import Process, eventually
from tests.contract.virtual import LoopClock
from tests.contract.world import NODE
from tests.daemons.harness.gobgp import gobgpd_binary
from tests.daemons.harness.netns import Namespace
from tests.daemons.harness.processes import Daemon


class RealNode:
    """gobgpd of a version, kept by a sidecar, in a namespace; announcers come and go."""

    def __init__(self, version: str, space: Namespace, folder: Path) -> None:
        self.version = version
        self.space = space
        # Not below the test's own folder, whose long name would not fit into a socket's.
        self.runtime = Path(tempfile.mkdtemp(prefix="oelb-"))
        argv = (
            *(sys.executable, "-P", "-m", "openelb_bgp.sidecar", "gobgpd", "--dir", str(self.runtime)),
            *("--gobgpd", str(gobgpd_binary(version))),
        )
        self.sidecar = Daemon(space.argv(*argv), log=folder / f"{space.name}-sidecar.log")
        self.clock = LoopClock()

    async def start(self) -> None:
        """Start the sidecar, which starts gobgpd."""
        self.sidecar.start()
        await eventually(self.gobgpd_is_ready, within=20, what="gobgpd under its sidecar")

    async def gobgpd_is_ready(self) -> bool:
        """Whether its API answers."""
        try:
            return (await sidecar.dump(self.runtime)).ready
        except sidecar.SidecarError:
            return False

    async def pid(self) -> int:
        """gobgpd's pid."""
        found = (await sidecar.dump(self.runtime)).pid
        assert found is not None
        return found

    async def signal(self, number: signal.Signals) -> None:
        """Send gobgpd a signal."""
        os.kill(await self.pid(), number)

    def process(self, *, new_boot: bool = False, resync: float = 30.0, **facts: Any) -> Process:
        """A speaker that has just been started; it keeps its memory beside gobgpd, as speakers do."""

        def make(wake: Callable[[], None]) -> BgpAnnouncer:
            return BgpAnnouncer(
                KeptGobgpd(self.runtime, program=str(gobgpd_binary(self.version))),
                options=PlanOptions(),
                memory=Memory(self.runtime),
                clock=self.clock,
                wake=wake,
                resync=resync,
                boot_id="this boot",
                new_boot=new_boot,
                booted=lambda: None,
            )

        return Process(make, node=NODE, clock=self.clock, resync=resync, links=self._links(), **facts)

    def _links(self) -> tuple[Link, ...]:
        addresses = (ip_interface(f"{self.space.v4}/24"), ip_interface(f"{self.space.v6}/64"))
        return (Link(name="eth0", index=2, up=True, addresses=addresses),)

    @contextlib.asynccontextmanager
    async def by_hand(self) -> AsyncIterator[Client]:
        """A client of somebody else."""
        version = parse_version(self.version)
        async with await Client.connect(sidecar.api_target(self.runtime), version=version) as client:
            yield client

    async def stop(self) -> None:
        """End sidecar and gobgpd."""
        with contextlib.suppress(sidecar.SidecarError):
            await sidecar.stop(self.runtime, withdraw=False)
        self.sidecar.end()


@contextlib.asynccontextmanager
async def started(version: str, space: Namespace, folder: Path) -> AsyncIterator[RealNode]:
    """A node whose gobgpd runs, until the end of the test."""
    node = RealNode(version, space, folder)
    try:
        await node.start()
        yield node
    finally:
        await node.stop()
