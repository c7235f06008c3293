"""The engine: started, asked and ended.

What it has built stays in the cache, so that the next start builds only what has changed.
"""

import contextlib
import fcntl
import os
import secrets
import shlex
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lab.cluster.programs import cache
from lab.engine import runtime
from lab.errors import LabError
from lab.namespaces import Namespace, remove
from lab.shell import program, run, wait_until

_PREFIX = "oelb-engine"
_STARTS_WITHIN = 60.0
_DRIVERS = ("overlay2", "vfs")
_UCRED = struct.Struct("3i")
"""Process, user and group: unix(7)."""


@dataclass(frozen=True, slots=True)
class Engine:
    """One that runs: `folder` has its socket and its log, `space` is where its bridges are."""

    folder: Path
    space: Namespace

    def docker(self, *arguments: str, timeout: float = 60.0, stdin: str | IO[bytes] | None = "") -> str:
        """What a docker command prints. Raises as `shell.run` does."""
        return self._run((program("docker"), *arguments), timeout=timeout, stdin=stdin)

    def compose(self, file: Path, *arguments: str, timeout: float = 300.0) -> str:
        """The same for a command of docker compose about this file."""
        return self._run((*_compose(), "-f", str(file), *arguments), timeout=timeout)

    def run(self, *argv: str, timeout: float = 300.0) -> str:
        """The same for any program, beside the engine's bridges and with its socket."""
        return self._run((*_enter(self.space), *argv), timeout=timeout)

    def run_within(self, *argv: str, timeout: float = 300.0) -> str:
        """The same for one that looks up the engine's containers by their processes."""
        enter = ("nsenter", f"--target={self._pid()}", "--mount", "--pid", "--net")
        return self._run((*enter, *argv), timeout=timeout)

    def network_of(self, container: str) -> Path:
        """The file that holds a container's network, as long as the container runs."""
        pid = self.docker("inspect", "--format", "{{.State.Pid}}", container).strip()
        return Path(f"/proc/{self._pid()}/root/proc/{pid}/ns/net")

    @property
    def environment(self) -> Mapping[str, str]:
        """By which clients find it, and no configuration of the user's."""
        return {
            "DOCKER_HOST": f"unix://{self.folder}/docker.sock",
            "DOCKER_CONFIG": str(self.folder / "config"),
            # The builder that every engine has.
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_DOCKER_CLI_BUILD": "0",
            "COMPOSE_PROJECT_NAME": "oelb",
            "COMPOSE_HTTP_TIMEOUT": "300",
        }

    def _pid(self) -> int:
        """Whoever listens on the socket."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(f"{self.folder}/docker.sock")
            credentials = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        pid, _, _ = _UCRED.unpack(credentials)
        return int(pid)

    def _run(self, argv: tuple[str, ...], *, timeout: float, stdin: str | IO[bytes] | None = "") -> str:
        settings = (f"{key}={value}" for key, value in self.environment.items())
        return run(("env", *settings, *argv), timeout=timeout, stdin=stdin)


@contextlib.contextmanager
def held_engine() -> Iterator[Engine]:
    """An engine for the `with` block; of a former one that was killed nothing is left. Raises LabError."""
    root = cache() / "containers"
    root.mkdir(parents=True, exist_ok=True)
    with _lock(root / "lock"):
        remove(Namespace(path.name) for path in Path("/run/netns").glob(f"{_PREFIX}-*"))
        engine = Engine(root, Namespace(f"{_PREFIX}-{secrets.token_hex(2)}"))
        run(("ip", "netns", "add", engine.space.name))
        try:
            engine.space.run("ip", "link", "set", "lo", "up")
            process = _started(engine)
            try:
                yield engine
            finally:
                _end(process)
        finally:
            remove([engine.space])


def _started(engine: Engine) -> subprocess.Popen[bytes]:
    failed = ""
    for driver in _DRIVERS:
        process = _start(engine, driver)
        try:
            wait_until(lambda: _answers(engine, process), within=_STARTS_WITHIN, what="the Docker engine")  # noqa: B023
        except LabError as exc:
            _end(process)
            failed = f"{exc}\n{_log(engine).read_text()[-2000:]}"
        else:
            return process
    raise LabError(f"the Docker engine does not start: {failed}")


def _start(engine: Engine, driver: str) -> subprocess.Popen[bytes]:
    """Start dockerd as process 1 of a PID namespace that is killed with us, however we end."""
    folder = engine.folder
    shutil.rmtree(folder / "exec", ignore_errors=True)
    (folder / "docker.sock").unlink(missing_ok=True)
    (folder / "config").mkdir(exist_ok=True)
    dockerd = (
        program("dockerd"),
        *("--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"),
        *("--host", f"unix://{folder}/docker.sock", "--storage-driver", driver),
        *("--cgroup-parent", f"/{_PREFIX}", "--log-level", "warn"),
        *runtime.options(folder),
    )
    # One that serves the machine would be taken for our own.
    hidden = "for folder in /run/containerd /run/docker; do if test -d $folder; then "
    script = f"{hidden} mount -t tmpfs none $folder; fi; done; exec {shlex.join(dockerd)}"
    unshare = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    (folder / "pid").unlink(missing_ok=True)
    with _log(engine).open("wb") as log:
        return subprocess.Popen(
            ("setpriv", "--pdeathsig", "KILL", *_enter(engine.space), *unshare, "sh", "-ec", script),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _answers(engine: Engine, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise LabError("it ended at once")
    try:
        engine.docker("version")
    except LabError:
        return False
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask dockerd to end its containers and itself, then end what is left of its PID namespace."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        for child in children.read_text().split():
            os.kill(int(child), signal.SIGTERM)
        process.wait(timeout=30.0)
    process.kill()
    process.wait()
    for controller in Path("/sys/fs/cgroup").glob(f"**/{_PREFIX}"):
        for group in (*sorted(controller.rglob("*/"), reverse=True), controller):
            with contextlib.suppress(OSError):
                group.rmdir()


def _enter(space: Namespace) -> tuple[str, ...]:
    """Into its network alone: `ip netns exec` would hide the control groups."""
    return ("nsenter", f"--net={space.path}")


def _compose() -> tuple[str, ...]:
    """The plugin, else the program of before."""
    try:
        run((program("docker"), "compose", "version"))
    except LabError:
        return (program("docker-compose"),)
    return (program("docker"), "compose")


def _log(engine: Engine) -> Path:
    return engine.folder / "engine.log"


@contextlib.contextmanager
def _lock(file: Path) -> Iterator[None]:
    with file.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise LabError(f"another process has {file}: one engine at a time") from exc
        yield
