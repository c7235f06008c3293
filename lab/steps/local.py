"""A Service with externalTrafficPolicy Local: only nodes with a pod of their own are next hops."""

from lab.lab import Lab
from lab.manifests import Object, edit
from lab.steps.step import Finding, addresses, await_hops, expect, expect_none_lost
from lab.traffic import under_load

POD_ADDRESSES = {"IPv4": "10.244.{}.10", "IPv6": "fd00:244:{}::10"}


def a_local_service_follows_its_pods(lab: Lab) -> Finding:
    """A pod moves from node2 to node3 as a rollout moves it: the next hops follow, and no request is lost."""
    address, _ = addresses(lab, "local")
    stations = []

    def station(what: str, *, ready: tuple[int, ...], leaving: tuple[int, ...] = ()) -> None:
        place_pods(lab, ready=ready, leaving=leaving)
        await_hops(lab, address, [f"node{n}" for n in ready], within=20.0)
        stations.append((what, ", ".join(f"node{n}" for n in ready)))

    station("pods on node1 and node2", ready=(1, 2))
    with under_load(lab.client, address) as load:
        station("a pod on node3 gets ready", ready=(1, 2, 3))
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
    await_hops(lab, address, ("node1", "node2"), within=20.0)
    return Finding(
        f"Next hops follow the pods; of {tally.sent} requests none was lost, "
        "and the pods saw the client's own address.",
        ("what happened", "next hops in both routers"),
        stations,
    )


def place_pods(lab: Lab, *, ready: tuple[int, ...], leaving: tuple[int, ...] = ()) -> None:
    """Write the EndpointSlices of the Local Service: pods of these nodes, ready or serving while they
    terminate.
    """
    for family, pattern in POD_ADDRESSES.items():
        endpoints = [
            {
                "addresses": [pattern.format(n)],
                "nodeName": f"node{n}",
                "conditions": {"ready": n in ready, "serving": True, "terminating": n in leaving},
            }
            for n in sorted({*ready, *leaving})
        ]

        def change(item: Object, endpoints: list[Object] = endpoints) -> None:
            item["endpoints"] = endpoints

        edit(lab.paths.manifests, "EndpointSlice", f"local-v{family[-1]}", change)
