"""A real FRR router in a namespace: zebra, bgpd and bfdd under a pathspace named after the namespace."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.daemons.harness.netns import FRR_FOLDERS, Namespace, run
from tests.daemons.harness.processes import Daemon
from tests.daemons.harness.waiting import wait_until

_DAEMONS = ("zebra", "bgpd", "bfdd")
# Replaces IPv6 routes in place, as IPv4 ones: by default they are deleted and added again (FRR 8.4).
_OPTIONS: Mapping[str, tuple[str, ...]] = {"zebra": ("--v6-rr-semantics",)}
_SCRATCH = Path("/var/tmp/frr")
_PROGRAMS = (Path("/usr/lib/frr"), Path("/usr/libexec/frr"), Path("/usr/sbin"))


def bgp_config(
    namespace: Namespace, *, asn: int, neighbors: dict[str, int], extra: tuple[str, ...] = ()
) -> str:
    """A bgpd configuration that peers with GoBGP and installs ECMP for both families.

    `neighbors` is address → ASN, timers 3/9 s; add-path is offered for reception, as FRR always does. `extra`
    lines go into the `router bgp` block.
    """
    lines = [
        f"router bgp {asn}",
        f" bgp router-id {namespace.v4}",
        " no bgp ebgp-requires-policy",
        " no bgp network import-check",
        " bgp bestpath as-path multipath-relax",
        " timers bgp 3 9",
    ]
    for address, remote in neighbors.items():
        lines += [f" neighbor {address} remote-as {remote}", f" neighbor {address} timers connect 1"]
    lines += extra
    for family in ("ipv4", "ipv6"):
        lines += [f" address-family {family} unicast", "  maximum-paths 64"]
        lines += [f"  neighbor {address} activate" for address in neighbors]
        lines += [" exit-address-family"]
    return "\n".join(lines) + "\n"


class Frr:
    """One router. `config` is bgpd's; zebra and bfdd start empty."""

    def __init__(self, namespace: Namespace, config: str, folder: Path) -> None:
        self.namespace = namespace
        self._config = config
        self.daemons = {name: self._daemon(name, folder) for name in _DAEMONS}

    def _daemon(self, name: str, folder: Path) -> Daemon:
        program = next((path / name for path in _PROGRAMS if (path / name).exists()), None)
        assert program is not None, f"FRR's {name} is missing: `make test` installs it"
        config = FRR_FOLDERS[0] / self.namespace.name / f"{name}.conf"
        options = ("-N", self.namespace.name, "-f", str(config), "--log", "stdout", *_OPTIONS.get(name, ()))
        argv = self.namespace.argv(str(program), *options)
        return Daemon(argv, log=folder / f"{self.namespace.name}-{name}.log")

    async def start(self, *, within: float = 30.0) -> None:
        """Start all daemons; returns when they answer."""
        for parent in FRR_FOLDERS:
            folder = parent / self.namespace.name
            folder.mkdir(parents=True, exist_ok=True)
            shutil.chown(folder, "frr", "frr")
        etc = FRR_FOLDERS[0] / self.namespace.name
        (etc / "vtysh.conf").write_text("")
        for name in _DAEMONS:
            (etc / f"{name}.conf").write_text(self._config if name == "bgpd" else "")
        # zebra first: a daemon that does not find its socket tries again only 10 s later.
        for name in _DAEMONS:
            await self.start_daemon(name, within=within)

    async def start_daemon(self, name: str, *, within: float = 30.0) -> None:
        """Start one daemon, or start it again after its end."""
        vty = FRR_FOLDERS[1] / self.namespace.name / f"{name}.vty"
        vty.unlink(missing_ok=True)
        self.daemons[name].start()
        await wait_until(vty.exists, within=within, what=f"{name} of {self.namespace.name}")

    def stop(self) -> None:
        """Kill all daemons, and remove what they leave behind when they are killed."""
        for name, daemon in self.daemons.items():
            daemon.end()
            for pid in daemon.pids:
                shutil.rmtree(_SCRATCH / f"{name}.{pid}", ignore_errors=True)

    def vtysh(self, *commands: str) -> str:
        """What these commands print."""
        words = [word for command in commands for word in ("-c", command)]
        return run("vtysh", "-N", self.namespace.name, *words)

    def configure(self, *lines: str) -> None:
        """Change the running configuration."""
        self.vtysh("configure terminal", *lines)

    def show(self, command: str) -> Any:
        """A `show` command's JSON, decoded."""
        return json.loads(self.vtysh(f"show {command} json") or "{}")

    def established(self, neighbor: str) -> bool:
        """Whether the session with that neighbour is up."""
        return bool(self.neighbor(neighbor).get("bgpState") == "Established")

    def neighbor(self, neighbor: str) -> dict[str, Any]:
        """What FRR knows of a neighbour."""
        found: dict[str, Any] = self.show(f"bgp neighbors {neighbor}").get(neighbor, {})
        return found

    def resets(self, neighbor: str) -> int:
        """How often an established session with that neighbour was lost."""
        return int(self.neighbor(neighbor).get("connectionsDropped", 0))

    def prefixes(self, family: str = "ipv4") -> set[str]:
        """All prefixes in the BGP table."""
        return set(self.show(f"bgp {family} unicast").get("routes", {}))

    def paths(self, prefix: str, family: str = "ipv4") -> list[dict[str, Any]]:
        """The paths of one prefix in the BGP table, in detail."""
        found: list[dict[str, Any]] = self.show(f"bgp {family} unicast {prefix}").get("paths", [])
        return found
