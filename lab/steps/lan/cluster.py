"""What only a cluster has: an API server that may be gone when a node fails."""

from collections.abc import Callable

from lab.lab import Lab
from lab.steps.cluster import cluster_of, kubectl_shows_what_became_of_it
from lab.steps.lan import layer2, vip
from lab.steps.lan.crowd import Crowd, assemble
from lab.steps.lan.failover import busiest, cost, expect_failover, fail_over, told
from lab.steps.lan.strikes import unplugged
from lab.steps.step import Finding, Step

_KEEPS_ITS_LINK = "node4"
"""The pods of the vip Services are there."""


def without_an_api_server_addresses_move(lab: Lab) -> Finding:
    """etcd and the API server are dead when a node loses its link: its addresses move all the same."""
    return _without_an_api_server(lab, layer2.CROWD, both=layer2.GRATUITOUS)


def without_an_api_server_masters_move(lab: Lab) -> Finding:
    """The same for the masters of vip: keepalived asks nobody."""
    return _without_an_api_server(lab, vip.CROWD, both=vip.TWO_MASTERS)


def _without_an_api_server(lab: Lab, crowd: Crowd, *, both: float) -> Finding:
    cluster, held = cluster_of(lab), assemble(lab, crowd)
    victim = busiest({address: node for address, node in held.items() if node != _KEEPS_ITS_LINK})
    cluster.kill()
    try:
        found = fail_over(lab, held, victim, unplugged)
    finally:
        cluster.start_again()
    expect_failover(found, both=both)
    assemble(lab, crowd)
    return told(found, f"{len(found.taken)} addresses moved within {found.last:.2f} s; {cost(found)}.")


def _in_cluster(tour: tuple[Step, ...], without_an_api_server: Callable[[Lab], Finding]) -> tuple[Step, ...]:
    return (
        tour[0],
        Step(
            "kubectl shows it",
            "By kubectl: addresses at the Services, and who has them at the Speakers.",
            kubectl_shows_what_became_of_it,
        ),
        *tour[1:],
        Step(
            "The API server is gone",
            "kill -9 of etcd and the API server, then a node's cable is pulled.",
            without_an_api_server,
        ),
    )


LAYER2_CLUSTER_TOUR = _in_cluster(layer2.LAYER2_TOUR, without_an_api_server_addresses_move)
"""The tour of layer2 in cluster mode."""
VIP_CLUSTER_TOUR = _in_cluster(vip.VIP_TOUR, without_an_api_server_masters_move)
"""The tour of vip in cluster mode."""
