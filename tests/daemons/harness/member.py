"""Membership in a process of its own: a line of JSON on standard output whenever it sees something else.

`python -m tests.daemons.harness.member NAME --peer NAME=ADDRESS… --key-file FILE` watches on eth0 until
SIGTERM, and then says goodbye. SIGUSR1 asks how many datagrams were dropped, by reason.
"""

import argparse
import asyncio
import json
import signal
import sys
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY

from openelb_bgp.host.netlink import HostState, read_host
from openelb_bgp.membership.on_demand import MembershipOnDemand
from openelb_bgp.membership.timing import Timing
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.meta import Kind, Meta
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.runtime.clock import BootClock


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--key-file", type=Path)
    parser.add_argument("--interval", type=float, default=0.5)
    parser.add_argument("--port", type=int, default=7946)
    return parser.parse_args()


def _snapshot(names: dict[str, str]) -> Snapshot:
    nodes = {
        name: Node(meta=Meta(name=name), addresses=(ip_address(address),)) for name, address in names.items()
    }
    return Snapshot(nodes=nodes, listed=frozenset(Kind))


class Member:
    """The process's membership, told line by line."""

    def __init__(self, arguments: argparse.Namespace, host: HostState) -> None:
        self._snapshot = _snapshot(dict(one.split("=") for one in arguments.peer))
        self._host = host
        self._last = ""
        self._aiming = False
        self.membership = MembershipOnDemand(
            arguments.name,
            namespace="openelb-system",
            clock=BootClock(),
            changed=self.changed,
            timing=Timing(interval=arguments.interval),
            port=arguments.port,
            key_file=arguments.key_file,
        )

    def changed(self) -> None:
        """Aim anew as a speaker's cycle does, and tell what is new."""
        if not self._aiming:
            self._aiming = True
            self.membership.aim({"eth0"}, self._host.links, self._snapshot)
            self._aiming = False
        self.tell()

    def tell(self) -> None:
        line = json.dumps(self._told())
        if line != self._last:
            self._last = line
            _say(line)

    def _told(self) -> dict[str, Any]:
        members = self.membership.members
        return {
            "void": members.void,
            "void_changed": members.since,
            "own": {name: one.alive for name, one in members.own.items()},
            "alive": sorted(
                name for name, one in members.others.items() if any(e.alive for e in one.interfaces.values())
            ),
            "leaving": sorted(name for name, one in members.others.items() if one.leaving),
            "instances": {name: str(one.instance) for name, one in members.others.items()},
            "problems": [[one.reason, one.message] for one in self.membership.problems],
        }


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _dropped() -> dict[str, float]:
    found = [one for family in REGISTRY.collect() for one in family.samples]
    return {
        one.labels["reason"]: one.value for one in found if one.name == "openelb_membership_dropped_total"
    }


async def _work() -> None:
    member = Member(_arguments(), await read_host())
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, lambda: _say(json.dumps({"dropped": _dropped()})))
    member.changed()
    task = asyncio.create_task(member.membership.run())
    await stop.wait()
    task.cancel()
    member.membership.leave()
    await member.membership.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(_work()))
