"""`openelb-bgp run`, `speaker` or `controller` as a real process in a node, over a folder of manifests.

Everything that an operator can look at is here too: statuses as `get` prints them, events, the log, health
and metrics. Manifests are written as people replace files: whole, and in one instant.
"""

import json
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from openelb_bgp.files import view
from openelb_bgp.files.errors import StateError
from openelb_bgp.model.meta import Kind
from tests.daemons.harness.gobgp import NEW, gobgpd_binary
from tests.daemons.harness.inside import call_inside
from tests.daemons.harness.netns import Namespace, run
from tests.daemons.harness.processes import Daemon
from tests.daemons.harness.waiting import wait_until

METRICS_PORT = 9953
OWN_PIDS = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
"""What a program's arguments begin with that shall see no process but its own."""
Object = dict[str, Any]


class OpenElb:
    """One process of ours. `folder` holds its manifests, its state, its runtime directory and its log."""

    def __init__(
        self,
        space: Namespace,
        folder: Path,
        *arguments: str,
        command: str = "run",
        gobgp_version: str = NEW,
        node_name: str = "node1",
        disk: str = "",
        own_pids: bool = False,
    ) -> None:
        """`disk` is the size of a file system for the state that only the process sees, such as `1m`.

        `own_pids`: it sees no process but its own, as in a container.
        """
        self.space, self.folder, self.node_name = space, folder, node_name
        self.manifests, self.state = folder / "manifests", folder / "state"
        self.runtime = folder / f"run-{node_name}"
        self.manifests.mkdir(exist_ok=True)
        port = METRICS_PORT if command != "controller" else METRICS_PORT - 1
        argv = [str(program()), command, "--files", str(self.manifests), "--state", str(self.state)]
        argv += ["--metrics-addr", f"127.0.0.1:{port}"]
        if command != "controller":
            argv += ["--node-name", node_name, "--runtime-dir", str(self.runtime)]
            argv += ["--gobgpd", str(gobgpd_binary(gobgp_version))]
        if disk:
            self.state.mkdir(exist_ok=True)
            mount = f'mount -t tmpfs -o size={disk} tmpfs "$1" && shift && exec "$@"'
            argv = ["unshare", "--mount", "sh", "-c", mount, "sh", str(self.state), *argv]
        if own_pids:
            argv = [*OWN_PIDS, *argv]
        log = folder / f"{command}-{node_name}.log"
        self.daemon = Daemon(space.argv(*argv, *arguments), log=log)

    # What goes in

    def write(self, name: str, *objects: Object | str) -> Path:
        """Put a file of these documents into the folder; one of that name is replaced in one instant."""
        texts = [one if isinstance(one, str) else yaml.safe_dump(one) for one in objects]
        path = self.manifests / f"{name}.yaml"
        temporary = self.manifests / f".{name}.tmp"
        temporary.write_text("---\n".join(texts))
        return temporary.rename(path)

    def remove(self, name: str) -> None:
        """Take a file away again, if it is there."""
        (self.manifests / f"{name}.yaml").unlink(missing_ok=True)

    # The process

    def start(self) -> None:
        """Start it, or start it again."""
        self.daemon.start()

    def terminate(self, *, within: float = 30.0) -> int | None:
        """SIGTERM, and its exit code."""
        self.daemon.end(signal.SIGTERM, within=within)
        return self.daemon.exit_code

    # What comes out

    @property
    def log(self) -> list[Mapping[str, Any]]:
        """Every line of its log, decoded."""
        lines = self.daemon.output().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def logged(self, event: str, **fields: object) -> list[Mapping[str, Any]]:
        """The log's lines of that event with those fields."""
        found = [line for line in self.log if line.get("event") == event]
        return [line for line in found if all(line.get(key) == value for key, value in fields.items())]

    def objects(self, kind: Kind) -> dict[str, Object]:
        """What `get` would print, by name (`namespace/name` where there is one)."""
        try:
            found = view.objects(self.manifests, self.state, kind)
        except StateError:
            # It is being made just now.
            return {}
        return {_name(one): one for one in found}

    def status(self, kind: Kind, name: str) -> Mapping[str, Any]:
        """The status of one object; {} without one."""
        status: Mapping[str, Any] = self.objects(kind).get(name, {}).get("status") or {}
        return status

    def condition(self, kind: Kind, name: str, type_: str) -> Mapping[str, Any]:
        """One condition of one object; {} without one."""
        conditions = self.status(kind, name).get("conditions", ())
        return next((one for one in conditions if one["type"] == type_), {})

    def addresses(self, service: str) -> list[str]:
        """The addresses in a Service's status."""
        ingress = self.status(Kind.SERVICE, service).get("loadBalancer", {}).get("ingress", ())
        return [one["ip"] for one in ingress]

    @property
    def speaker(self) -> Mapping[str, Any]:
        """The status of the node's Speaker."""
        return self.status(Kind.SPEAKER, self.node_name)

    def problems(self, reason: str = "") -> dict[str, str]:
        """The Speaker's problems, of one reason or of all: object → message."""
        return {
            one["object"]: one["message"]
            for one in self.speaker.get("problems", ())
            if reason in ("", one["reason"])
        }

    def events(self, name: str) -> list[tuple[str, str]]:
        """The events of one object: reason and message."""
        try:
            found = view.events(self.state)
        except StateError:
            return []
        return [(one["reason"], one["message"]) for one in found if one["involvedObject"]["name"] == name]

    def http(self, path: str, *, port: int = METRICS_PORT) -> tuple[int, str]:
        """What its health port answers: the code and the text; 0 while nobody answers."""
        request = f"http://127.0.0.1:{port}{path}"
        return call_inside(self.space, lambda: _fetched(request))

    def command(self, *arguments: str) -> str:
        """The output of another command of ours over the same folder and state."""
        return run(str(program()), *arguments)

    async def announced(self, *services: str, within: float = 60.0) -> None:
        """Return when these Services are Announced."""
        for service in services:
            await wait_until(partial(self._announced, service), within=within, what=f"{service} announced")

    def _announced(self, service: str) -> bool:
        found = self.condition(Kind.SERVICE, service, "network.kubesphere.io/Announced")
        return found.get("status") == "True"


def program() -> Path:
    """The `openelb-bgp` of this very environment."""
    return Path(sys.executable).with_name("openelb-bgp")


def _fetched(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def _name(one: Object) -> str:
    metadata = one["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])
