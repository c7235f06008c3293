"""A pod of the lab: a tiny HTTP server that says its name and who asked, as the whoami image does in
containers.

Run as `python -m lab.backend NAME PORT`. One request per connection; nothing else is understood.
"""

import asyncio
import socket
import sys

from lab.priority import come_first


async def serve(name: str, port: int) -> None:
    """Answer on all addresses of both families until cancelled."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), timeout=5.0)
            client = writer.get_extra_info("peername")[0].removeprefix("::ffff:")
            body = f"Name: {name}\nRemoteAddr: {client}\n".encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::", port))
    server = await asyncio.start_server(answer, sock=listener, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    come_first()
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
