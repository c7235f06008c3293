"""What is asked of containers that are a topology's nodes, whoever has made them."""

import json
from abc import ABC, abstractmethod

from lab.steps.step import await_value

PATIENCE = 240.0
"""Seconds for a lab to come up, or a failure to be healed, on a machine that does other things too."""


class Kernels(ABC):
    """The kernels behind the nodes' names."""

    __slots__ = ()

    @abstractmethod
    def run_in(self, node: str, /, *command: str) -> str:
        """What a command inside a node's container prints. Raises LabError."""

    def next_hops(self, router: str, prefix: str) -> tuple[str, ...]:
        """The next hops of a prefix in a router's kernel, sorted."""
        family = "-6" if ":" in prefix else "-4"
        said = self.run_in(router, "ip", family, "-json", "route", "show", "exact", prefix)
        legs = [leg for route in json.loads(said or "[]") for leg in route.get("nexthops", [route])]
        return tuple(sorted(leg["gateway"] for leg in legs))

    def await_next_hops(self, routers: tuple[str, ...], prefix: str, wanted: tuple[str, ...]) -> None:
        """Wait until every router has exactly these."""
        await_value(
            lambda: {router: self.next_hops(router, prefix) for router in routers},
            lambda seen: seen == dict.fromkeys(routers, wanted),
            expected=f"{prefix} by {' '.join(wanted) or 'nobody'}",
            within=PATIENCE,
        )
