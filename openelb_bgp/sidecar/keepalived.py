"""keepalived as a sidecar keeps it: its configuration checked, its addresses taken away when it dies.

A keepalived that is killed leaves its addresses on the interface, and this node would go on answering for
them beside the next master; one that is stopped does so too. So whatever it may have set is written down
before it is told of it, and removed as soon as its processes are gone. It runs only while its configuration
has an instance.
"""

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from openelb_bgp.lib import processes

from . import addresses, daemon
from .addresses import Held
from .care import Refusal
from .daemon import Daemon
from .kinds import Program, Wish
from .output import say
from .places import Places
from .record import Record

CONFIG, CANDIDATE, LEDGER, REPORT = "keepalived.conf", "keepalived.conf.new", "addresses", "keepalived.json"
"""Names in the folder: what counts, what is laid ready, what may be on interfaces, what `report` writes."""

_CHECK_SECONDS = 10.0
_WATCH_SECONDS = 0.1
_STOPPED_SECONDS = 0.3
"""How long it may be stopped (SIGSTOP, a debugger): by then the other nodes have begun to take over."""
_IDLE_SECONDS = 3.0
"""How long it may do nothing at all, where its advertisements are not rarer: it wakes for each."""
_SETTLE_SECONDS = 0.3
"""A SIGHUP before its handler is there would end it."""
_END_SECONDS = 2.0
_NICE = -20
_NEEDED = {12: "NET_ADMIN", 13: "NET_RAW"}
"""Bits of CapEff (capabilities(7))."""
_VIP = re.compile(r"^\s+([0-9a-fA-F.:]+)/(32|128) dev (\S+)", re.MULTILINE)
_INSTANCE = re.compile(r"^vrrp_instance ", re.MULTILINE)
_INTERVAL = re.compile(r"^\s+advert_int ([0-9.]+)", re.MULTILINE)
_SWITCHES = re.compile(r"^voluntary_ctxt_switches:\s+(\d+)", re.MULTILINE)


class KeepalivedCare:
    """One keepalived over the folder of a sidecar."""

    watch_seconds: float | None = _WATCH_SECONDS

    def __init__(self, place: Places) -> None:
        self._place = place
        self._fifo = place.api_socket
        self._config = place.folder / CONFIG
        self._ledger = place.folder / LEDGER
        self._pulse = Pulse()
        self._report_signal: int | None = None

    def wants_one(self) -> bool:
        """While its configuration has an instance."""
        return bool(_INSTANCE.search(self._text()))

    def left_over(self, left: Record | None, *, version: str) -> Daemon | None:
        """By its record; what a dead one left on interfaces goes."""
        found = None
        if left is not None and left.daemon is not None:
            found = daemon.adopt(left.daemon, left.version, started_at=left.started_at)
        if found is None:
            self.ended()
        return found

    def command_line(self, program: Program, wish: Wish) -> list[str]:
        """In the foreground, VRRP alone; it ends when its VRRP process does, so that we clean up."""
        if lacking := lacking_capabilities(Path("/proc/self/status").read_text()):
            raise Refusal(
                f"keepalived needs the capabilities {' and '.join(lacking)}, which its container or user "
                "does not have; add them (manifests/overlays/vip does)"
            )
        if not self._fifo.is_fifo():
            self._fifo.unlink(missing_ok=True)
            os.mkfifo(self._fifo, 0o600)
        _come_first()
        # Where it puts the report that SIGJSON asks for.
        os.environ["TMPDIR"] = str(self._place.folder)
        self._pulse = Pulse()
        argv = [program.path, "--dont-fork", "--log-console", "--no-syslog", "--vrrp", "--dont-respawn"]
        return [*argv, *self._files(), "--use-file", str(self._config), *wish.extra]

    def _files(self) -> list[str]:
        folder = self._place.folder
        return ["--pid", str(folder / "keepalived.pid"), "--vrrp_pid", str(self._vrrp_pid_file)]

    @property
    def _vrrp_pid_file(self) -> Path:
        return self._place.folder / "vrrp.pid"

    def is_ready(self, alive: Daemon) -> bool:
        """Once its VRRP process runs, and has had the time to set up what it does about signals."""
        return alive.age > _SETTLE_SECONDS and self._vrrp_pid() is not None

    def fault(self, alive: Daemon) -> str:
        """Stopped, or without a sign of life: it advertises nothing, and its addresses are still here."""
        vrrp = self._vrrp_pid()
        try:
            status = Path(f"/proc/{vrrp}/status").read_text()
        except OSError:
            return ""
        return self._pulse.fault(status, now=time.monotonic(), patience=self._patience())

    def _patience(self) -> float:
        """Seconds in which it must have woken up: three advertisements of its busiest instance at least."""
        shortest = min((float(one) for one in _INTERVAL.findall(self._text())), default=1.0)
        return max(_IDLE_SECONDS, 3 * shortest + 1.0)

    def ended(self) -> None:
        """Its VRRP process, should it live on, and every address that it may have set."""
        self._end_vrrp()
        for name in ("keepalived.pid", "vrrp.pid"):
            (self._place.folder / name).unlink(missing_ok=True)
        try:
            left = self._noted() & addresses.held()
            gone = [str(one) for one in sorted(left) if addresses.remove(one)]
        except OSError as exc:
            say("error", "addresses_not_removed", error=str(exc))
            return
        if gone:
            say("warning", "addresses_removed", count=len(gone), first=gone[0])

    def _end_vrrp(self) -> None:
        """A killed parent's VRRP process goes on for a second, with the addresses."""
        vrrp = self._vrrp_pid()
        identity = None if vrrp is None else processes.identify(vrrp)
        pidfd = None if identity is None else processes.watch(identity)
        if pidfd is not None:
            processes.send(pidfd, signal.SIGKILL)
            processes.wait_ended(pidfd, seconds=_END_SECONDS)
            os.close(pidfd)
            processes.reap()

    def take_config(self, program: Program) -> None:
        """The candidate, if keepalived accepts it here and now. Raises Refusal with what it says."""
        candidate = self._place.folder / CANDIDATE
        try:
            text = candidate.read_text()
        except OSError as exc:
            raise Refusal(f"there is no {candidate} to take: {exc.strerror}") from exc
        if text.strip():
            check(program, candidate)
        noted = (self._noted() & addresses.held()) | vips(text)
        _write(self._ledger, "".join(f"{one}\n" for one in sorted(noted)))
        candidate.replace(self._config)

    def tell(self, alive: Daemon) -> None:
        """By SIGHUP: what is the same in both goes on undisturbed."""
        alive.send(signal.SIGHUP)

    def report(self, alive: Daemon, program: Program) -> None:
        """It writes keepalived.json; whoever asks waits for the file."""
        if self._report_signal is None:
            self._report_signal = int(_said([program.path, "--signum=JSON"]).strip() or 0)
        (self._place.folder / REPORT).unlink(missing_ok=True)
        if self._report_signal:
            alive.send(self._report_signal)

    def hang_up(self, alive: Daemon, address: str) -> int:
        """It has no connections."""
        raise Refusal("keepalived has no connections to hang up")

    def remove(self, text: str) -> None:
        """One address without a subnet, as keepalived sets them."""
        one = addresses.parse(text)
        if not one.is_host:
            raise Refusal(f"{text}: only addresses of the full length are keepalived's")
        if addresses.remove(one):
            say("warning", "address_removed", address=str(one))

    def _text(self) -> str:
        try:
            return self._config.read_text()
        except OSError:
            return ""

    def _noted(self) -> set[Held]:
        try:
            lines = self._ledger.read_text().splitlines()
        except OSError:
            return set()
        found: set[Held] = set()
        for line in lines:
            with contextlib.suppress(ValueError):
                found.add(addresses.parse(line))
        return found

    def _vrrp_pid(self) -> int | None:
        """The VRRP process, None where the pid file names none of keepalived's."""
        try:
            pid = int(self._vrrp_pid_file.read_text())
            name = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(self._vrrp_pid_file) in name else None


class Pulse:
    """Whether a process shows signs of life, by what the kernel says of it (proc(5), status)."""

    def __init__(self) -> None:
        self._switches = ""
        self._woke: float | None = None
        self._stopped: float | None = None
        self._asked = 0.0

    def fault(self, status: str, *, now: float, patience: float) -> str:
        """Why it counts as hung, empty while it does not. Instants and `patience` are in seconds."""
        asked, self._asked = self._asked, now
        switches = _SWITCHES.search(status)
        woke = switches is not None and switches[1] != self._switches
        if woke or self._woke is None or now - asked > 1.0:
            # If it is we who were not running, nothing is known of the time between.
            self._switches = switches[1] if switches else ""
            self._woke = now
            self._stopped = None
        if "\nState:\tT" in status or "\nState:\tt" in status:
            self._stopped = now if self._stopped is None else self._stopped
            if now - self._stopped >= _STOPPED_SECONDS:
                return "it is stopped and advertises nothing"
        elif now - self._woke > patience:
            return f"it has not moved for {now - self._woke:.1f} s"
        return ""


def vips(config: str) -> set[Held]:
    """Every address that a configuration of ours may set."""
    found = _VIP.findall(config)
    return {addresses.parse(f"{interface} {address}/{length}") for address, length, interface in found}


def _come_first() -> None:
    """Have this process, and what it starts, scheduled in real time, at the lowest priority of all that are.

    An advertisement that comes too late is a lost master, and we must be quick to take its addresses off,
    too. A nice value counts among the threads of one session or container only (sched(7), autogroup); it is
    for where real time is not to be had. keepalived's own `vrrp_rt_priority` would do once: at a reload its
    version 2.2.7 sets RLIMIT_RTTIME to 0, and what may not raise that again is killed. Without the capability
    SYS_NICE all stays as it is.
    """
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def lacking_capabilities(status: str) -> list[str]:
    """Of what keepalived needs, what a process with that /proc/PID/status does not have."""
    effective = re.search(r"^CapEff:\s+([0-9a-f]+)", status, re.MULTILINE)
    bits = int(effective[1], 16) if effective else 0
    return [name for bit, name in _NEEDED.items() if not bits >> bit & 1]


def check(program: Program, candidate: Path) -> None:
    """Raises Refusal with keepalived's words where it would not load it."""
    argv = [program.path, "--config-test", "--vrrp", "--use-file", str(candidate)]
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=_CHECK_SECONDS,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = "; ".join(line.strip() for line in done.stdout.splitlines() if line.strip())
        raise Refusal(said.replace(str(candidate), CONFIG) or f"exit code {done.returncode} without a word")


def _said(argv: list[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, timeout=_CHECK_SECONDS, check=False).stdout


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text)
    fresh.replace(path)
