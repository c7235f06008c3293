"""The control socket: connections, lines in, answers out when the supervisor has them.

One thread, never blocking: who connects and says nothing, or does not read, costs a descriptor and no more.
What an order means is the supervisor's to know.
"""

import contextlib
import os
import selectors
import socket
from collections.abc import Callable
from pathlib import Path

from . import protocol

Answer = Callable[[bytes], None]
Take = Callable[[protocol.Order, Answer], None]

_MOST_CONNECTIONS = 64


class Connection:
    """One client. Answers that do not fit into the socket's buffer at once end the connection."""

    def __init__(self, peer: socket.socket, take: Take) -> None:
        self._peer = peer
        self._take = take
        self._received = b""

    def receive(self) -> bool:
        """Take what has come, carry out whole lines; False when the connection is at its end."""
        try:
            chunk = self._peer.recv(protocol.LONGEST_LINE)
        except BlockingIOError:
            return True
        except OSError:
            return False
        *lines, self._received = (self._received + chunk).split(b"\n")
        for line in lines:
            self._carry_out(line)
        return bool(chunk) and len(self._received) <= protocol.LONGEST_LINE

    def _carry_out(self, line: bytes) -> None:
        try:
            order = protocol.parse_order(line)
        except protocol.BadOrder as exc:
            self.answer(protocol.render_refusal(str(exc)))
        else:
            self._take(order, self.answer)

    def answer(self, reply: bytes) -> None:
        """Send one line. The client may have gone away meanwhile; the order was carried out all the same."""
        with contextlib.suppress(OSError):
            if self._peer.send(reply) < len(reply):
                self._peer.shutdown(socket.SHUT_RDWR)


class ControlServer:
    """Listens on `path` in a selector whose keys' data are functions to call."""

    def __init__(self, path: Path, selector: selectors.BaseSelector, take: Take) -> None:
        """Raises OSError. A socket left by a former sidecar is replaced: the caller holds the lock."""
        self._path = path
        self._selector = selector
        self._take = take
        self._peers: set[socket.socket] = set()
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.setblocking(False)
        self._listener.bind(os.fspath(path))
        self._listener.listen()
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def stop_listening(self) -> None:
        """Take no more connections, and leave the path to a successor."""
        self._path.unlink(missing_ok=True)
        self._forget(self._listener)

    def close(self) -> None:
        """End all connections; whoever waits for an answer reads the end."""
        for peer in list(self._peers):
            self._forget(peer)

    def _accept(self) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:
            return
        if len(self._peers) >= _MOST_CONNECTIONS:
            peer.close()
            return
        peer.setblocking(False)
        self._peers.add(peer)
        connection = Connection(peer, self._take)
        self._selector.register(peer, selectors.EVENT_READ, lambda: self._serve(peer, connection))

    def _serve(self, peer: socket.socket, connection: Connection) -> None:
        if not connection.receive():
            self._forget(peer)

    def _forget(self, peer: socket.socket) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(peer)
        self._peers.discard(peer)
        peer.close()
