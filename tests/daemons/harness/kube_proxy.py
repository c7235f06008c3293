"""In kube-proxy's place: an HTTP server on a node's health ports that answers whatever a test wants."""

import asyncio
import socket
from asyncio import Server, StreamReader, StreamWriter

from tests.daemons.harness.inside import call_inside
from tests.daemons.harness.netns import Namespace


class KubeProxy:
    """`codes` are port → status code; other ports have no listener. `asked` are the questions."""

    def __init__(self, node: Namespace) -> None:
        self.codes: dict[int, int] = {}
        self.asked: list[int] = []
        self._node = node
        self._servers: dict[int, Server] = {}

    async def answer(self, port: int, code: int) -> None:
        """Answer with that code from now on."""
        self.codes[port] = code
        if port not in self._servers:
            listener = call_inside(self._node, lambda: socket.create_server(("0.0.0.0", port)))
            self._servers[port] = await asyncio.start_server(
                lambda reader, writer: self._serve(port, reader, writer), sock=listener
            )

    async def _serve(self, port: int, reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked.append(port)
        writer.write(f"HTTP/1.1 {self.codes[port]} \r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()
