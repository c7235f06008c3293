"""What only a cluster has: kubectl, and an API server that may be gone."""

import time

from lab.cluster.cluster import Cluster
from lab.errors import StepFailed
from lab.lab import Lab
from lab.steps.step import Finding, addresses, await_hops, await_sessions, expect, expect_undisturbed, hops
from lab.traffic import under_load

SHOWN = "eip,bgppeer,speakers,svc"
_VICTIM = "node2"
_AFTER = 2.0
"""Seconds of requests after each death."""


def kubectl_shows_what_became_of_it(lab: Lab) -> Finding:
    """The same state by kubectl: addresses in the Services, sessions at the peers, routes at the speakers."""
    address, _ = addresses(lab, "web")
    text = cluster_of(lab).kubectl("get", SHOWN)
    expect(address in text, expected=f"{address} in what kubectl shows", seen=text)
    return Finding(f"kubectl get {SHOWN}: {address} is there.", (), (), text=text)


def without_an_api_server_no_route_moves(lab: Lab) -> Finding:
    """etcd and the API server die, a speaker dies and comes back meanwhile: the network does not notice."""
    cluster = cluster_of(lab)
    address, _ = addresses(lab, "web")
    await_hops(lab, address, lab.nodes)
    await_sessions(lab)
    before = hops(lab, address)
    stations = [("before", "there", *map(" ".join, before.values()))]

    def station(what: str, api_server: str) -> None:
        time.sleep(_AFTER)
        seen = hops(lab, address)
        expect(seen == before, expected=f"next hops stay {before}", seen=seen)
        stations.append((what, api_server, *map(" ".join, seen.values())))

    with under_load(lab.client, address) as load:
        cluster.kill()
        try:
            station("both are killed", "gone")
            lab.speaker(_VICTIM).kill()
            expect(lab.speaker(_VICTIM).ended(within=5.0), expected="the speaker's end", seen="it is alive")
            lab.start_speaker(_VICTIM)
            station(f"{_VICTIM}'s speaker restarts", "gone")
        finally:
            cluster.start_again()
        station("both are back", "there")
    expect_undisturbed(load.tally())
    return Finding(
        f"Of {load.tally().sent} requests none was lost.",
        ("what happens", "API server, etcd", *(f"next hops in {name}" for name in lab.routers)),
        stations,
        load.tally(),
    )


def cluster_of(lab: Lab) -> Cluster:
    """The control plane of a lab. StepFailed where it has none."""
    if lab.cluster is None:
        raise StepFailed(f"expected: a lab in cluster mode\nsaw: {lab.folder.path.name} follows a folder")
    return lab.cluster
