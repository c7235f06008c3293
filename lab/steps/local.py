"""A Service with externalTrafficPolicy Local: only nodes with a pod of their own are next hops."""

import time

from lab.desk import Pod
from lab.lab import Lab
from lab.steps.step import Finding, addresses, await_hops, await_value, expect, expect_none_lost, moved
from lab.traffic import under_load

SERVICE = "web-local"
_STAY = 0.5


def a_local_service_follows_its_pods(lab: Lab) -> Finding:
    """A pod moves from node2 to node3 as a rollout moves it: the next hops follow, and no request is lost."""
    address, _ = addresses(lab, SERVICE)
    stations = []

    def station(
        what: str, *, ready: tuple[int, ...], leaving: tuple[int, ...] = (), starting: tuple[int, ...] = ()
    ) -> None:
        place_pods(lab, ready=ready, leaving=leaving, starting=starting)
        nodes = [f"node{n}" for n in ready]
        stations.append((what, *map(" ".join, await_hops(lab, address, nodes).values())))
        # Requests shall meet each state of affairs, not only the changes.
        time.sleep(_STAY)

    station("pods on node1 and node2", ready=(1, 2))
    with under_load(lab.client, address) as load:
        station("a pod on node3 starts", ready=(1, 2), starting=(3,))
        _await_rules(lab, "node3", address, dnat=True)
        station("it is ready", ready=(1, 2, 3))
        station("the pod on node2 is terminating", ready=(1, 3), leaving=(2,))
        station("it has gone", ready=(1, 3))
    tally = load.tally()
    expect_none_lost(tally)
    expect(
        tally.clients <= {"10.20.1.10", "10.20.2.10"},
        expected="the pods see the client's own addresses",
        seen=sorted(tally.clients),
    )
    place_pods(lab, ready=(1, 2))
    await_hops(lab, address, ("node1", "node2"))
    _await_rules(lab, "node3", address, dnat=False)
    return Finding(
        f"Of {tally.sent} requests none was lost, and the pods saw the client's own address.{moved(tally)}",
        ("what happens", *(f"next hops in {name}" for name in lab.routers)),
        stations,
        tally,
    )


def place_pods(
    lab: Lab, *, ready: tuple[int, ...], leaving: tuple[int, ...] = (), starting: tuple[int, ...] = ()
) -> None:
    """Give the Local Service pods on these nodes: ready, serving while they terminate, or not ready yet."""
    pods = dict.fromkeys(starting, Pod.STARTING) | dict.fromkeys(leaving, Pod.LEAVING)
    pods |= dict.fromkeys(ready, Pod.READY)
    lab.desk.place_pods(SERVICE, {f"node{n}": pod for n, pod in pods.items()})


def _await_rules(lab: Lab, node: str, address: str, *, dnat: bool) -> None:
    """Wait until kube-proxy hands an address on to a pod in a node, or no longer does."""
    await_value(
        lambda: lab.hands_on(node, address),
        lambda does: does == dnat,
        expected=f"{node} {'hands' if dnat else 'no longer hands'} {address} on to a pod",
    )
