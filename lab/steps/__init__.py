"""The steps of the tour: each does one thing to a lab, checks what packets and routers make of it, and tells.

A step is a function from a `Lab` to a `Finding`; it raises StepFailed with what was expected and what was
seen. Steps print nothing and leave the lab as they found it, so that tests call them one by one.
"""

from lab.steps.cluster import (
    SHOWN,
    kubectl_shows_what_became_of_it,
    without_an_api_server_no_route_moves,
)
from lab.steps.drain import a_drained_node_loses_nothing
from lab.steps.edits import a_peer_edit_resets_nothing
from lab.steps.kills import gobgpd_killed_loses_nothing, speaker_killed_loses_nothing
from lab.steps.local import a_local_service_follows_its_pods
from lab.steps.reach import (
    a_cluster_service_has_a_next_hop_per_node,
    ipv6_does_the_same,
    requests_spread_over_all_nodes,
    sessions_come_up,
)
from lab.steps.silence import a_silent_node_with_bfd, a_silent_node_with_default_timers
from lab.steps.step import Finding, Heading, Step

TOUR: tuple[Step, ...] = (
    Step(
        "Sessions come up",
        "The gobgpd beside each node's speaker dials both routers, by IPv4 and by IPv6.",
        sessions_come_up,
    ),
    Step(
        "A Cluster Service has a next hop per node",
        "The controller gave the Service `web` an address; every node announces it.",
        a_cluster_service_has_a_next_hop_per_node,
    ),
    Step(
        "Requests spread over all nodes",
        "300 requests of the client: routers spread them over nodes, nodes over pods.",
        requests_spread_over_all_nodes,
    ),
    Step(
        "IPv6 does the same",
        "The Service is dual-stack: the same for its IPv6 address.",
        ipv6_does_the_same,
    ),
    Step(
        "A speaker is killed",
        "kill -9 of node1's speaker under load; 2 s later it is started again.",
        speaker_killed_loses_nothing,
    ),
    Step(
        "gobgpd is killed",
        "kill -9 of node1's gobgpd under load; its sidecar starts it again.",
        gobgpd_killed_loses_nothing,
    ),
    Step(
        "A node falls silent: hold time",
        "node2 drops every frame, its link stays up: only the hold time of 9 s tells.",
        a_silent_node_with_default_timers,
    ),
    Step(
        "A node falls silent: BFD",
        "The peers are edited to speak BFD, 100 ms x 3; then node2 falls silent again.",
        a_silent_node_with_bfd,
    ),
    Step(
        "A Local Service follows its pods",
        "A pod of `web-local` moves from node2 to node3 under load.",
        a_local_service_follows_its_pods,
    ),
    Step(
        "A node is drained",
        "node3 is annotated openelb.kubesphere.io/drain under load.",
        a_drained_node_loses_nothing,
    ),
    Step(
        "A peer is edited",
        "The hold time of BgpPeer leaf1 is edited to 30 s under load.",
        a_peer_edit_resets_nothing,
    ),
)
"""In the order of the demo."""

CLUSTER_TOUR: tuple[Step, ...] = (
    *TOUR[:2],
    Step(
        "kubectl shows it",
        f"kubectl get {SHOWN}",
        kubectl_shows_what_became_of_it,
    ),
    *TOUR[2:],
    Step(
        "The API server is gone",
        "kill -9 of etcd and the API server under load, then of node2's speaker.",
        without_an_api_server_no_route_moves,
    ),
)
"""The same in cluster mode, and what only a cluster has."""

__all__ = ["CLUSTER_TOUR", "SHOWN", "TOUR", "Finding", "Heading", "Step"]
