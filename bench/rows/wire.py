"""The responder of layer2 mode by itself: how many questions it answers, and what a storm for others costs.

The host that asks is a process on another core. A storm's frames cross a veth pair, so the kernel's part of
their reception is counted as the sender's; how much of that is the filter's shows beside it, without anybody
who owns an address.
"""

import itertools
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.owner import INTERFACE, pool
from bench.results import Measure
from bench.site import cpu_seconds, resident_bytes
from lab.errors import LabError
from lab.lab import Lab, held_lab
from lab.processes import Process, observed
from openelb_bgp.host.ethernet import ETHERTYPE_ARP, ETHERTYPE_IPV6
from openelb_bgp.host.packets import build, who_has
from openelb_bgp.model.addresses import Address, read_address

_TOPOLOGY = Path(__file__).resolve().parent.parent / "wire.clab.yml"
_REPOSITORY = _TOPOLOGY.parent.parent
_ASKING = {4: read_address("10.31.0.2"), 6: read_address("fd00:31::2")}
_ETHERTYPES = {4: ETHERTYPE_ARP, 6: ETHERTYPE_IPV6}
_POOL, _SHARE = 10_000, 4
"""How many addresses the LAN has, and of how many each the node owns one."""
_RATE = 20_000
_SECONDS, _IDLE, _SETTLE = 10.0, 30.0, 120.0
_BURST = {4: 6, 6: 4}
"""Frames by which an address is announced that was won, where there is no gateway; they come first."""
_WINDOW = 64
"""Questions that wait for their answers at a time."""
_GROUPS = (b"\xff", b"\x33")
"""How frames begin that are for everybody: announcements."""


def answers() -> Sequence[Measure]:
    """Ordinary questions for owned addresses, each as soon as one before has been answered."""
    with held_lab(_TOPOLOGY) as lab:
        found = []
        for family, what in ((4, "ARP"), (6, "NDP")):
            with _owner(lab, _SHARE, family) as owner:
                before = cpu_seconds(owner.process)
                answered = _ask(lab, pool(_POOL, family=family)[::_SHARE], family)
                spent = 1e6 * (cpu_seconds(owner.process) - before) / answered
                found.append(Measure(what=f"{what}, answers in a second", value=answered / _SECONDS, unit=""))
                found.append(Measure(what=f"{what}, processor for each", value=spent, unit="µs"))
        return found


def storm() -> Sequence[Measure]:
    """20,000 requests a second for addresses of the same pool that other nodes own."""
    with held_lab(_TOPOLOGY) as lab:
        others = [one for number, one in enumerate(pool(_POOL, family=4)) if number % _SHARE]
        beside = _storm(lab, others)
        with _owner(lab, _SHARE, 4) as owner:
            before, reached = cpu_seconds(owner.process), owner.ask()["all"]
            sender = _storm(lab, others)
            spent, reached = cpu_seconds(owner.process) - before, owner.ask()["all"] - reached
    return [
        Measure(what="processor of the owner", value=100 * spent / _SECONDS, unit="%", bound=5.0),
        Measure(what="frames that reached it", value=reached, unit=""),
        Measure(
            what="processor of sending, receiving, filtering",
            value=100 * sender / _SECONDS,
            beside=100 * beside / _SECONDS,
            unit="%",
        ),
    ]


def ten_thousand() -> Sequence[Measure]:
    """10,000 addresses of each family, of which a node of four owns its share, at rest."""
    with held_lab(_TOPOLOGY) as lab:
        with _owner(lab, 0, 4, 6) as owner:
            beside = resident_bytes(owner.process)
        with _owner(lab, _SHARE, 4, 6) as owner:
            spent, resident = owner.ask()["spent"], resident_bytes(owner.process)
            before = cpu_seconds(owner.process)
            time.sleep(_IDLE)
            idle = cpu_seconds(owner.process) - before
    return [
        Measure(what="memory of the owner", value=resident / 1e6, beside=beside / 1e6, unit="MB"),
        Measure(what="processor until all are answered for", value=1000 * spent, unit="ms"),
        Measure(what="processor at rest, announcing them", value=100 * idle / _IDLE, unit="%"),
    ]


class _Owner(NamedTuple):
    """The process that owns addresses."""

    pipes: subprocess.Popen[str]
    process: Process

    def ask(self) -> dict[str, float]:
        """What it has counted."""
        assert self.pipes.stdin is not None and self.pipes.stdout is not None
        self.pipes.stdin.write("\n")
        self.pipes.stdin.flush()
        said = json.loads(self.pipes.stdout.readline() or "{}")
        if said.pop("problems", "it has ended"):
            raise LabError(f"the owner of addresses cannot answer for them: {said}")
        return dict(said)


@contextmanager
def _owner(lab: Lab, step: int, *families: int) -> Iterator[_Owner]:
    """Whoever owns every so manyth address, none for 0, its bursts over."""
    program = (sys.executable, "-m", "bench.owner", str(_POOL), str(step), *map(str, families))
    with subprocess.Popen(
        lab.space("ours").argv(*program),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=_REPOSITORY,
    ) as pipes:
        try:
            process = observed(pipes.pid)
            if process is None:
                raise LabError("the owner of addresses has ended")
            owner = _Owner(pipes, process)
            _until_announced(owner, sum(_BURST[family] for family in families) * _POOL // step if step else 0)
            yield owner
        finally:
            pipes.kill()


def _until_announced(owner: _Owner, frames: int) -> None:
    deadline = time.monotonic() + _SETTLE
    while owner.ask()["announced"] < frames:
        if time.monotonic() > deadline:
            raise LabError(f"the owner did not announce everything within {_SETTLE:.0f} seconds")
        time.sleep(0.5)


def _ask(lab: Lab, addresses: Sequence[Address], family: int) -> int:
    """How many questions were answered in the time, always some of them under way."""

    def run() -> int:
        with _wire(_ETHERTYPES[family]) as wire:
            frames = itertools.cycle(_questions(wire, addresses))
            answered, end = 0, time.monotonic() + _SECONDS
            while time.monotonic() < end:
                for frame in itertools.islice(frames, _WINDOW):
                    wire.send(frame)
                answered += _drain(wire, _WINDOW)
            return answered

    return lab.space("crowd").call(run)


def _storm(lab: Lab, addresses: Sequence[Address]) -> float:
    """Ask for them in any case; the seconds of processor time that this took."""

    def run() -> float:
        with _wire(0) as wire:
            frames = itertools.cycle(_questions(wire, addresses))
            start, spent, sent = time.monotonic(), time.thread_time(), 0
            while (elapsed := time.monotonic() - start) < _SECONDS:
                for frame in itertools.islice(frames, int(elapsed * _RATE) - sent):
                    wire.send(frame)
                    sent += 1
                time.sleep(0.001)
            if sent < 0.98 * _RATE * _SECONDS:
                raise LabError(f"only {sent / _SECONDS:.0f} requests a second could be sent")
            return time.thread_time() - spent

    return lab.space("crowd").call(run)


@contextmanager
def _wire(ethertype: int) -> Iterator[socket.socket]:
    """A raw socket that hears frames of that type, none for 0."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as wire:
        wire.settimeout(0.05)
        wire.bind((INTERFACE, ethertype))
        yield wire


def _questions(wire: socket.socket, addresses: Sequence[Address]) -> list[bytes]:
    mac: bytes = wire.getsockname()[4]
    return [build(who_has(one, mac=mac, source=_ASKING[one.version])) for one in addresses]


def _drain(wire: socket.socket, most: int) -> int:
    """How many answers came, until as many as there could be are here or none comes any more."""
    for number in range(most):
        try:
            while wire.recv(128)[:1] in _GROUPS:
                pass
        except TimeoutError:
            return number
    return most
