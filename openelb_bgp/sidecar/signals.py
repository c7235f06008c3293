"""Signals as something to select on, so that they are handled between two events and never within one."""

import os
import signal
from collections.abc import Iterable


class SignalPipe:
    """Receives these signals from now on, in place of what the process did with them, for its whole life.

    Has a fileno() that becomes readable with the first signal. SIGHUP is ignored: a terminal that is closed
    is no reason to touch the routes.
    """

    def __init__(self, signals: Iterable[signal.Signals]) -> None:
        self._reader, writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for signum in signals:
            # The handler is there only for Python to write the signal's number to the pipe.
            signal.signal(signum, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def fileno(self) -> int:
        """For a selector."""
        return self._reader

    def take(self) -> list[signal.Signals]:
        """The signals that have come since."""
        try:
            return [signal.Signals(number) for number in os.read(self._reader, 512)]
        except BlockingIOError:
            return []
