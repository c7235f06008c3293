"""Addresses that move on purpose, without a request lost: pods that move, a node that is drained.

Shared by both modes.
"""

import time
from collections.abc import Mapping

from lab.desk import Pod
from lab.lab import Lab
from lab.steps.drain import set_draining
from lab.steps.lan.crowd import Crowd, addresses_of, assemble
from lab.steps.lan.failover import busiest
from lab.steps.lan.look import Mode, await_first_each, await_one_each
from lab.steps.lan.watch import Watch
from lab.steps.step import Finding, await_value, expect_none_lost, moved

_STAY = 1.0
"""Seconds of requests in each state of affairs."""


def local_policy_follows_a_pod(lab: Lab, mode: Mode, service: str) -> Finding:
    """The pod of the node that has the addresses moves to another, as a rollout moves it."""
    lab.desk.place_pods(service, {"node1": Pod.READY, "node3": Pod.READY})
    every = addresses_of(lab, service)
    held = await_first_each(lab, mode, every, among=("node1", "node3"))
    leaver = held[every[0]]
    stayer = "node3" if leaver == "node1" else "node1"
    rows = [("pods on node1 and node3", *held.values())]
    with Watch(lab, every) as watch:

        def station(what: str, pods: Mapping[str, Pod]) -> None:
            lab.desk.place_pods(service, pods)
            ready = [node for node, pod in pods.items() if pod is Pod.READY]
            rows.append((what, *await_one_each(lab, mode, every, among=ready).values()))
            # Requests shall meet each state of affairs, not only the changes.
            time.sleep(_STAY)

        stays = {stayer: Pod.READY}
        lab.desk.place_pods(service, {**stays, leaver: Pod.READY, "node2": Pod.STARTING})
        await_value(
            lambda: all(lab.hands_on("node2", address) for address in every),
            bool,
            expected=f"node2 hands {every} on to its pod",
        )
        station("one on node2 is ready", {**stays, leaver: Pod.READY, "node2": Pod.READY})
        station(f"the one on {leaver} is terminating", {**stays, "node2": Pod.READY, leaver: Pod.LEAVING})
        station("it has gone", {**stays, "node2": Pod.READY})
    tally = watch.tally()
    expect_none_lost(tally)
    lab.desk.place_pods(service, {"node1": Pod.READY, "node3": Pod.READY})
    await_one_each(lab, mode, every, among=("node1", "node3"))
    return Finding(
        f"Of {tally.sent} requests none was lost: the addresses stayed where pods are ready.{moved(tally)}",
        ("what happens", *every),
        rows,
        tally,
    )


def drained_node_loses_nothing(lab: Lab, crowd: Crowd, node: str = "") -> Finding:
    """A node is annotated to be drained: its addresses go to others before it stops serving them.

    It is the one with most addresses, where none is named.
    """
    held = assemble(lab, crowd)
    node = node or busiest(held)
    mine = [address for address, holder in held.items() if holder == node]
    others = [other for other in lab.nodes if other != node]
    try:
        with Watch(lab, mine) as watch:
            started = time.monotonic()
            set_draining(lab, node, draining=True)
            after = await_one_each(lab, crowd.mode, mine, among=others)
            time.sleep(_STAY)
            settled = watch.settled(started, after)
    finally:
        set_draining(lab, node, draining=False)
    tally = watch.tally()
    expect_none_lost(tally)
    return Finding(
        f"Of {tally.sent} requests none was lost: {len(mine)} addresses had moved "
        f"{max(settled.values()):.1f} s after {node} was annotated.{moved(tally)}",
        (f"from {node} to", "addresses", "the last after"),
        [
            (heir, len(own), f"{max(settled[address] for address in own):.2f} s")
            for heir in sorted(set(after.values()))
            for own in [[address for address, holder in after.items() if holder == heir]]
        ],
        tally,
    )
