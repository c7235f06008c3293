"""A real gobgpd of a named version in a node's namespace, with its API on a unix socket."""

import asyncio
import os
from pathlib import Path

from openelb_bgp.bgp.gobgp.client import Client
from openelb_bgp.bgp.gobgp.errors import SidecarUnavailable
from openelb_bgp.bgp.gobgp.features import parse_version
from tests.daemons.harness.netns import Namespace
from tests.daemons.harness.processes import Daemon

OLD, NEW = "3.10.0", "4.8.0"
VERSIONS = (OLD, NEW)


def gobgpd_binary(version: str) -> Path:
    """Where `make setup` puts gobgpd; a missing one fails the test."""
    cache = os.environ.get("OPENELB_BGP_CACHE")
    if not cache:
        cache = f"{os.environ.get('XDG_CACHE_HOME') or '~/.cache'}/openelb-bgp"
    path = Path(cache).expanduser() / "gobgp" / version / "gobgpd"
    assert path.exists(), f"{path} is missing: `make test` installs it"
    return path


class Gobgpd:
    """One gobgpd; `socket` is the path of its API."""

    def __init__(self, version: str, namespace: Namespace, folder: Path) -> None:
        self.version = version
        self.namespace = namespace
        self.socket = folder / "gobgp.sock"
        api = f"unix://{self.socket}"
        binary = str(gobgpd_binary(version))
        self.daemon = Daemon(
            namespace.argv(binary, "--api-hosts", api, "--pprof-disable", "--log-level", "debug"),
            log=folder / "gobgpd.log",
        )

    async def start(self, *, within: float = 30.0) -> Client:
        """Start it with an empty RIB, and a client that knows its version. The caller closes the client."""
        # A stale socket after SIGKILL would be fatal to gobgpd.
        self.socket.unlink(missing_ok=True)
        self.daemon.start()
        return await self.connect(within=within)

    async def connect(self, *, within: float = 30.0) -> Client:
        """One more client, as soon as the API answers."""
        async with asyncio.timeout(within):
            while True:
                try:
                    return await Client.connect(str(self.socket), version=parse_version(self.version))
                except SidecarUnavailable:
                    assert self.daemon.alive, f"gobgpd ended:\n{self.daemon.output()}"
                    await asyncio.sleep(0.02)
