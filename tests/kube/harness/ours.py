"""`openelb-bgp controller` and `speaker` as processes in a cluster, each with the token of a Pod of its own.

What operators see of it comes from the API server, read as the admin: statuses, conditions, events.
"""

import json
import signal
import urllib.request
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from lab.cluster.api import Api, Object
from lab.cluster.installation import SYSTEM, install, mount_account, our_pod, pod_environment
from lab.cluster.kubelet import make_node
from openelb_bgp.model import keys
from tests.daemons.harness.netns import Namespace
from tests.daemons.harness.openelb import program
from tests.daemons.harness.processes import Daemon
from tests.daemons.harness.waiting import wait_until
from tests.kube.harness.control_plane import LOOPBACK, ControlPlane

_QUICK = (
    "--leader-elect-lease-duration=3",
    "--leader-elect-renew-deadline=2",
    "--leader-elect-retry-period=0.3",
    "--request-timeout=2",
)
_installed: set[Path] = set()


def ready_cluster(control_plane: ControlPlane, *nodes: str) -> Api:
    """Our kinds and rights are in it, and these Nodes; returns the admin's client."""
    if control_plane.folder not in _installed:
        install(control_plane.api, control_plane.plane)
        _installed.add(control_plane.folder)
    for number, name in enumerate(nodes, start=1):
        if control_plane.api.find("Node", name) is None:
            make_node(control_plane.api, name, addresses=[f"10.0.0.{number}"])
    return control_plane.api


class Ours:
    """One process; `folder` takes its log and its token. It is started by `start`."""

    def __init__(
        self,
        control_plane: ControlPlane,
        folder: Path,
        component: str,
        *arguments: str,
        node: str = "node1",
        host: str = LOOPBACK,
        port: int = 0,
        space: Namespace | None = None,
    ) -> None:
        """`host` and `port` are where it finds the API server, or a proxy; `space` where it runs."""
        api, plane = control_plane.api, control_plane.plane
        name = f"{component}-{node}"
        folder.mkdir(parents=True, exist_ok=True)
        self.node, self.pod = node, our_pod(api, component, node=node, address="10.0.0.1")
        self.account = mount_account(api, plane, self.pod, folder / f"account-{name}")
        environment = {
            **pod_environment(host, port or plane.ports.api, self.account),
            "OPENELB_NAMESPACE": SYSTEM,
            "NODE_NAME": node,
        }
        argv = (
            *("env", *(f"{key}={value}" for key, value in environment.items())),
            *("setpriv", "--pdeathsig", "KILL", str(program()), component, *arguments),
        )
        inside = argv if space is None else tuple(space.argv(*argv))
        self.daemon = Daemon(inside, log=folder / f"{name}.log")

    def start(self) -> None:
        """Start it, or start it again."""
        self.daemon.start()

    def terminate(self, *, within: float = 10.0) -> int | None:
        """SIGTERM, and its exit code."""
        self.daemon.end(signal.SIGTERM, within=within)
        return self.daemon.exit_code

    @property
    def log(self) -> list[Mapping[str, Any]]:
        """Every line of its log, decoded."""
        lines = self.daemon.output().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def logged(self, event: str, **fields: object) -> list[Mapping[str, Any]]:
        """The log's lines of that event with those fields."""
        found = [line for line in self.log if line.get("event") == event]
        return [line for line in found if all(line.get(key) == value for key, value in fields.items())]


def controller(
    control_plane: ControlPlane, folder: Path, *arguments: str, node: str = "node1", port: int = 0
) -> Ours:
    """A controller whose Lease is short; `port` is a proxy's before the API server."""
    quick = ("--metrics-addr=127.0.0.1:0", "--webhook-port=0", *_QUICK)
    return Ours(control_plane, folder, "controller", *quick, *arguments, node=node, port=port)


class Seen:
    """What an operator sees in the API server."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def service(self, name: str) -> Object:
        """A Service, by `namespace/name`."""
        namespace, _, own = name.partition("/")
        return self.api.get("Service", own, namespace=namespace)

    def addresses(self, service: str) -> list[str]:
        """The addresses in its status."""
        ingress = self.service(service)["status"]["loadBalancer"].get("ingress", ())
        return [one["ip"] for one in ingress]

    def condition(self, service: str, type_: str) -> Mapping[str, Any]:
        """Its condition of our group, `Allocated` or `Announced`; {} without one."""
        conditions = self.service(service)["status"].get("conditions", ())
        return next((one for one in conditions if one["type"] == f"{keys.GROUP}/{type_}"), {})

    def status(self, kind: str, name: str) -> Mapping[str, Any]:
        """The status of an object of ours; {} without one."""
        found = self.api.find(kind, name)
        return {} if found is None else found.get("status") or {}

    def events(self, name: str) -> list[tuple[str, str]]:
        """The Events about the object of that name: reason and message."""
        found = self.api.items("Event", fieldSelector=f"involvedObject.name={name}")
        return [(one["reason"], one["message"]) for one in found]

    async def allocated(self, service: str, *addresses: str, within: float = 40.0) -> list[str]:
        """Return its addresses, once it has some; these, if any are given."""

        def found() -> list[str] | None:
            there = self.addresses(service)
            return there if there and addresses in ((), tuple(there)) else None

        return await wait_until(found, within=within, what=f"the addresses of {service}")

    async def released(self, *services: str, within: float = 40.0) -> None:
        """Return when none of them has an address."""
        for service in services:
            await wait_until(
                partial(self._has_none, service), within=within, what=f"{service} without an address"
            )

    def _has_none(self, service: str) -> bool:
        return self.addresses(service) == []


def metrics(port: int) -> str:
    """What a process of ours says of itself at that port."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return str(answer.read().decode())


def requests_by(proxy_requests: Sequence[Any], *verbs: str) -> list[str]:
    """Of a proxy's requests those of these verbs, as `verb resource name`."""
    return [f"{one.verb} {one.resource} {one.name}" for one in proxy_requests if one.verb in verbs]
