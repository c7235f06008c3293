"""What is particular to one kind of daemon, as the supervisor asks for it; and the answers for gobgpd.

The supervisor keeps a daemon alive; when there is one to keep, how it is found again, when it is up and what
it leaves behind is known here.
"""

from pathlib import Path
from typing import Protocol

from . import daemon, hangup
from .daemon import Daemon
from .kinds import Program, Wish, gobgpd_command_line
from .places import Places
from .record import Record


class Refusal(Exception):
    """An order that is not carried out; the text says why."""


class Care(Protocol):
    """How the supervisor treats a daemon. Nothing here may block for longer than a second or so."""

    watch_seconds: float | None
    """How often `fault` is asked; None for never."""

    def wants_one(self) -> bool:
        """Whether there is anything for a daemon to do."""
        ...

    def left_over(self, left: Record | None, *, version: str) -> Daemon | None:
        """The daemon that a former, killed sidecar left; what a dead one left goes. Raises NotOurs."""
        ...

    def command_line(self, program: Program, wish: Wish) -> list[str]:
        """Get ready for a start; returns its arguments. Raises OSError, or Refusal where it must fail."""
        ...

    def is_ready(self, alive: Daemon) -> bool:
        """Whether it has come up."""
        ...

    def fault(self, alive: Daemon) -> str:
        """Why it has to be killed; empty while it works."""
        ...

    def ended(self) -> None:
        """Take away what a daemon that has ended may have left."""
        ...

    def take_config(self, program: Program) -> None:
        """Check the configuration that was laid ready and make it the one that counts. Raises Refusal."""
        ...

    def tell(self, alive: Daemon) -> None:
        """Have it read the configuration that counts."""
        ...

    def report(self, alive: Daemon, program: Program) -> None:
        """Have it write down how it stands. Raises Refusal."""
        ...

    def hang_up(self, alive: Daemon, address: str) -> int:
        """End its connections to a neighbour; how many. Raises OSError, ValueError, or Refusal."""
        ...

    def remove(self, text: str) -> None:
        """Take away something left outside that text names. Raises OSError, ValueError, or Refusal."""
        ...


class GobgpdCare:
    """gobgpd: known by its API socket, always wanted, configured over its API."""

    watch_seconds: float | None = None

    def __init__(self, place: Places) -> None:
        self._api_socket: Path = place.api_socket

    def wants_one(self) -> bool:
        """Always: whether BGP runs in it is the speaker's matter."""
        return True

    def left_over(self, left: Record | None, *, version: str) -> Daemon | None:
        """By its record, else by who serves the API socket. Raises NotOurs."""
        return daemon.left_over(left, self._api_socket, version=version)

    def command_line(self, program: Program, wish: Wish) -> list[str]:
        """A stale socket goes first."""
        # gobgpd ends at once (3.10) or lives on without an API (4.8) when its socket is already there.
        self._api_socket.unlink(missing_ok=True)
        return gobgpd_command_line(program, wish)

    def is_ready(self, alive: Daemon) -> bool:
        """Whether its API accepts connections."""
        return daemon.accepts(self._api_socket)

    def fault(self, alive: Daemon) -> str:
        """Whether it answers is for the speaker to see."""
        return ""

    def ended(self) -> None:
        """It leaves nothing."""

    def take_config(self, program: Program) -> None:
        """Not this way."""
        raise Refusal("gobgpd takes its configuration over its API: there is nothing to reload")

    def tell(self, alive: Daemon) -> None:
        """Not reached: there is no configuration to be told of."""

    def report(self, alive: Daemon, program: Program) -> None:
        """Not this way."""
        raise Refusal("gobgpd answers questions over its API")

    def hang_up(self, alive: Daemon, address: str) -> int:
        """Its TCP connections to that neighbour, without a NOTIFICATION."""
        return hangup.hang_up(alive.identity.pid, address)

    def remove(self, text: str) -> None:
        """Not this way."""
        raise Refusal("gobgpd leaves nothing on an interface")
