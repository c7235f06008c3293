"""One question to a health check of this node, over HTTP: does it answer 200.

A request a connection on asyncio's streams, as `runtime.health` answers them; only the status line is read.
When to ask, and whom, is `forwarding`'s matter.
"""

import asyncio
from collections.abc import Iterable
from http import HTTPStatus

import msgspec

from openelb_bgp.model.addresses import Address

_PATIENCE_SECONDS = 1.0
_LONGEST_LINE = 4096
_LOOPBACK = ("127.0.0.1", "::1")


class Answer(msgspec.Struct, frozen=True):
    """What came of asking: `passed` for 200, `nobody` where nobody listens, and what happened in words."""

    passed: bool = False
    nobody: bool = False
    words: str = ""


async def ask(port: int, addresses: Iterable[Address]) -> Answer:
    """The best answer that the port gives on loopback or one of these addresses of this node.

    kube-proxy listens on all addresses, on loopback only (K3s), or on what its healthzBindAddress and
    nodePortAddresses say.
    """
    best = Answer(nobody=True, words="has no listener")
    for host in (*_LOOPBACK, *map(str, addresses)):
        answer = await _ask(host, port)
        if answer.passed:
            return answer
        if best.nobody:
            best = best if answer.nobody else answer
    return best


async def _ask(host: str, port: int) -> Answer:
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            line = await _status_line(host, port)
    except TimeoutError:
        return Answer(words=f"does not answer within {_PATIENCE_SECONDS:.0f} s")
    except OSError:
        # Refused; or the machine has no such address family.
        return Answer(nobody=True)
    except ValueError:
        return Answer(words="does not speak HTTP")
    return _read(line)


async def _status_line(host: str, port: int) -> bytes:
    reader, writer = await asyncio.open_connection(host, port, limit=_LONGEST_LINE)
    try:
        name = f"[{host}]" if ":" in host else host
        writer.write(f"GET /healthz HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n".encode())
        return await reader.readline()
    finally:
        writer.close()


def _read(line: bytes) -> Answer:
    """Of `HTTP/1.1 200 OK` the code (RFC 9112, 4)."""
    words = line.decode("latin-1").split()
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
        return Answer(words="does not speak HTTP")
    return Answer(passed=words[1] == str(int(HTTPStatus.OK)), words=f"answers {words[1]}")
