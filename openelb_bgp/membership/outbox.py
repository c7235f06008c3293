"""What a node sends, numbered and addressed to the process that runs there. Pure; sockets send it.

No sequence number comes twice from one process, so what somebody has recorded answers nothing.
"""

from typing import NamedTuple

from .lanes import Route
from .messages import Body, Datagram
from .sharing import Sharing


class Outgoing(NamedTuple):
    """A datagram to be sent."""

    route: Route
    datagram: Datagram


class Outbox:
    """Of one process; `sharing` knows which processes the others are."""

    def __init__(self, node: str, boot: int, sharing: Sharing) -> None:
        self._node = node
        self._boot = boot
        self._sharing = sharing
        self._sequence = 0
        self._out: list[Outgoing] = []

    def put(self, route: Route, node: str, body: Body, *, to_boot: int | None = None) -> int:
        """Have it sent, to the process of that boot if it is given; returns its sequence number."""
        self._sequence += 1
        datagram = Datagram(
            sender=self._node,
            boot=self._boot,
            to=node,
            to_boot=self._sharing.boot_of(node) if to_boot is None else to_boot,
            sequence=self._sequence,
            body=body,
        )
        self._out.append(Outgoing(route, datagram))
        return self._sequence

    def take(self) -> list[Outgoing]:
        """What is to be sent, each once."""
        out, self._out = self._out, []
        return out
