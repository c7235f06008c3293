"""One daemon kept alive: life after life, with back-off, until it is told to end for good.

What it is told to do, and who is answered, is the supervisor's matter (`supervisor`); what is particular to
one kind of daemon is `care`'s. A selector calls back, and `keep_time` is called in between.
"""

import os
import selectors
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from openelb_bgp.lib import processes

from . import daemon, record
from .backoff import SHORT_LIFE, Lives
from .care import Care, Refusal
from .daemon import Daemon
from .errors import DaemonMissing
from .kinds import Kind, Program, Wish, ask
from .output import Output, say
from .places import Places
from .protocol import Exit

_GOODBYE_SECONDS = 1.5
_READY_SECONDS = 10.0
_READY_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Task:
    """What a sidecar is there for. `pid_file` is a second place for the record, None for none."""

    kind: Kind
    care: Care
    place: Places
    program: Program
    wish: Wish
    pid_file: Path | None = None


@dataclass(frozen=True)
class Listener:
    """Who is told: that another process is the daemon, that it came up, and why it does not come up."""

    changed: Callable[[], None]
    came_up: Callable[[], None]
    does_not_come_up: Callable[[str], None]


class Upkeep:
    """The daemon of one sidecar. `program`, `restarts`, `last_exit` and `failure` are there to be told of."""

    def __init__(
        self, task: Task, output: Output, selector: selectors.BaseSelector, listener: Listener
    ) -> None:
        self.program = task.program
        self.restarts = 0
        self.last_exit: Exit | None = None
        self.failure = ""
        self.alive: Daemon | None = None
        self._task = task
        self._care = task.care
        self._output = output
        self._selector = selector
        self._listener = listener
        self._lives = Lives()
        self._start_at: float | None = None
        self._kill_at: float | None = None
        self._untold = False
        self._for_good = False

    @property
    def crash_loop(self) -> bool:
        """Whether its lives are short, one after the other."""
        return self._lives.crash_loop

    def begin(self) -> None:
        """Adopt what a former, killed sidecar left, or start it. Raises NotOurs."""
        left = record.read(self._task.place.record)
        self.alive = self._care.left_over(left, version=self.program.version)
        if self.alive is None:
            self._start_or_wait()
        else:
            self._watch(self.alive)
            say("info", "daemon_adopted", pid=self.alive.identity.pid, version=self.alive.version)

    def _start_or_wait(self) -> None:
        """Start it, if there is anything for it to do."""
        if self._care.wants_one():
            self._start()
        else:
            self._listener.changed()

    def _start(self) -> None:
        self._start_at = None
        try:
            self.program = _current(self._task.kind, self.program)
            argv = self._care.command_line(self.program, self._task.wish)
            writer = self._output.open()
            try:
                self.alive = daemon.start(argv, output=writer, version=self.program.version)
            finally:
                os.close(writer)
        except (OSError, DaemonMissing, Refusal) as exc:
            self._could_not_start(str(exc))
        else:
            self.failure, self._untold = "", False
            self._watch(self.alive)
            say("info", "daemon_started", pid=self.alive.identity.pid, version=self.alive.version)

    def _could_not_start(self, failure: str) -> None:
        say("error", "daemon_not_started", error=failure)
        self.failure = failure
        self._schedule(self._lives.ended(lived=0.0))

    def _watch(self, alive: Daemon) -> None:
        self._selector.register(alive.pidfd, selectors.EVENT_READ, self._ended)
        if (readable := self._output.readable()) is not None:
            self._selector.register(readable, selectors.EVENT_READ, self._pump)
        self._listener.changed()

    def _pump(self) -> None:
        readable = self._output.readable()
        if not self._output.pump() and readable is not None and self._output.readable() is None:
            self._selector.unregister(readable)

    def _ended(self) -> None:
        """The pidfd is readable: one life is over."""
        over, self.alive = self.alive, None
        if over is None:
            return
        over.reaped(processes.reap())
        self._selector.unregister(over.pidfd)
        self._drain()
        self.last_exit = over.close()
        self._kill_at = None
        say(
            "info" if over.told_to_end else "warning",
            "daemon_ended",
            pid=over.identity.pid,
            exit=str(self.last_exit),
            last_output=[] if over.told_to_end else self._output.last_lines(),
        )
        self._care.ended()
        self._listener.changed()
        if not self._for_good and self._care.wants_one():
            self.restarts += 1
            self._schedule(self._delay_after(over))

    def _drain(self) -> None:
        if (readable := self._output.readable()) is not None:
            while self._output.pump():
                pass
            self._selector.unregister(readable)

    def _delay_after(self, over: Daemon) -> float:
        # A life that was ended by order says nothing about the daemon.
        return 0.0 if over.told_to_end else self._lives.ended(lived=over.age, came_up=over.ready)

    def _schedule(self, delay: float) -> None:
        if self._lives.crash_loop:
            say("error", "daemon_crash_loop", next_start_in=delay)
            why = self.failure or "; ".join(self._output.last_lines()[-3:]) or str(self.last_exit)
            self._listener.does_not_come_up(f"{self._task.kind.name} does not come up: {why}")
        self._start_at = time.monotonic() + delay

    def next_moment(self) -> float | None:
        """When `keep_time` has something to do, on the monotonic clock; None for never."""
        moments = [at for at in (self._start_at, self._kill_at) if at is not None]
        if self.alive and not self.alive.ready:
            moments.append(time.monotonic() + _READY_POLL_SECONDS)
        elif self.alive and self._care.watch_seconds is not None:
            moments.append(time.monotonic() + self._care.watch_seconds)
        return min(moments, default=None)

    def keep_time(self, instant: float) -> None:
        """Look whether it is up and well; start and kill it when that is due."""
        if self.alive:
            self._look_after(self.alive)
        if self._kill_at is not None and instant >= self._kill_at:
            self._kill_at = instant + _GOODBYE_SECONDS
            if self.alive:
                self._tell_to_end(self.alive, signal.SIGKILL)
        if self._start_at is not None and instant >= self._start_at and not self._for_good:
            self._start()

    def _look_after(self, alive: Daemon) -> None:
        if alive.told_to_end:
            return
        if alive.ready:
            if alive.age > SHORT_LIFE:
                self._lives.steady()
            if fault := self._care.fault(alive):
                say("error", "daemon_faulty", pid=alive.identity.pid, fault=fault)
                alive.send(signal.SIGKILL)
        elif self._care.is_ready(alive):
            alive.ready = True
            self._listener.came_up()
            if self._untold:
                self._untold = False
                self._care.tell(alive)
        elif alive.age > _READY_SECONDS and not alive.given_up:
            # gobgpd 4.8 goes on without an API when one of its addresses cannot be listened on.
            alive.given_up = True
            say("error", "daemon_without_api", pid=alive.identity.pid, seconds=_READY_SECONDS)
            alive.send(signal.SIGKILL)

    def reload(self) -> None:
        """Take the configuration that lies ready: start, tell, or end the daemon. Raises Refusal."""
        self.program = _current(self._task.kind, self.program)
        self._care.take_config(self.program)
        alive = self.alive
        if not self._care.wants_one():
            self._start_at = None
            if alive is not None:
                self._kill_at = time.monotonic() + _GOODBYE_SECONDS
                self._tell_to_end(alive, signal.SIGTERM)
        elif alive is None:
            self._start_at = time.monotonic()
        elif alive.ready and not alive.told_to_end:
            self._care.tell(alive)
        else:
            # It may not be ready for the signal, and have read what was there before.
            self._untold = True

    def restart(self) -> None:
        """Kill it, or start it at once where none runs."""
        if self.alive:
            self.alive.ready = False
            self._tell_to_end(self.alive, signal.SIGKILL)
        else:
            self._start_at = time.monotonic()

    def end(self, signum: signal.Signals) -> None:
        """For good: by that signal, and by SIGKILL if it takes its time."""
        self._for_good = True
        self._kill_at = self._kill_at or time.monotonic() + _GOODBYE_SECONDS
        if self.alive:
            self._tell_to_end(self.alive, signum)

    def _tell_to_end(self, alive: Daemon, signum: signal.Signals) -> None:
        alive.told_to_end = True
        alive.send(signum)


def _current(kind: Kind, program: Program) -> Program:
    """The program, asked again for its version if an upgrade has replaced the file."""
    return program if program.is_unchanged() else ask(kind, program.path)
