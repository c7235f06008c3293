"""The gobgpd beside a speaker as a process, and its rivals on this node, as the announcer needs them.

A Protocol only. What gobgpd is told goes over `port.Gobgp`; who keeps its process is `sidecars`' matter.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from .gobgp.errors import GobgpError
from .port import Gobgp


class CannotRestart(GobgpError):
    """The gobgpd in use is not ours to restart; the sentence says what to do."""


class Daemon(Protocol):
    """The gobgpd beside us, however it is kept."""

    async def connect(self) -> Gobgp:
        """A client of it. Raises GobgpError."""
        ...

    async def restart(self) -> None:
        """End it without a goodbye, so that peers keep its routes, and start it anew.

        Raises GobgpError, CannotRestart where it is somebody else's.
        """
        ...

    async def hang_up(self, address: str) -> None:
        """End its TCP connection to a neighbour without a BGP word. Where that cannot be done, nothing."""
        ...

    async def last_words(self) -> Sequence[str]:
        """What it wrote last, the newest line at the end; nothing where that cannot be read."""
        ...

    async def rivals(self) -> Mapping[str, str]:
        """Neighbours to which another process of this node has an established BGP connection, and which.

        Addresses without a zone; empty where it cannot be told.
        """
        ...

    async def holder(self, port: int) -> str:
        """Which other process of this node listens on that TCP port; empty: none, or it cannot be told."""
        ...
