"""The loop of a sidecar: one daemon kept alive, orders and signals carried out. One thread, no asyncio.

SIGTERM and SIGINT mean goodbye: they are passed on as SIGTERM, gobgpd tells its neighbours and its routes go
at once, because that is what a rebooting host sends to everything. Who wants the routes to stay ends the
daemon by SIGKILL: orders `restart` and `stop`, or SIGKILL as the container's stop signal. A second SIGTERM
or SIGINT, and a goodbye that takes longer than 1.5 s, is followed by SIGKILL.
"""

import os
import selectors
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from openelb_bgp.lib import processes

from . import daemon, hangup, protocol, record
from .backoff import SHORT_LIFE, Lives
from .care import Care, Refusal
from .control import Answer, ControlServer
from .daemon import Daemon
from .errors import DaemonMissing
from .kinds import Kind, Program, Wish, ask
from .output import Output, say
from .places import Places
from .protocol import Command, Exit, Order
from .record import Record
from .signals import SignalPipe

_GOODBYE_SECONDS = 1.5
_READY_SECONDS = 10.0
_READY_POLL_SECONDS = 0.02
_TIDY_SECONDS = 60.0


@dataclass(frozen=True)
class Task:
    """What a sidecar is there for. `pid_file` is a second place for the record, None for none."""

    kind: Kind
    care: Care
    place: Places
    program: Program
    wish: Wish
    pid_file: Path | None = None


class Supervisor:
    """Keeps one daemon until it is told to stop. The folder is locked for it by its caller."""

    def __init__(self, task: Task, output: Output) -> None:
        """Takes over the process's signal handling. Raises OSError when the control socket cannot be made."""
        self._task = task
        self._care = task.care
        self._records = [task.place.record, *([task.pid_file] if task.pid_file else [])]
        self._program = task.program
        self._output = output
        self._lives = Lives()
        self._daemon: Daemon | None = None
        self._start_at: float | None = None
        self._kill_at: float | None = None
        self._tidy_at = time.monotonic() + _TIDY_SECONDS
        self._restarts = 0
        self._last_exit: Exit | None = None
        self._failure = ""
        self._untold = False
        self._restarting: list[Answer] = []
        self._stopping: list[Answer] = []
        self._stop = False
        self._selector = selectors.DefaultSelector()
        self._control = ControlServer(task.place.control_socket, self._selector, self._take)
        signals = SignalPipe((signal.SIGTERM, signal.SIGINT, signal.SIGCHLD))
        self._selector.register(signals, selectors.EVENT_READ, lambda: self._signalled(signals.take()))

    def run(self) -> None:
        """Until the daemon has ended after a stop order or a signal.

        Raises NotOurs when a daemon that cannot be adopted serves the API socket.
        """
        self._begin()
        while self._daemon or not self._stop:
            for key, _ in self._selector.select(self._idle_seconds()):
                key.data()
            self._keep_time(time.monotonic())
        self._leave()

    # Lives of the daemon

    def _begin(self) -> None:
        left = record.read(self._task.place.record)
        self._daemon = self._care.left_over(left, version=self._program.version)
        if self._daemon is None:
            self._start_or_wait()
        else:
            self._watch(self._daemon)
            say("info", "daemon_adopted", pid=self._daemon.identity.pid, version=self._daemon.version)

    def _start_or_wait(self) -> None:
        """Start it, if there is anything for it to do."""
        if self._care.wants_one():
            self._start()
        else:
            self._record()

    def _start(self) -> None:
        self._start_at = None
        try:
            self._program = _current(self._task.kind, self._program)
            argv = self._care.command_line(self._program, self._task.wish)
            writer = self._output.open()
            try:
                self._daemon = daemon.start(argv, output=writer, version=self._program.version)
            finally:
                os.close(writer)
        except (OSError, DaemonMissing, Refusal) as exc:
            self._could_not_start(str(exc))
        else:
            self._failure, self._untold = "", False
            self._watch(self._daemon)
            say("info", "daemon_started", pid=self._daemon.identity.pid, version=self._daemon.version)

    def _could_not_start(self, failure: str) -> None:
        say("error", "daemon_not_started", error=failure)
        self._failure = failure
        self._schedule(self._lives.ended(lived=0.0))

    def _watch(self, alive: Daemon) -> None:
        self._selector.register(alive.pidfd, selectors.EVENT_READ, self._ended)
        if (readable := self._output.readable()) is not None:
            self._selector.register(readable, selectors.EVENT_READ, self._pump)
        self._record()

    def _pump(self) -> None:
        readable = self._output.readable()
        if not self._output.pump() and readable is not None and self._output.readable() is None:
            self._selector.unregister(readable)

    def _ended(self) -> None:
        """The pidfd is readable: one life is over."""
        over, self._daemon = self._daemon, None
        if over is None:
            return
        over.reaped(processes.reap())
        self._selector.unregister(over.pidfd)
        self._drain()
        self._last_exit = over.close()
        self._kill_at = None
        say(
            "info" if over.told_to_end else "warning",
            "daemon_ended",
            pid=over.identity.pid,
            exit=str(self._last_exit),
            last_output=[] if over.told_to_end else self._output.last_lines(),
        )
        self._care.ended()
        self._record()
        if not self._stop and self._care.wants_one():
            self._restarts += 1
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
            why = self._failure or "; ".join(self._output.last_lines()[-3:]) or str(self._last_exit)
            self._refuse_restarts(f"{self._task.kind.name} does not come up: {why}")
        self._start_at = time.monotonic() + delay

    # Time

    def _idle_seconds(self) -> float:
        moments = [self._tidy_at, *(at for at in (self._start_at, self._kill_at) if at is not None)]
        if self._daemon and not self._daemon.ready:
            moments.append(time.monotonic() + _READY_POLL_SECONDS)
        elif self._daemon and self._care.watch_seconds is not None:
            moments.append(time.monotonic() + self._care.watch_seconds)
        return max(0.0, min(moments) - time.monotonic())

    def _keep_time(self, instant: float) -> None:
        if self._daemon:
            self._look_after(self._daemon)
        if self._kill_at is not None and instant >= self._kill_at:
            self._kill_at = instant + _GOODBYE_SECONDS
            if self._daemon:
                self._tell_to_end(self._daemon, signal.SIGKILL)
        if self._start_at is not None and instant >= self._start_at and not self._stop:
            self._start()
        if instant >= self._tidy_at:
            self._tidy_at = instant + _TIDY_SECONDS
            self._output.tidy()

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
            self._answer_restarts()
            if self._untold:
                self._untold = False
                self._care.tell(alive)
        elif alive.age > _READY_SECONDS and not alive.given_up:
            # gobgpd 4.8 goes on without an API when one of its addresses cannot be listened on.
            alive.given_up = True
            say("error", "daemon_without_api", pid=alive.identity.pid, seconds=_READY_SECONDS)
            alive.send(signal.SIGKILL)

    # Orders

    def _take(self, order: Order, answer: Answer) -> None:
        match order.command:
            case Command.DUMP:
                answer(protocol.render_done(self.dump()))
            case Command.HANG_UP:
                answer(self._hang_up(order.address))
            case Command.RELOAD | Command.REPORT | Command.REMOVE:
                answer(self._carried_out(order))
            case _ if self._stop and order.command is Command.RESTART:
                answer(protocol.render_refusal("the sidecar is stopping"))
            case Command.RESTART:
                say("info", "restart_ordered")
                self._restarting.append(answer)
                self._kill_or_start()
            case Command.STOP:
                say("info", "stop_ordered", withdraw=order.withdraw)
                self._stopping.append(answer)
                self._stop_daemon(signal.SIGTERM if order.withdraw else signal.SIGKILL)

    def _hang_up(self, address: str) -> bytes:
        if self._daemon is None:
            return protocol.render_done(self.dump())
        try:
            ended = self._care.hang_up(self._daemon, address)
        except (OSError, ValueError, Refusal) as exc:
            return protocol.render_refusal(f"the connection to {address} cannot be ended quietly: {exc}")
        say("info", "hung_up", address=address, connections=ended)
        return protocol.render_done(self.dump())

    def _carried_out(self, order: Order) -> bytes:
        try:
            match order.command:
                case Command.RELOAD:
                    self._reload()
                case Command.REMOVE:
                    self._care.remove(order.address)
                case _ if self._daemon is not None:
                    self._care.report(self._daemon, self._program)
        except (OSError, ValueError, Refusal, DaemonMissing) as exc:
            return protocol.render_refusal(str(exc))
        return protocol.render_done(self.dump())

    def _reload(self) -> None:
        """Take the configuration that lies ready: start, tell, or end the daemon. Raises Refusal."""
        self._program = _current(self._task.kind, self._program)
        self._care.take_config(self._program)
        alive = self._daemon
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

    def _kill_or_start(self) -> None:
        if self._daemon:
            self._daemon.ready = False
            self._tell_to_end(self._daemon, signal.SIGKILL)
        else:
            self._start_at = time.monotonic()

    def _stop_daemon(self, signum: signal.Signals) -> None:
        self._stop = True
        self._kill_at = self._kill_at or time.monotonic() + _GOODBYE_SECONDS
        if self._daemon:
            self._tell_to_end(self._daemon, signum)

    def _tell_to_end(self, alive: Daemon, signum: signal.Signals) -> None:
        alive.told_to_end = True
        alive.send(signum)

    def _answer_restarts(self) -> None:
        waiting, self._restarting = self._restarting, []
        for answer in waiting:
            answer(protocol.render_done(self.dump()))

    def _refuse_restarts(self, why: str) -> None:
        waiting, self._restarting = self._restarting, []
        for answer in waiting:
            answer(protocol.render_refusal(why))

    def dump(self) -> protocol.Dump:
        """How things stand now."""
        alive = self._daemon
        return protocol.Dump(
            kind=self._task.kind.name,
            sidecar_pid=os.getpid(),
            pid=alive.identity.pid if alive else None,
            ready=bool(alive and alive.ready),
            version=alive.version if alive else self._program.version,
            started_at=alive.started_at or None if alive else None,
            adopted=bool(alive and alive.adopted),
            restarts=self._restarts,
            last_exit=self._last_exit,
            crash_loop=self._lives.crash_loop,
            last_output=(self._failure,) if self._failure else self._output.last_lines(),
            api=self._task.place.api_target,
            sockets=hangup.sockets(alive.identity.pid) if alive else (),
        )

    # Signals

    def _signalled(self, signals: list[signal.Signals]) -> None:
        # All children, also orphans that became ours as PID 1.
        ended = processes.reap()
        if self._daemon:
            self._daemon.reaped(ended)
        for signum in signals:
            if signum != signal.SIGCHLD:
                say("info", "kill" if self._stop else "goodbye", signal=signum.name)
                self._stop_daemon(signal.SIGKILL if self._stop else signal.SIGTERM)

    # The record

    def _record(self) -> None:
        alive = self._daemon
        written = Record(
            sidecar=processes.identify(os.getpid()),
            daemon=alive.identity if alive else None,
            version=alive.version if alive else self._program.version,
            started_at=alive.started_at if alive else "",
        )
        for path in self._records:
            try:
                record.write(path, written)
            except OSError as exc:
                # A full disk must not keep a daemon from running; the socket still tells who serves it.
                say("error", "record_not_written", path=path, error=str(exc))

    def _leave(self) -> None:
        """Take away everything that a successor would make anew, while the folder is still locked."""
        for path in (*self._records, self._task.place.api_socket):
            path.unlink(missing_ok=True)
        self._control.stop_listening()
        say("info", "sidecar_ended")

    def farewell(self) -> None:
        """Answer those who waited for the end. To be called once a successor may begin: they may start it."""
        for answer in self._stopping:
            answer(protocol.render_done(self.dump()))
        self._refuse_restarts("the sidecar was stopped")
        self._control.close()


def _current(kind: Kind, program: Program) -> Program:
    """The program, asked again for its version if an upgrade has replaced the file."""
    return program if program.is_unchanged() else ask(kind, program.path)
