"""What only a cluster has: an API server that may be gone when a node fails."""

from lab.lab import Lab
from lab.steps.cluster import cluster_of, kubectl_shows_what_became_of_it
from lab.steps.lan.crowd import assemble
from lab.steps.lan.failover import busiest, cost, expect_failover, fail_over, told
from lab.steps.lan.layer2 import CROWD, GRATUITOUS, LAYER2_TOUR
from lab.steps.lan.strikes import unplugged
from lab.steps.step import Finding, Step


def without_an_api_server_addresses_move(lab: Lab) -> Finding:
    """etcd and the API server are dead when a node loses its link: its addresses move all the same."""
    cluster, held = cluster_of(lab), assemble(lab, CROWD)
    cluster.kill()
    try:
        found = fail_over(lab, held, busiest(held), unplugged)
    finally:
        cluster.start_again()
    expect_failover(found, both=GRATUITOUS)
    assemble(lab, CROWD)
    return told(found, f"{len(found.taken)} addresses moved within {found.last:.2f} s; {cost(found)}.")


LAYER2_CLUSTER_TOUR: tuple[Step, ...] = (
    LAYER2_TOUR[0],
    Step(
        "kubectl shows it",
        "By kubectl: addresses at the Services, and who has them at the Speakers.",
        kubectl_shows_what_became_of_it,
    ),
    *LAYER2_TOUR[1:],
    Step(
        "The API server is gone",
        "kill -9 of etcd and the API server, then a node's cable is pulled.",
        without_an_api_server_addresses_move,
    ),
)
"""The tour of layer2 in cluster mode."""
