"""A LAN whose nodes serve vip pools: a controller, a speaker a node, keepalived beside each, and a client."""

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from openelb_bgp.model.meta import Kind
from openelb_bgp.sidecar import client as sidecar
from openelb_bgp.sidecar.kinds import KEEPALIVED
from openelb_bgp.vip.model import TOP_PRIORITY
from openelb_bgp.vip.running import instances_of
from tests.daemons.harness.keepalived import addresses_of
from tests.daemons.harness.manifests import Object, eip, endpoints, node, service
from tests.daemons.harness.netns import Lan, Namespace
from tests.daemons.harness.openelb import METRICS_PORT, OpenElb
from tests.daemons.harness.processes import Daemon
from tests.daemons.harness.waiting import wait_until

LONG = 120.0
_REPLY = re.compile(r"icmp_seq=(\d+)")


class VipNode:
    """One node: its speaker, and the keepalived that outlives it."""

    def __init__(self, name: str, space: Namespace, folder: Path, *arguments: str) -> None:
        self.name, self.space = name, space
        self.speaker = OpenElb(space, folder, "--resync", "1", *arguments, command="speaker", node_name=name)

    @property
    def folder(self) -> Path:
        """Of keepalived's sidecar."""
        return self.speaker.runtime / KEEPALIVED.name

    @property
    def config(self) -> str:
        """What keepalived runs."""
        path = self.folder / "keepalived.conf"
        return path.read_text() if path.exists() else ""

    @property
    def held(self) -> set[str]:
        """The Services' addresses on its NIC."""
        return addresses_of(self.space)

    @property
    def led(self) -> set[str]:
        """The addresses for which it comes first."""
        first = [one for one in instances_of(self.config) if one.priority == TOP_PRIORITY]
        return {str(each) for one in first for each in one.addresses}

    def figure(self, name: str) -> float:
        """One of its metrics `openelb_bgp_vip_…`, with its labels if it has any; -1 while it is not told."""
        _, text = self.speaker.http("/metrics")
        found = re.search(rf"^openelb_bgp_vip_{re.escape(name)} (\S+)$", text, re.MULTILINE)
        return float(found[1]) if found else -1.0

    def pid(self, file: str = "keepalived.pid") -> int:
        """keepalived's, or with `vrrp.pid` that of the process that speaks VRRP; 0 while there is none."""
        try:
            return int((self.folder / file).read_text())
        except (OSError, ValueError):
            return 0

    def kill_keepalived(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Both of its processes."""
        for file in ("vrrp.pid", "keepalived.pid"):
            if pid := self.pid(file):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)

    async def kill_sidecar(self) -> None:
        """The sidecar, by SIGKILL."""
        found = sidecar.find(self.speaker.runtime, KEEPALIVED)
        assert found is not None
        assert found.sidecar is not None
        os.kill(found.sidecar.pid, signal.SIGKILL)

    def power_off(self) -> None:
        """Everything of it at once, without a word, and its addresses with it."""
        self.speaker.daemon.send(signal.SIGKILL)
        for pid in self.space.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.space.run("ip", "link", "set", "eth0", "down")


class VipCluster:
    """Files, a controller, and nodes node1, node2, …; the LAN's first router is the client."""

    def __init__(self, lan: Lan, folder: Path, *arguments: str, port: int = METRICS_PORT) -> None:
        """`port` is the speakers' for metrics; the controller's, in the switch, is one below."""
        self.lan, self.folder = lan, folder
        self.controller = OpenElb(
            lan.switch, folder, "--metrics-addr", f"127.0.0.1:{port - 1}", command="controller"
        )
        self.nodes = [
            VipNode(f"node{index}", space, folder, *arguments)
            for index, space in enumerate(lan.nodes, start=1)
        ]
        self.client = lan.routers[0]

    def write(self, *objects: Object) -> None:
        """The Nodes and these objects."""
        self.controller.write("cluster", *self.node_objects(), *objects)

    def node_objects(self) -> list[Object]:
        """The Nodes."""
        return [node(one.name, one.space.v4, one.space.v6) for one in self.nodes]

    def start(self) -> None:
        """The controller and all speakers."""
        self.lan.switch.run("ip", "link", "set", "lo", "up")
        self.controller.start()
        for one in self.nodes:
            one.speaker.start()

    async def stop(self) -> None:
        """Everything, keepalived and gobgpd too."""
        self.controller.daemon.end()
        for one in self.nodes:
            one.speaker.daemon.end()
        # What is detached lies in the namespaces, whose removal ends it.

    def holders(self, address: str) -> list[str]:
        """The nodes that have the address on their NIC."""
        return [one.name for one in self.nodes if address in one.held]

    def node(self, name: str) -> VipNode:
        """By its name."""
        return next(one for one in self.nodes if one.name == name)

    async def one_holder(self, *addresses: str, among: Iterable[str] = (), within: float = LONG) -> VipNode:
        """Return when one node has each of these, and it is one of those; the node of the first address."""
        allowed = set(among) or {one.name for one in self.nodes}

        def held() -> list[str] | None:
            found = [self.holders(address) for address in addresses]
            good = all(len(one) == 1 and one[0] in allowed for one in found)
            return [one[0] for one in found] if good else None

        names = await wait_until(held, within=within, what=f"one holder of {addresses}")
        return self.node(names[0])

    async def settled(self, address: str) -> VipNode:
        """Return when the node that comes first for the address has it, and nothing moves by itself any more.

        Whoever is started first has it before, until `preempt_delay` is over.
        """

        def first() -> VipNode | None:
            chosen = [one for one in self.nodes if address in one.led]
            return chosen[0] if chosen and self.holders(address) == [chosen[0].name] else None

        return await wait_until(first, within=LONG, what=f"{address} on the node that comes first")

    async def configured(self, *addresses: str) -> None:
        """Return when every node takes part in serving these."""

        def lacking() -> list[str]:
            wanted = [f" {address}/" for address in addresses]
            return [one.name for one in self.nodes if not all(text in one.config for text in wanted)]

        await wait_until(lambda: not lacking(), within=LONG, what=f"{addresses} everywhere")

    def ping(self, *addresses: str) -> bool:
        """Whether the client reaches all of these."""
        return all(_pinged(self.client, one) for one in addresses)

    async def reached(self, *addresses: str, within: float = LONG) -> None:
        """Return when the client reaches all of these."""
        await wait_until(lambda: self.ping(*addresses), within=within, what=f"answers of {addresses}")

    def told(self, name: str) -> list[str]:
        """The messages of the events on one object."""
        return [message for _, message in self.controller.events(name)]

    def master_report(self, name: str) -> list[str]:
        """`vip.master` of a node's Speaker."""
        found = self.controller.status(Kind.SPEAKER, name).get("vip", {}).get("master", ())
        return list(found)


class Pinging:
    """The client asks an address every `interval` seconds until it is ended; `lost` is how often in vain."""

    def __init__(self, space: Namespace, address: str, folder: Path, *, interval: float = 0.01) -> None:
        self._argv = ("ping", "-n", "-O", "-i", str(interval), "-W", "1", address)
        self._log = folder / f"ping-{address.replace(':', '_')}"
        self._process = Daemon(space.argv(*self._argv), log=self._log)

    def __enter__(self) -> "Pinging":
        self._process.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.end(signal.SIGINT)

    @property
    def answered(self) -> int:
        """How many answers have come."""
        return len({*_REPLY.findall(self._text("bytes from"))})

    def _text(self, word: str) -> str:
        return "\n".join(line for line in self._process.output().splitlines() if word in line)

    async def goes_on(self) -> None:
        """Return when it has been answered some more."""
        before = self.answered
        await wait_until(lambda: self.answered > before + 20, within=LONG, what="answers")

    @property
    def lost(self) -> list[int]:
        """The numbers of the questions without an answer, before the last answer."""
        answered = {int(one) for one in _REPLY.findall(self._text("bytes from"))}
        return [one for one in range(1, max(answered, default=0)) if one not in answered]


def pool(name: str = "vips", address: str = "10.0.0.100-10.0.0.199", **vip: Any) -> Object:
    """A vip pool, the default one, with an interval at which a busy machine loses no master."""
    settings = {"advertIntervalMs": 1000, **vip}
    return eip(name, address, default=True, protocol="vip", interface="eth0", vip=settings)


def services(names: Iterable[str], *nodes: str, local: bool = False) -> list[Object]:
    """Services with endpoints on these nodes."""
    return [one for name in names for one in (service(name, local=local), endpoints(name, *nodes))]


def _pinged(space: Namespace, address: str) -> bool:
    argv = ("ip", "netns", "exec", space.name, "ping", "-n", "-c", "1", "-W", "1", address)
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0
