"""The client of a lab in containers: waits until it answers, sends requests, and tells which way they went.

It sees packets, manifests and state, as the client of any network might; no router and no node.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial

from lab import kubeproxy
from lab.desk import Desk
from lab.errors import LabError
from lab.namespaces import Namespace
from lab.steps import Finding, Heading
from lab.steps.reach import REQUESTS, expect_spread
from lab.steps.step import await_value
from lab.topology import Topology
from lab.traffic import Tally, requests
from openelb_bgp.model.meta import Kind

SERVICE = "default/web"
_PATIENCE = 180.0
"""Seconds for images to start, sessions to come up and routes to settle."""
_FEW = 30


class Client:
    """Somebody who asks for the Service `web`, by both families."""

    def __init__(self, topology: Topology, desk: Desk, space: Namespace) -> None:
        self._desk, self._space = desk, space
        self._nodes = _owners(topology)
        self._pods = tuple(pod.name for pod in topology.in_group("backend"))
        # Routers spread over all nodes; on a LAN one node has the address.
        self._ways = len(topology.in_group("node")) if topology.in_group("router") else 1

    def steps(self) -> Sequence[tuple[Heading, Callable[[], Finding]]]:
        """What to do, in this order."""
        return (
            (Heading("The lab comes up", f"{SERVICE} gets its addresses, and they answer."), self.comes_up),
            (self._heading("IPv4"), partial(self.spread, "IPv4")),
            (self._heading("IPv6"), partial(self.spread, "IPv6")),
        )

    def comes_up(self) -> Finding:
        """Wait until requests to both addresses reach every pod by every way."""
        rows = []
        for family in ("IPv4", "IPv6"):
            address = await_value(
                partial(self._address, family),
                bool,
                expected=f"an {family} address for {SERVICE}",
                within=_PATIENCE,
            )
            await_value(
                partial(requests, self._space, address, count=_FEW),
                self._is_whole,
                expected=f"all of {_FEW} requests to {address} answered, by {self._ways} nodes and all pods",
                within=_PATIENCE,
            )
            rows.append((family, address))
        return Finding(f"{SERVICE} answers.", ("family", "address"), rows)

    def spread(self, family: str) -> Finding:
        """Send requests, and count them by the node that they came in by and the pod that answered."""
        address = self._address(family)
        tally = requests(self._space, address, count=REQUESTS)
        expect_spread(tally.by_backend, tally, parts=len(self._pods))
        ways = self._by_way(tally)
        totals = {node: sum(pods.values()) for node, pods in ways.items()}
        # On a LAN an address may still move while nodes join.
        if self._ways > 1:
            expect_spread(totals, tally, parts=self._ways)
        return Finding(
            f"{tally.sent} requests to {address}, each a connection of its own: none was lost.",
            ("came in by", "requests", *self._pods),
            [(node, totals[node], *(pods[pod] for pod in self._pods)) for node, pods in ways.items()],
            tally,
        )

    def _heading(self, family: str) -> Heading:
        what = "requests spread over nodes" if self._ways > 1 else "requests reach all pods"
        return Heading(f"{family}: {what}", f"{REQUESTS} requests to {SERVICE}.")

    def _address(self, family: str) -> str:
        try:
            services = self._desk.objects(Kind.SERVICE)
        except LabError:
            # The controller has not made its state yet.
            return ""
        found: Iterable[str] = (
            ip for item in services if kubeproxy.key_of(item) == SERVICE for ip in kubeproxy.ingress_of(item)
        )
        return next((ip for ip in found if (":" in ip) == (family == "IPv6")), "")

    def _is_whole(self, tally: Tally) -> bool:
        return (
            not tally.lost
            and set(tally.by_backend) == set(self._pods)
            and len(self._by_way(tally)) == self._ways
        )

    def _by_way(self, tally: Tally) -> Mapping[str, Counter[str]]:
        """By node that a request came in by, sorted: how many each pod answered.

        The node hands a request on under an address of its own.
        """
        ways: dict[str, Counter[str]] = {}
        for answer in tally.answers:
            if answer.backend is not None and answer.client is not None:
                node = self._nodes.get(answer.client, answer.client)
                ways.setdefault(node, Counter())[answer.backend] += 1
        return dict(sorted(ways.items()))


def _owners(topology: Topology) -> Mapping[str, str]:
    """The node that has each address, as the topology's `exec` gives them."""
    return {
        line.split()[3].partition("/")[0]: node.name
        for node in topology.in_group("node")
        for line in node.exec
        if line.startswith("ip address add ")
    }
