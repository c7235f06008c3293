"""A daemon under test: started, signalled and ended by its own pid, its output kept for a failing test."""

import contextlib
import signal
import subprocess
import time
from pathlib import Path


class Daemon:
    """A child process; `argv` may go through wrappers that exec (setpriv, ip netns exec)."""

    def __init__(self, argv: tuple[str, ...], *, log: Path) -> None:
        self._argv = argv
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self.pids: list[int] = []

    def start(self) -> None:
        """Start it, or start it again after its end."""
        assert not self.alive, f"{self._argv} runs already"
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(
                self._argv,
                stdout=out,
                stderr=out,
                stdin=subprocess.DEVNULL,
                # The kernel shares processors out by session (sched(7), autogroup): else its timers starve
                # beside the tests, which ask all the time, as no daemon's do that runs by itself.
                start_new_session=True,
            )
        self.pids.append(self._process.pid)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """What it ended with, as a shell sees it (negative: by that signal); None while it runs."""
        return None if self._process is None else self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal and go on at once; nothing happens if it has ended."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def pause(self, *, within: float = 30.0) -> None:
        """Stop it as a debugger would; returns when not one of its threads runs any more."""
        self.send(signal.SIGSTOP)
        deadline = time.monotonic() + within
        while not self._paused():
            assert time.monotonic() < deadline, f"{self._argv} does not stop"
            time.sleep(0.01)

    def resume(self) -> None:
        """Undo `pause`."""
        self.send(signal.SIGCONT)

    def _paused(self) -> bool:
        threads = Path(f"/proc/{self.pids[-1]}/task").glob("*/stat")
        # The state is the word after the command in brackets (proc(5)).
        return all(thread.read_text().rpartition(")")[2].split()[0] == "T" for thread in threads)

    def end(self, number: signal.Signals = signal.SIGKILL, *, within: float = 30.0) -> None:
        """Send a signal and wait for the end; `pids` says which processes it was."""
        if self._process is not None:
            # A stopped process takes no signal but this pair.
            self.send(number)
            self.send(signal.SIGCONT)
            self._process.wait(timeout=within)

    def output(self) -> str:
        """Everything it has written so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""
