"""The gobgpd beside a speaker as a process, and its rivals on this node, as the announcer needs them.

A Protocol only. What gobgpd is told goes over `port.Gobgp`; who keeps its process is `sidecars`' matter.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from .gobgp.errors import GobgpError
from .port import Gobgp


class CannotRestart(GobgpError):
    """The gobgpd in use is not ours to restart; the sentence says what to do."""


class Others(msgspec.Struct, frozen=True):
    """Other BGP speakers of this node.

    `speak_to` says of a neighbour's address, without a zone, which process has an established connection to
    it. `exist`: there is another speaker at all, be it only one that listens.
    """

    speak_to: Mapping[str, str] = {}
    exist: bool = False


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

    async def others(self) -> Others:
        """Who else of this node speaks BGP. Nobody where it cannot be told."""
        ...

    async def holder(self, port: int) -> str:
        """Which other process of this node listens on that TCP port; empty: none, or it cannot be told."""
        ...
