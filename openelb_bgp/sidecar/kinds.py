"""The daemons that a sidecar can keep: how each is found, asked what it can, and started.

A table of kinds and pure command lines, and the one question to the program itself. Watching over it is the
supervisor's part.
"""

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import DaemonMissing

_QUESTION_SECONDS = 10.0


@dataclass(frozen=True)
class Program:
    """A daemon's executable: where it is, what `--version` says, and the long options it knows.

    `stamp` tells the file from one that has taken its place.
    """

    path: str
    version: str
    options: frozenset[str]
    stamp: tuple[int, ...] = ()

    def is_unchanged(self) -> bool:
        """Whether the file is still the one that was asked. Raises OSError when it is gone."""
        return self.stamp == _stamp(self.path)


@dataclass(frozen=True)
class Wish:
    """How the daemon shall run: its API socket, further API addresses, further arguments as they are."""

    api_socket: Path
    api_hosts: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """One kind of daemon. `remedy` tells a person what to do where the program is missing.

    `api_socket` is the name of what others hear it by: a socket, or keepalived's FIFO of state changes.
    """

    name: str
    api_socket: str
    remedy: str


def gobgpd_command_line(program: Program, wish: Wish) -> list[str]:
    """The arguments of gobgpd, 3.10 and later: its API on the socket, JSON logs, no port for debugging.

    From 3.14 on `--pprof-disable` alone leaves metrics on the same 127.0.0.1:6060, which two gobgpd of one
    host would fight for; 3.10 does not know `--metrics-path`. Extra arguments that name either are obeyed.
    """
    api = [f"unix://{wish.api_socket}", *wish.api_hosts]
    argv = [program.path, "--api-hosts", ",".join(api)]
    wants_http = any(argument.startswith(("--pprof-host", "--metrics-path")) for argument in wish.extra)
    if not wants_http:
        argv.append("--pprof-disable")
        if "--metrics-path" in program.options:
            argv.append("--metrics-path=")
    return [*argv, *wish.extra]


GOBGPD = Kind(
    name="gobgpd",
    api_socket="gobgp.sock",
    remedy="install GoBGP 3.10 or later (4.8 is tested best) or name the program with --gobgpd PATH",
)

KEEPALIVED = Kind(
    name="keepalived",
    api_socket="notify",
    remedy="install keepalived 2.2 or later or name the program with --keepalived PATH",
)

KINDS = {kind.name: kind for kind in (GOBGPD, KEEPALIVED)}


def ask(kind: Kind, name: str) -> Program:
    """Find the program `name` (a path, or a name on PATH) and ask for its version and options.

    Raises DaemonMissing, with the path and the remedy.
    """
    path = shutil.which(name)
    if path is None:
        what = "is not an executable file" if Path(name).exists() else "is not there"
        raise DaemonMissing(f"{name} {what}: {kind.remedy}")
    path = str(Path(path).absolute())
    stamp = _stamp(path)
    version = (_answer(kind, path, "--version").strip().splitlines() or [""])[0]
    options = re.findall(r"--[a-z][a-z-]*", _answer(kind, path, "--help"))
    return Program(path, _bare(version, kind), frozenset(options), stamp)


def _bare(version: str, kind: Kind) -> str:
    """`gobgpd version 4.8.0` and `Keepalived v2.2.7 (01/16,2022)` without the words around."""
    text = re.sub(rf"^{kind.name}\s+(version\s+|v)", "", version, flags=re.IGNORECASE)
    return text.partition(" (")[0].strip()


def _stamp(path: str) -> tuple[int, ...]:
    seen = Path(path).stat()
    return (seen.st_dev, seen.st_ino, seen.st_mtime_ns)


def _answer(kind: Kind, path: str, question: str) -> str:
    try:
        answer = subprocess.run(
            [path, question],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_QUESTION_SECONDS,
            text=True,
            errors="replace",
            check=False,  # 3.10 answers --help with exit code 1
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise DaemonMissing(f"{path} cannot be executed ({exc}): {kind.remedy}") from exc
    return answer.stdout


def open_addresses(api_hosts: Sequence[str]) -> tuple[str, ...]:
    """Those of the API addresses that a network can reach: anything but a unix socket."""
    return tuple(host for host in api_hosts if not host.startswith("unix://"))
