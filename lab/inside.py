"""Commands run at a place of a lab as an operator would: in that node, with the programs that the docs name.

They run in the lab's folder, where `manifests/` and `state/` are; `openelb-bgp` is this checkout's, `vtysh`
speaks to the FRR of that router, and `kubectl` to the lab's API server.
"""

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from lab.errors import LabError
from lab.lab import Lab
from lab.shell import program


def argv_at(lab: Lab, place: str, command: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The command line that runs `command` at a place, a shell without one. Raises LabError."""
    known = sorted(node.name for node in lab.topology.nodes)
    if place not in known:
        raise LabError(f"{lab.folder.path.name} has no {place!r}; it has {', '.join(known)}")
    shell = ("bash", "--norc", "--noprofile", "-i")
    return lab.space(place).argv(*(("bash", "-c", shlex.join(command)) if command else shell))


def environment_at(lab: Lab, place: str) -> Mapping[str, str]:
    """The environment of commands at a place."""
    folders = (_programs(lab, place), Path(sys.executable).parent)
    path = ":".join([*map(str, folders), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "PS1": rf"{place}\$ ", "COLUMNS": "120"}


def printed_at(lab: Lab, place: str, line: str, *, within: float = 30.0) -> str:
    """Whatever a line of shell prints at a place, errors too. Raises LabError if it takes longer."""
    argv = argv_at(lab, place, ("bash", "-c", line))
    env = environment_at(lab, place)
    try:
        done = subprocess.run(
            argv,
            env=env,
            cwd=lab.folder.path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=within,
            check=False,
        )
    except subprocess.TimeoutExpired as exc:
        raise LabError(f"{line!r} did not end within {within:g} s at {place}") from exc
    return done.stdout


def _programs(lab: Lab, place: str) -> Path:
    """The folder with programs that know the lab."""
    folder = lab.folder.path / "bin" / place
    folder.mkdir(parents=True, exist_ok=True)
    if place in lab.routers:
        _script(folder / "vtysh", program("vtysh"), "-N", lab.routers[place].name)
    if lab.cluster is not None:
        _script(folder / "kubectl", str(lab.cluster.kubectl_script))
    return folder


def _script(file: Path, *command: str) -> None:
    if not file.exists():
        file.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        file.chmod(0o755)
