"""Deaths of the random walk: any process of the lab is killed or frozen, and comes back.

Each act draws what it does; None says that there is nothing that it could be done to.
"""

import random
import signal
from pathlib import Path

from lab.lab import Lab
from lab.processes import Process, observed
from lab.shell import wait_until

from .chaos_world import NODES, Happening, World, all_of


def speaker_dies(dice: random.Random, world: World, lab: Lab) -> Happening | None:
    """A speaker is killed, and started again once the other acts of the step are done."""
    victim = dice.choice(NODES)
    world.mend_all()
    process = lab.speaker(victim)
    if not process.alive():
        return None
    _kill(process)
    return Happening(f"kill the speaker of {victim}", finish=lambda: _void(lab.start_speaker(victim)))


def speaker_freezes(dice: random.Random, _: World, lab: Lab) -> Happening | None:
    """A speaker is stopped, and goes on after a second."""
    process = lab.speaker(dice.choice(NODES))
    if not process.alive():
        return None
    process.kill(signal.SIGSTOP)

    def go_on() -> None:
        # It is to be late: nothing tells when a frozen process has missed something.
        process.ended(within=1.0)
        process.kill(signal.SIGCONT)

    return Happening(f"freeze {process.name}", finish=go_on)


def gobgpd_dies(dice: random.Random, _: World, lab: Lab) -> Happening | None:
    """A gobgpd is killed; its sidecar starts it anew."""
    victim = dice.choice(NODES)
    process = lab.find_gobgpd(victim)
    if process is None:
        return None
    _kill(process)
    return Happening(f"kill the gobgpd of {victim}", resets=all_of(victim))


def sidecar_dies(dice: random.Random, _: World, lab: Lab) -> Happening | None:
    """A sidecar is killed; the speaker sees to another."""
    victim = dice.choice(NODES)
    found = _sidecar(lab, victim)
    if found is None:
        return None
    _kill(found)
    return Happening(f"kill the sidecar of {victim}", resets=all_of(victim))


def controller_dies(_: random.Random, world: World, lab: Lab) -> Happening | None:
    """The controller is killed, and started again once the other acts of the step are done."""
    world.mend_all()
    process = lab.process("controller")
    if not process.alive():
        return None
    _kill(process)
    return Happening("kill the controller", finish=lambda: _void(lab.start_controller()))


def bgpd_dies(dice: random.Random, _: World, lab: Lab) -> Happening | None:
    """A router's bgpd is killed and started again."""
    name = dice.choice(("leaf1", "leaf2"))
    router = lab.routers[name]
    _kill(router.process("bgpd"))
    router.restart_bgpd()
    return Happening(f"restart bgpd of {name}", resets=frozenset((name, node) for node in NODES), gap=True)


def _sidecar(lab: Lab, node: str) -> Process | None:
    pids = (pid for pid in lab.space(node).pids() if b"\0openelb_bgp.sidecar\0" in _command_line(pid))
    return next((process for pid in pids if (process := observed(pid))), None)


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _kill(process: Process) -> None:
    process.kill()
    wait_until(lambda: not process.alive(), within=30.0, what=f"the end of {process.name}")


def _void(_: object) -> None:
    return None
