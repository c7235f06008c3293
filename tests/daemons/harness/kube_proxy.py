"""In kube-proxy's place: an HTTP server that answers on health ports with whatever a test wants."""

import asyncio
from asyncio import Server, StreamReader, StreamWriter


class KubeProxy:
    """`codes` are port → status code; ports that are not in it have no listener. `asked` are the questions.

    It listens in the network namespace of the thread that runs it.
    """

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        self.asked: list[int] = []
        self._servers: dict[int, Server] = {}

    async def answer(self, port: int, code: int) -> None:
        """Answer with that code from now on."""
        self.codes[port] = code
        if port not in self._servers:
            self._servers[port] = await asyncio.start_server(
                lambda reader, writer: self._serve(port, reader, writer), "0.0.0.0", port
            )

    async def _serve(self, port: int, reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked.append(port)
        writer.write(f"HTTP/1.1 {self.codes[port]} \r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()
