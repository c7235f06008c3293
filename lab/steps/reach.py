"""The plain case: sessions, an address, its next hops in both routers' kernels, and requests that spread."""

from collections.abc import Mapping

from lab import kernel
from lab.lab import Lab
from lab.steps.step import Finding, addresses, await_hops, await_sessions, expect, expect_none_lost
from lab.traffic import Tally, requests

REQUESTS = 300
_FEWEST = 0.6
"""Of an even share: of 300 over 3 backends 100 are expected, and 60 is five standard deviations away."""


def sessions_come_up(lab: Lab) -> Finding:
    """Every node gets a session with each router, in each family."""
    counts = await_sessions(lab)
    seen = {
        (lab.node_by_address[peer], name, "IPv6" if ":" in peer else "IPv4"): session.state
        for name, router in lab.routers.items()
        for peer, session in router.sessions().items()
    }
    ends = [(name, family) for name in lab.routers for family in ("IPv4", "IPv6")]
    return Finding(
        f"{sum(counts.values())} BGP sessions are up.",
        ("node", *(f"{name} {family}" for name, family in ends)),
        [(node, *(seen.get((node, *end), "none") for end in ends)) for node in lab.nodes],
    )


def a_cluster_service_has_a_next_hop_per_node(lab: Lab) -> Finding:
    """The Service's IPv4 address has one next hop per node in each router's kernel."""
    address, _ = addresses(lab, "web")
    return _next_hops(lab, f"{address}/32")


def requests_spread_over_all_nodes(lab: Lab) -> Finding:
    """Requests to the Cluster Service reach every pod, and none is lost."""
    address, _ = addresses(lab, "web")
    tally = requests(lab.client, address, count=REQUESTS)
    expect_spread(tally.by_backend, tally, parts=3)
    return Finding(
        f"{tally.sent} requests to {address}, each a connection of its own: none was lost.",
        ("answered by", "requests"),
        list(tally.by_backend.items()),
        tally,
    )


def ipv6_does_the_same(lab: Lab) -> Finding:
    """The Service's IPv6 address: next hops in both kernels, and requests that spread."""
    _, address = addresses(lab, "web")
    seen = _next_hops(lab, f"{address}/128")
    tally = requests(lab.client, address, count=REQUESTS)
    expect_spread(tally.by_backend, tally, parts=3)
    pods = ", ".join(f"{name} {count}" for name, count in tally.by_backend.items())
    return Finding(
        f"{tally.sent} requests to {address}: none was lost ({pods}).", seen.columns, seen.rows, tally
    )


def _next_hops(lab: Lab, prefix: str) -> Finding:
    await_hops(lab, prefix, lab.nodes)
    weights = {
        (name, hop.via): f"weight {hop.weight}"
        for name, router in lab.routers.items()
        for hop in kernel.next_hops(router.namespace, prefix)
    }
    version = 6 if ":" in prefix else 4
    vias = [(via, node) for via, node in lab.node_by_address.items() if (":" in via) == (version == 6)]
    return Finding(
        f"{prefix} has {len(vias)} next hops in the kernel of each router.",
        ("route", "next hop", "node", *(f"{name}'s kernel" for name in lab.routers)),
        [
            ("" if row else prefix, via, node, *(weights.get((name, via), "none") for name in lab.routers))
            for row, (via, node) in enumerate(vias)
        ],
    )


def expect_spread(counts: Mapping[str, int], tally: Tally, *, parts: int) -> None:
    """StepFailed if a request was lost, or if `counts` are not so many about even parts of them."""
    expect_none_lost(tally)
    fewest = int(_FEWEST * tally.sent / parts)
    expect(
        len(counts) == parts and min(counts.values()) >= fewest,
        expected=f"{parts} parts of at least {fewest} of {tally.sent} requests each",
        seen=counts,
    )
