"""The plain case: sessions, an address, its next hops in both routers' kernels, and requests that spread."""

import time

from lab import kernel
from lab.lab import Lab
from lab.steps.step import Finding, addresses, await_hops, await_sessions, expect, expect_none_lost
from lab.traffic import Tally, requests

REQUESTS = 300
_FEWEST = 60
"""Of 300 over 3 backends: 100 are expected, and 60 is five standard deviations away."""


def sessions_come_up(lab: Lab) -> Finding:
    """Every node gets a session with each router, in each family."""
    started = time.monotonic()
    counts = await_sessions(lab)
    waited = time.monotonic() - started
    rows = [
        (name, session.peer, session.state)
        for name, router in lab.routers.items()
        for session in router.sessions().values()
    ]
    return Finding(
        f"{sum(counts.values())} sessions are up, {waited:.1f} s after the question.",
        ("router", "neighbour", "state"),
        rows,
    )


def a_cluster_service_has_a_next_hop_per_node(lab: Lab) -> Finding:
    """The Service's IPv4 address has one next hop per node in each router's kernel."""
    address, _ = addresses(lab, "web")
    return _next_hops(lab, address, length=32)


def requests_spread_over_all_nodes(lab: Lab) -> Finding:
    """Requests to the Cluster Service reach every pod, and none is lost."""
    address, _ = addresses(lab, "web")
    return _spread(requests(lab.client, address, count=REQUESTS), address)


def ipv6_does_the_same(lab: Lab) -> Finding:
    """The Service's IPv6 address: next hops in both kernels, and requests that spread."""
    _, address = addresses(lab, "web")
    seen = _next_hops(lab, address, length=128)
    spread = _spread(requests(lab.client, address, count=REQUESTS), address)
    return Finding(f"{seen.sentence} {spread.sentence}", spread.columns, spread.rows)


def _next_hops(lab: Lab, address: str, *, length: int) -> Finding:
    await_hops(lab, address, lab.nodes)
    owners = lab.node_by_address()
    rows = [
        (name, f"{address}/{length}", hop.via, owners.get(hop.via, "?"), hop.weight)
        for name, router in lab.routers.items()
        for hop in kernel.next_hops(router.namespace, address)
    ]
    return Finding(
        f"{address}/{length} has {len(lab.nodes)} next hops in the kernel of each router.",
        ("router", "route", "next hop", "node", "weight"),
        rows,
    )


def _spread(tally: Tally, address: str) -> Finding:
    expect_none_lost(tally)
    counts = tally.by_backend
    expect(
        len(counts) == 3 and min(counts.values()) >= _FEWEST,
        expected=f"three backends with at least {_FEWEST} of {tally.sent} requests each",
        seen=counts,
    )
    return Finding(
        f"{tally.sent} requests to {address}, each a connection of its own: none lost.",
        ("backend", "requests"),
        list(counts.items()),
    )
