"""keepalived as the announcer needs it: a configuration that counts, what it says of itself, and its end.

The real inhabitant talks to the sidecar; tests bring one that holds state.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec


class KeeperUnavailable(Exception):
    """keepalived cannot be had; the sentence says why and what would help."""


class ConfigRefused(Exception):
    """keepalived would not load the configuration, and goes on with the one before; the text is its words."""


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """How keepalived stands. `words` are the last lines that it wrote, the newest at the end.

    `restarts` counts the lives that ended by themselves, `crash_loop` that they follow each other quickly.
    """

    pid: int | None = None
    ready: bool = False
    version: str = ""
    restarts: int = 0
    crash_loop: bool = False
    words: tuple[str, ...] = ()


class Keeper(Protocol):
    """One keepalived, under its sidecar or in memory."""

    @property
    def fifo(self) -> str:
        """Where it shall tell of state changes, for its configuration."""
        ...

    async def connect(self) -> Life:
        """Find its keeper or start one. Raises KeeperUnavailable."""
        ...

    def config(self) -> str:
        """The configuration that counts now; empty for none."""
        ...

    async def load(self, config: str) -> None:
        """Have it checked and loaded. Raises ConfigRefused, KeeperUnavailable."""
        ...

    async def remove(self, spot: str) -> None:
        """Take away an address that nobody keeps, as `eth0 192.0.2.1/32`. Raises KeeperUnavailable."""
        ...

    async def report(self) -> bytes:
        """What it says of its instances, in JSON. Raises KeeperUnavailable, also where it says nothing."""
        ...

    def listening(self, told: Callable[[str], None]) -> AbstractContextManager[Callable[[], None]]:
        """Have `told` called with each line of the FIFO. To be reminded, by what it gives, to look for it."""
        ...
