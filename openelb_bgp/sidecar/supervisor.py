"""The loop of a sidecar: orders and signals carried out while one daemon is kept alive (`upkeep`).
One thread, no asyncio.

SIGTERM and SIGINT mean goodbye: they are passed on as SIGTERM, gobgpd tells its neighbours and its routes go
at once, because that is what a rebooting host sends to everything. Who wants the routes to stay ends the
daemon by SIGKILL: orders `restart` and `stop`, or SIGKILL as the container's stop signal. A second SIGTERM
or SIGINT, and a goodbye that takes longer than 1.5 s, is followed by SIGKILL.
"""

import os
import selectors
import signal
import time

from openelb_bgp.lib import processes

from . import hangup, protocol, record
from .care import Refusal
from .control import Answer, ControlServer
from .errors import DaemonMissing
from .output import Output, say
from .protocol import Command, Order
from .record import Record
from .signals import SignalPipe
from .upkeep import Listener, Task, Upkeep

_TIDY_SECONDS = 60.0


class Supervisor:
    """Keeps one daemon until it is told to stop. The folder is locked for it by its caller."""

    def __init__(self, task: Task, output: Output) -> None:
        """Takes over the process's signal handling. Raises OSError when the control socket cannot be made."""
        self._task = task
        self._care = task.care
        self._records = [task.place.record, *([task.pid_file] if task.pid_file else [])]
        self._output = output
        self._tidy_at = time.monotonic() + _TIDY_SECONDS
        self._restarting: list[Answer] = []
        self._stopping: list[Answer] = []
        self._stop = False
        self._selector = selectors.DefaultSelector()
        listener = Listener(self._record, self._answer_restarts, self._refuse_restarts)
        self._upkeep = Upkeep(task, output, self._selector, listener)
        self._control = ControlServer(task.place.control_socket, self._selector, self._take)
        signals = SignalPipe((signal.SIGTERM, signal.SIGINT, signal.SIGCHLD))
        self._selector.register(signals, selectors.EVENT_READ, lambda: self._signalled(signals.take()))

    def run(self) -> None:
        """Until the daemon has ended after a stop order or a signal.

        Raises NotOurs when a daemon that cannot be adopted serves the API socket.
        """
        self._upkeep.begin()
        while self._upkeep.alive or not self._stop:
            for key, _ in self._selector.select(self._idle_seconds()):
                key.data()
            self._upkeep.keep_time(time.monotonic())
            if time.monotonic() >= self._tidy_at:
                self._tidy_at = time.monotonic() + _TIDY_SECONDS
                self._output.tidy()
        self._leave()

    def _idle_seconds(self) -> float:
        moment = self._upkeep.next_moment()
        until = self._tidy_at if moment is None else min(self._tidy_at, moment)
        return max(0.0, until - time.monotonic())

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
                self._upkeep.restart()
            case Command.STOP:
                say("info", "stop_ordered", withdraw=order.withdraw)
                self._stopping.append(answer)
                self._stop_daemon(signal.SIGTERM if order.withdraw else signal.SIGKILL)

    def _hang_up(self, address: str) -> bytes:
        if self._upkeep.alive is None:
            return protocol.render_done(self.dump())
        try:
            ended = self._care.hang_up(self._upkeep.alive, address)
        except (OSError, ValueError, Refusal) as exc:
            return protocol.render_refusal(f"the connection to {address} cannot be ended quietly: {exc}")
        say("info", "hung_up", address=address, connections=ended)
        return protocol.render_done(self.dump())

    def _carried_out(self, order: Order) -> bytes:
        try:
            match order.command:
                case Command.RELOAD:
                    self._upkeep.reload()
                case Command.REMOVE:
                    self._care.remove(order.address)
                case _ if self._upkeep.alive is not None:
                    self._care.report(self._upkeep.alive, self._upkeep.program)
        except (OSError, ValueError, Refusal, DaemonMissing) as exc:
            return protocol.render_refusal(str(exc))
        return protocol.render_done(self.dump())

    def _stop_daemon(self, signum: signal.Signals) -> None:
        self._stop = True
        self._upkeep.end(signum)

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
        alive = self._upkeep.alive
        return protocol.Dump(
            kind=self._task.kind.name,
            sidecar_pid=os.getpid(),
            pid=alive.identity.pid if alive else None,
            ready=bool(alive and alive.ready),
            version=alive.version if alive else self._upkeep.program.version,
            started_at=alive.started_at or None if alive else None,
            adopted=bool(alive and alive.adopted),
            restarts=self._upkeep.restarts,
            last_exit=self._upkeep.last_exit,
            crash_loop=self._upkeep.crash_loop,
            last_output=(self._upkeep.failure,) if self._upkeep.failure else self._output.last_lines(),
            api=self._task.place.api_target,
            sockets=hangup.sockets(alive.identity.pid) if alive else (),
        )

    # Signals

    def _signalled(self, signals: list[signal.Signals]) -> None:
        # All children, also orphans that became ours as PID 1.
        ended = processes.reap()
        if self._upkeep.alive:
            self._upkeep.alive.reaped(ended)
        for signum in signals:
            if signum != signal.SIGCHLD:
                say("info", "kill" if self._stop else "goodbye", signal=signum.name)
                self._stop_daemon(signal.SIGKILL if self._stop else signal.SIGTERM)

    # The record

    def _record(self) -> None:
        alive = self._upkeep.alive
        written = Record(
            sidecar=processes.identify(os.getpid()),
            daemon=alive.identity if alive else None,
            version=alive.version if alive else self._upkeep.program.version,
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
