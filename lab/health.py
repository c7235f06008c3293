"""The health ports of kube-proxy in every node: `/healthz` on 10256, and each Local Service's
healthCheckNodePort.

They answer 200 once the node's rules are in force; a Service's port only where the node has a ready pod of
it. Source: Kubernetes, "Health check node port" and kube-proxy's `--healthz-bind-address`.
"""

import json
import socket
from asyncio import Server, StreamReader, StreamWriter, start_server
from collections.abc import Iterable, Mapping
from typing import Any

from lab.kubeproxy import Exposed, key_of
from lab.namespaces import Namespace

HEALTHZ = 10256

Answers = Mapping[int, tuple[int, Any]]
"""By port: status code and JSON."""


def answers(services: Iterable[Mapping[str, Any]], exposed: Iterable[Exposed], *, node: str) -> Answers:
    """What a node's ports answer while its rules are in force."""
    pods: dict[str, set[tuple[str, int]]] = {}
    for item in exposed:
        ready = {(one.address, one.port) for one in item.endpoints if one.ready and one.node == node}
        pods[item.service] = pods.get(item.service, set()) | ready
    ports = {
        service["spec"]["healthCheckNodePort"]: len(pods.get(key_of(service), ()))
        for service in services
        if service["spec"].get("healthCheckNodePort")
    }
    return {HEALTHZ: (200, {})} | {
        port: (200 if count else 503, {"localEndpoints": count}) for port, count in ports.items()
    }


class HealthPorts:
    """The ports of one node."""

    def __init__(self, space: Namespace) -> None:
        self._space = space
        self._answers: Answers = {}
        self._servers: dict[int, Server] = {}

    async def answer(self, answers: Answers) -> None:
        """Answer so from now on; ports that are not among them have no listener."""
        self._answers = answers
        for port in set(self._servers) - set(answers):
            self._servers.pop(port).close()
        for port in set(answers) - set(self._servers):
            listener = self._space.call(lambda port=port: _listener(port))  # type: ignore[misc]
            self._servers[port] = await start_server(self._serve, sock=listener)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            code, content = self._answers[writer.get_extra_info("sockname")[1]]
            body = json.dumps(content).encode()
            head = f"HTTP/1.1 {code} \r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (EOFError, OSError, KeyError):
            # Who asked has gone, or the port has.
            pass
        finally:
            writer.close()


def _listener(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::", port))
    return listener
