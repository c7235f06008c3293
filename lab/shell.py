"""Running foreign commands to their end, and waiting for something to become true.

Long-running processes are not started here (`processes.py`).
"""

import shutil
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, TypeVar

from lab.errors import CommandFailed, LabError

T = TypeVar("T")

FRR_FOLDERS = (Path("/usr/lib/frr"), Path("/usr/libexec/frr"), Path("/usr/sbin"))
"""Where distributions put FRR's daemons (Debian, Fedora, a build from source)."""


def run(argv: Sequence[str], *, stdin: str | IO[bytes] | None = "", timeout: float = 30.0) -> str:
    """Run a command to its end and return its standard output; `stdin` is what it reads, or from where.

    Raises CommandFailed on a non-zero status, LabError when it is missing or takes longer than `timeout`
    seconds.
    """
    try:
        given: Any = {"input": stdin} if isinstance(stdin, str) else {"stdin": stdin}
        done: subprocess.CompletedProcess[str]
        done = subprocess.run(argv, **given, capture_output=True, check=False, text=True, timeout=timeout)
    except FileNotFoundError as exc:
        raise LabError(f"the command {argv[0]} is missing; `make setup` installs what the lab needs") from exc
    except subprocess.TimeoutExpired as exc:
        raise LabError(f"{' '.join(argv)} did not end within {timeout:g} s") from exc
    if done.returncode:
        raise CommandFailed(tuple(argv), done.returncode, done.stdout + done.stderr)
    return done.stdout


def program(name: str, *, folders: Sequence[Path] = ()) -> str:
    """The path of a program, looked for in `folders`, then in PATH; LabError if it is missing."""
    for folder in folders:
        if (folder / name).exists():
            return str(folder / name)
    found = shutil.which(name)
    if found is None:
        raise LabError(f"the program {name} is missing; `make setup` installs what the lab needs")
    return found


def wait_until(probe: Callable[[], T | None], *, within: float, what: str) -> T:
    """Ask `probe` until it returns something other than None or False, and return that.

    Raises LabError, naming `what` was waited for, after `within` seconds.
    """
    deadline = time.monotonic() + within
    while True:
        answer = probe()
        if answer is not None and answer is not False:
            return answer
        if time.monotonic() >= deadline:
            raise LabError(f"waited {within:g} s in vain for {what}")
        time.sleep(0.02)
