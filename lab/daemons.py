"""The command lines of everything that the lab runs beside FRR: the one place that knows them.

Pure: where things lie and what is started, nothing is started here.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lab.cluster.programs import cache

_REPOSITORY = Path(__file__).resolve().parent.parent
GOBGP_VERSION = "4.8.0"


@dataclass(frozen=True, slots=True)
class Command:
    """A daemon: its name in the lab, what is run, and what is added to the environment."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Paths:
    """Where one lab keeps what its daemons share."""

    root: Path

    @property
    def manifests(self) -> Path:
        """The folder that all daemons read: a copy that may be edited."""
        return self.root / "manifests"

    @property
    def cluster(self) -> Path:
        """In cluster mode: the control plane's keys and data."""
        return self.root / "cluster"

    @property
    def state(self) -> Path:
        """The folder of statuses and allocations."""
        return self.root / "state"

    def runtime(self, node: str) -> Path:
        """What belongs to one node alone: gobgpd's socket, pid files."""
        return self.root / "run" / node


def gobgpd_binary(version: str = GOBGP_VERSION) -> Path:
    """Where the set-up keeps gobgpd of that version."""
    return cache() / "gobgp" / version / "gobgpd"


def backend(name: str, *, port: int) -> Command:
    """A pod."""
    return Command(
        name=name,
        argv=(sys.executable, "-m", "lab.backend", name, str(port)),
        env={"PYTHONPATH": str(_REPOSITORY)},
    )


def controller(paths: Paths) -> Command:
    """The one controller of a lab."""
    return Command(
        name="controller",
        argv=(_ours(), "controller", "--files", str(paths.manifests), "--state", str(paths.state)),
    )


def speaker(paths: Paths, node: str, *flags: str) -> Command:
    """A node's speaker; it starts its gobgpd beside it, under a sidecar that outlives it."""
    return _of_node("speaker", paths, node, *flags)


def run(paths: Paths, node: str, *flags: str) -> Command:
    """Controller and speaker of a node in one process."""
    return _of_node("run", paths, node, *flags)


def _of_node(command: str, paths: Paths, node: str, *flags: str) -> Command:
    return Command(
        name=f"{node}-{command}",
        argv=(
            *(_ours(), command, "--files", str(paths.manifests), "--state", str(paths.state)),
            *(*_on_node(paths, node), *flags),
        ),
    )


def _on_node(paths: Paths, node: str) -> tuple[str, ...]:
    runtime, gobgpd = str(paths.runtime(node)), str(gobgpd_binary())
    return ("--node-name", node, "--runtime-dir", runtime, "--gobgpd", gobgpd)


def controller_in_pod(environment: Mapping[str, str]) -> Command:
    """The controller of a lab in cluster mode; `environment` is its pod's."""
    return Command(name="controller", argv=(_ours(), "controller"), env=environment)


def speaker_in_pod(paths: Paths, node: str, environment: Mapping[str, str], *flags: str) -> Command:
    """A node's speaker in cluster mode."""
    argv = (_ours(), "speaker", *_on_node(paths, node), *flags)
    return Command(name=f"{node}-speaker", argv=argv, env=environment)


def kubeproxy(paths: Paths) -> Command:
    """What stands in for all nodes' kube-proxies."""
    return Command(
        name="kubeproxy",
        argv=(sys.executable, "-m", "lab.follow", str(paths.root)),
        env={"PYTHONPATH": str(_REPOSITORY)},
    )


def get(paths: Paths, kind: str) -> tuple[str, ...]:
    """Prints the objects of a kind with their statuses."""
    return look(paths, "get", kind)


def look(paths: Paths, *arguments: str, kubeconfig: Path | None = None) -> tuple[str, ...]:
    """One of our commands that look once, over the folder of a lab or over the cluster of a kubeconfig."""
    if kubeconfig is not None:
        return (_ours(), *arguments, "--kubeconfig", str(kubeconfig))
    return (_ours(), *arguments, "--files", str(paths.manifests), "--state", str(paths.state))


def _ours() -> str:
    return str(Path(sys.executable).parent / "openelb-bgp")
