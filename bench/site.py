"""Where the rows measure: the lab of `bench.clab.yml`, what runs in it, and its router's kernel, watched.

How namespaces, FRR and processes work is the lab's; the command lines of the daemons are here.
"""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.arrivals import Arrivals
from bench.bare import Bare, gobgpd_argv
from bench.results import RESULTS
from lab import daemons
from lab.errors import LabError
from lab.frr import Router
from lab.lab import Lab, held_lab
from lab.processes import Process
from lab.shell import wait_until

_TOPOLOGY = Path(__file__).resolve().parent / "bench.clab.yml"
_REPOSITORY = _TOPOLOGY.parent.parent
NODE = "ours"
OUR_ADDRESS, BARE_ADDRESS = "10.30.1.2", "10.30.2.2"
_OURS = ("run", "controller", "speaker")
_TICKS = os.sysconf("SC_CLK_TCK")


class Site:
    """A router with its two neighbours; `arrivals` are the routes in its kernel."""

    def __init__(self, lab: Lab, arrivals: Arrivals) -> None:
        self.lab = lab
        self.arrivals = arrivals
        self.manifests = lab.paths.manifests
        self.state = lab.paths.state
        self.runtime = lab.paths.runtime(NODE)
        self._stamps = lab.paths.root / "stamps.jsonl"

    @property
    def router(self) -> Router:
        """The router."""
        return self.lab.routers["leaf"]

    def start_bare(self) -> Bare:
        """A gobgpd in `bare` with its session up, and the client that drives it. Close it."""
        socket = self.lab.paths.root / "bare.sock"
        argv = self.lab.space("bare").argv(*gobgpd_argv(daemons.gobgpd_binary(), socket))
        self.lab.processes.start("bare-gobgpd", argv)
        wait_until(socket.exists, within=10.0, what="the bare gobgpd's socket")
        bare = Bare.connect(socket, router="10.30.2.1", address=BARE_ADDRESS)
        self._until_established(BARE_ADDRESS)
        return bare

    def start(self, *roles: str) -> dict[str, Process]:
        """Start `run`, `controller` or `speaker` on our node, as users do; their processes by role."""
        self.runtime.mkdir(parents=True, exist_ok=True)
        self.state.mkdir(exist_ok=True)
        return {role: self._start(role, self._argv(role)) for role in roles}

    def start_stamped(self, role: str) -> Process:
        """The same with a note of each delivery of Services; see `deliveries`."""
        self.runtime.mkdir(parents=True, exist_ok=True)
        self.state.mkdir(exist_ok=True)
        argv = (sys.executable, "-m", "bench.stamped", *self._argv(role)[1:])
        return self._start(role, argv, BENCH_STAMPS=str(self._stamps))

    def deliveries(self) -> list[tuple[float, int]]:
        """When a batch with how many Services came out of the source, on the monotonic clock."""
        if not self._stamps.exists():
            return []
        lines = (json.loads(line) for line in self._stamps.read_text().splitlines())
        return [(line["at"], line["services"]) for line in lines]

    def until_session(self) -> None:
        """Wait for our session with the router."""
        self._until_established(OUR_ADDRESS)

    def _argv(self, role: str) -> tuple[str, ...]:
        ours = str(Path(sys.executable).parent / "openelb-bgp")
        where = (ours, role, "--files", str(self.manifests), "--state", str(self.state), "--no-colour")
        if role == "controller":
            return where
        node = ("--node-name", NODE, "--runtime-dir", str(self.runtime))
        return (*where, *node, "--gobgpd", str(daemons.gobgpd_binary()))

    def _start(self, role: str, argv: tuple[str, ...], **more: str) -> Process:
        env = {"PYTHONPATH": str(_REPOSITORY), **more}
        return self.lab.processes.start(role, self.lab.space(NODE).argv(*argv), env=env)

    def _until_established(self, address: str) -> None:
        wait_until(
            lambda: address in self.router.established(), within=30.0, what=f"the session with {address}"
        )


@contextmanager
def site() -> Iterator[Site]:
    """A site for the `with` block, removed afterwards, also after a crash (by the next start).

    The manifests hold the cluster's own objects and no Services. Raises LabError.
    """
    with held_lab(_TOPOLOGY) as lab:
        lab.copy_manifests()
        with Arrivals(lab.space("leaf")) as arrivals:
            try:
                yield Site(lab, arrivals)
            except LabError as error:
                keep_logs(lab)
                raise LabError(f"{error}\n{last_words(lab)}") from error


def resident_bytes(process: Process) -> int:
    """The memory that a process has in RAM, what it shares with others included (proc(5), VmRSS)."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise LabError(f"{process.name} has ended:\n{process.tail()}")


def cpu_seconds(process: Process) -> float:
    """The processor time that a process has used so far (proc(5), fields 14 and 15)."""
    stat = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(stat[11]) + int(stat[12])) / _TICKS


def last_words(lab: Lab) -> str:
    """The ends of our processes' logs, for whoever wonders why a row failed."""
    ours = (one for one in lab.processes.all() if one.name.rpartition("-")[2] in _OURS)
    return "\n".join(f"{one.name}: {one.tail(3)}" for one in ours)


def keep_logs(lab: Lab) -> None:
    """Save all logs beside the results: the lab is removed."""
    with suppress(OSError):
        shutil.copytree(lab.paths.root / "processes", RESULTS / "logs", dirs_exist_ok=True)
