"""What a namespace's kernel holds of BGP's routes, and every route that it lost in the meantime."""

import json
import os
import subprocess
import tempfile
import time
from types import TracebackType
from typing import Any, Self

from tests.daemons.harness.netns import Namespace

_RECEIVE_BUFFER = 64 * 1024 * 1024
_FIRST_MARK, _LAST_MARK = "192.0.2.254", "192.0.2.253"
_ROUTE_TYPES = frozenset({"blackhole", "unicast", "unreachable", "prohibit", "none"})


def routes(space: Namespace, *, family: int = 4) -> dict[str, list[dict[str, Any]]]:
    """Routes installed by BGP: prefix → next hops (`gateway`, `dev`, `weight`), sorted by gateway."""
    text = space.run("ip", f"-{family}", "-json", "route", "show", "proto", "bgp")
    return {
        route["dst"]: sorted(route.get("nexthops", [route]), key=lambda hop: str(hop.get("gateway")))
        for route in json.loads(text or "[]")
    }


def next_hops(space: Namespace, prefix: str) -> list[str]:
    """The gateways of the route to exactly this prefix, sorted; [] without a route."""
    family = "-6" if ":" in prefix else "-4"
    found = json.loads(space.run("ip", family, "-json", "route", "show", "exact", prefix) or "[]")
    hops = [_gateway(hop) for route in found for hop in route.get("nexthops", [route])]
    return sorted(filter(None, hops))


def _gateway(hop: dict[str, Any]) -> str:
    """Where a next hop leads: `via` is a gateway of the other family (RFC 8950); empty for none."""
    return str(hop.get("gateway") or hop.get("via", {}).get("host", ""))


class RouteDeletions:
    """Counts the routes that a kernel deletes, by netlink, while it is entered.

    A route replaced in place does not count. `prefixes` lists what was deleted, in its order; it is complete
    once this is left.
    """

    def __init__(self, space: Namespace) -> None:
        self._space = space
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self._monitor: subprocess.Popen[bytes] | None = None
        self.prefixes: tuple[str, ...] = ()

    @property
    def count(self) -> int:
        """How many were deleted."""
        return len(self.prefixes)

    def __enter__(self) -> Self:
        argv = self._space.argv("ip", "-rcvbuf", str(_RECEIVE_BUFFER), "-oneline", "monitor", "route")
        self._monitor = subprocess.Popen(argv, stdout=self._output)
        # It listens once it has reported a route of ours.
        self._mark(_FIRST_MARK)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._monitor is not None
        # Netlink keeps the order: once this mark is seen, so is everything before it.
        self._mark(_LAST_MARK)
        self._monitor.kill()
        self._monitor.wait()
        marks = (_FIRST_MARK, _LAST_MARK)
        self.prefixes = tuple(prefix for prefix in self._deleted() if prefix not in marks)

    def _mark(self, mark: str) -> None:
        deadline = time.monotonic() + 30
        while mark not in self._deleted():
            assert time.monotonic() < deadline, "the route monitor says nothing"
            self._space.run("ip", "route", "add", "blackhole", mark)
            self._space.run("ip", "route", "delete", "blackhole", mark)
            time.sleep(0.02)

    def _deleted(self) -> list[str]:
        # pread: the monitor appends at the position that the file object would share.
        size = os.fstat(self._output.fileno()).st_size
        text = os.pread(self._output.fileno(), size, 0).decode(errors="replace")
        words = (line.split() for line in text.splitlines() if line.startswith("Deleted "))
        return [line[2] if line[1] in _ROUTE_TYPES else line[1] for line in words if len(line) > 2]
