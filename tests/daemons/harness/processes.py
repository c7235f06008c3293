"""A daemon under test: started, signalled and ended by its own pid, its output kept for a failing test."""

import contextlib
import signal
import subprocess
from pathlib import Path


class Daemon:
    """A child process; `argv` may go through wrappers that exec (setpriv, ip netns exec)."""

    def __init__(self, argv: tuple[str, ...], *, log: Path) -> None:
        self._argv = argv
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again after its end."""
        assert not self.alive, f"{self._argv} runs already"
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(self._argv, stdout=out, stderr=out, stdin=subprocess.DEVNULL)

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The pid of the running process."""
        assert self._process is not None
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal and go on at once; nothing happens if it has ended."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGKILL, *, within: float = 10.0) -> None:
        """Send a signal and wait for the end."""
        if self._process is not None:
            # A stopped process takes no signal but this pair.
            self.send(number)
            self.send(signal.SIGCONT)
            self._process.wait(timeout=within)

    def output(self) -> str:
        """Everything it has written so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""
