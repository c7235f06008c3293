"""Counts what routers' kernels do to one route, by netlink: every replacement and every deletion."""

import os
import re
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Self

from lab.lab import Lab
from lab.namespaces import Namespace
from lab.shell import wait_until

_MARKS = ("192.0.2.254", "192.0.2.253")
_VIA = re.compile(r" via (\S+)")


@dataclass(frozen=True, slots=True)
class Change:
    """The route was written with these next hops; with none it was deleted."""

    router: str
    next_hops: frozenset[str]


class RouteChanges:
    """What happened to a route in all routers of a lab while this was entered; read `all` after leaving.

    `spaces` are looked at in place of the lab's FRR routers.
    """

    def __init__(self, lab: Lab, prefix: str, *, spaces: Mapping[str, Namespace] | None = None) -> None:
        self._prefix = prefix
        self._owners = lab.node_by_address
        looked_at = spaces or {name: router.namespace for name, router in lab.routers.items()}
        self._monitors = {name: _Monitor(space) for name, space in looked_at.items()}
        self.all: tuple[Change, ...] = ()
        """Those of each router in their order; next hops by the names of their nodes."""

    def __enter__(self) -> Self:
        for monitor in self._monitors.values():
            monitor.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        lines = {name: monitor.finish() for name, monitor in self._monitors.items()}
        self.all = tuple(self._changes(lines))

    def _changes(self, lines: Mapping[str, list[str]]) -> list[Change]:
        return [
            Change(router, frozenset() if deleted else frozenset(self._owners.get(via, via) for via in vias))
            for router, said in lines.items()
            for line in said
            for deleted, text in [(line.startswith("Deleted "), line.removeprefix("Deleted "))]
            for vias in [_VIA.findall(text)]
            if text.split()[0] == self._prefix
        ]


class _Monitor:
    """`ip monitor route` in one namespace; netlink keeps the order, so marks tell where it is."""

    def __init__(self, space: Namespace) -> None:
        self._space = space
        self._output: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        argv = self._space.argv("ip", "-oneline", "monitor", "route")
        self._process = subprocess.Popen(argv, stdout=self._output)
        self._await(_MARKS[0])

    def finish(self) -> list[str]:
        assert self._process is not None
        try:
            self._await(_MARKS[1])
        finally:
            self._process.kill()
            self._process.wait()
        return self._lines()

    def _await(self, mark: str) -> None:
        def seen() -> bool:
            self._space.run("ip", "route", "replace", "blackhole", mark)
            self._space.run("ip", "route", "delete", "blackhole", mark)
            return any(mark in line for line in self._lines())

        wait_until(seen, within=20.0, what=f"the route monitor of {self._space.name}")

    def _lines(self) -> list[str]:
        # pread: the monitor appends at the position that the file object would share.
        size = os.fstat(self._output.fileno()).st_size
        text = os.pread(self._output.fileno(), size, 0).decode(errors="replace")
        return [line for line in text.splitlines() if line.strip()]
