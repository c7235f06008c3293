"""FRR without containers: zebra, bgpd and bfdd of one router under a pathspace of its own (`-N NAME`).

Knows how FRR is started, asked and cleaned up; what the configuration says is in `manifests/lab/`, what the
kernel made of it in `kernel.py`. Source: FRR's manual, "Basic Setup" and "Common Invocation Options".
"""

import json
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.namespaces import Namespace
from lab.processes import Process, Registry
from lab.shell import FRR_FOLDERS, program, run, wait_until
from lab.topology import Node

_ETC = Path("/etc/frr")
_RUN = Path("/var/run/frr")
_SCRATCH = Path("/var/tmp/frr")
_CLIENTS = ("bgpd", "bfdd")
# Else zebra deletes an IPv6 route and adds it again when its next hops change, which costs packets (FRR 8.4).
_OPTIONS: Mapping[str, tuple[str, ...]] = {"zebra": ("--v6-rr-semantics",)}


@dataclass(frozen=True, slots=True)
class Session:
    """A BGP session as FRR sees it."""

    peer: str
    state: str
    prefixes: int
    """Prefixes accepted from the peer, of all address families."""
    resets: int
    """How often an established session was lost."""


@dataclass(frozen=True, slots=True)
class Router:
    """One FRR: `name` is its pathspace, as in `vtysh -N NAME`, and its namespace."""

    node: Node
    namespace: Namespace
    registry: Registry
    scratch: Path
    """The lab's folder for what its daemons write when they crash."""

    @property
    def name(self) -> str:
        """The pathspace."""
        return self.namespace.name

    def start(self, *, within: float = 10.0) -> None:
        """Start the daemons and load the node's frr.conf; returns when it is in force."""
        self._make_folders()
        # zebra first: a daemon that does not find its socket tries again only 10 s later.
        self._start_daemon("zebra")
        self._wait_for("zebra", within=within)
        for daemon in _CLIENTS:
            self._start_daemon(daemon)
        for daemon in _CLIENTS:
            self._wait_for(daemon, within=within)
        run(("vtysh", "-N", self.name, "-b"))

    def process(self, daemon: str) -> Process:
        """The process of zebra, bgpd or bfdd."""
        found = self.registry.find(f"{self.node.name}-{daemon}")
        if found is None:
            raise LabError(f"{daemon} of {self.node.name} was never started")
        return found

    def restart_bgpd(self, *, within: float = 10.0) -> None:
        """Start bgpd again after its end, with the configuration it had."""
        self._start_daemon("bgpd")
        self._wait_for("bgpd", within=within)
        run(("vtysh", "-N", self.name, "-b"))

    def vtysh(self, *commands: str) -> str:
        """What these commands print."""
        return run(("vtysh", "-N", self.name, *(part for command in commands for part in ("-c", command))))

    def show(self, command: str) -> Any:
        """A `show … json` command, decoded."""
        return json.loads(self.vtysh(f"{command} json") or "{}")

    def configure(self, *lines: str) -> None:
        """Change the running configuration."""
        self.vtysh("configure terminal", *lines)

    def sessions(self) -> Mapping[str, Session]:
        """All neighbours by address."""
        neighbours = self.show("show bgp neighbors")
        return {peer: _session(peer, data) for peer, data in neighbours.items() if "bgpState" in data}

    def established(self) -> tuple[str, ...]:
        """The neighbours whose sessions are up, sorted."""
        return tuple(sorted(s.peer for s in self.sessions().values() if s.state == "Established"))

    def paths(self, prefix: str) -> frozenset[tuple[str, str]]:
        """The paths to exactly this prefix in the BGP table: pairs of next hop and the peer that sent it."""
        family = "ipv6" if ":" in prefix else "ipv4"
        table = self.show(f"show bgp {family} unicast {prefix}")
        return frozenset(
            (hop["ip"], path["peer"]["peerId"])
            for path in table.get("paths", ())
            for hop in path["nexthops"]
            if hop.get("scope") != "link-local"
        )

    def _start_daemon(self, daemon: str) -> None:
        # What a killed one left would pass for the new one's.
        self._vty(daemon).unlink(missing_ok=True)
        binary = program(daemon, folders=FRR_FOLDERS)
        log = ("--log", "stdout", "--log-level", "informational")
        # An empty file: the one configuration for all daemons comes by vtysh, as FRR's own scripts do it.
        options = ("-N", self.name, "-f", "/dev/null", *log, *_OPTIONS.get(daemon, ()))
        argv = self.namespace.argv(*_scratch_at(self.scratch), binary, *options)
        self.registry.start(f"{self.node.name}-{daemon}", argv)

    def _wait_for(self, daemon: str, *, within: float) -> None:
        process = self.process(daemon)

        def ready() -> bool:
            if not process.alive():
                raise LabError(f"{daemon} of {self.node.name} ended at once:\n{process.tail()}")
            return self._vty(daemon).exists()

        wait_until(ready, within=within, what=f"{daemon} of {self.node.name}")

    def _vty(self, daemon: str) -> Path:
        """The socket that says that a daemon listens to vtysh."""
        return _RUN / self.name / f"{daemon}.vty"

    def _make_folders(self) -> None:
        config = self.node.bound("/etc/frr/frr.conf")
        if config is None:
            raise LabError(f"router {self.node.name}: no file is bound to /etc/frr/frr.conf")
        for folder in (_ETC / self.name, _RUN / self.name, self.scratch):
            folder.mkdir(parents=True, exist_ok=True)
            shutil.chown(folder, "frr", "frr")
        vtysh = self.node.bound("/etc/frr/vtysh.conf")
        (_ETC / self.name / "vtysh.conf").write_text(vtysh.read_text() if vtysh else "")
        shutil.copy(config, _ETC / self.name / "frr.conf")


def remove_traces(pathspaces: Iterable[str]) -> None:
    """Delete what routers keep outside their lab's folder; their daemons must have ended."""
    for pathspace in pathspaces:
        for parent in (_ETC, _RUN):
            shutil.rmtree(parent / pathspace, ignore_errors=True)


def _scratch_at(folder: Path) -> tuple[str, ...]:
    """What to put in front of a daemon so that its crash logs and log buffers go to `folder`.

    FRR writes them to a place compiled in, and one that is killed never removes them. `ip netns exec` gives
    each process a mount namespace of its own, so nobody else sees this mount.
    """
    script = f'mkdir -p {_SCRATCH} && mount --bind "$0" {_SCRATCH} && exec "$@"'
    return ("sh", "-c", script, str(folder))


def _session(peer: str, data: Mapping[str, Any]) -> Session:
    families = data.get("addressFamilyInfo", {}).values()
    return Session(
        peer=peer,
        state=data["bgpState"],
        prefixes=sum(family.get("acceptedPrefixCounter", 0) for family in families),
        resets=data.get("connectionsDropped", 0),
    )
