"""A node that stops talking while its carrier stays: power, a kernel that hangs, a cable behind a switch."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from lab import kernel
from lab.lab import Lab
from lab.manifests import Object
from lab.steps.local import SERVICE
from lab.steps.step import Finding, addresses, await_hops, await_sessions, await_value, expect
from lab.traffic import Tally, under_load
from openelb_bgp.model.meta import Kind

_VICTIM, _SURVIVOR = "node2", "node1"
_HOLD = 9.0
_GROUPS = ("nodes", "nodes6")
"""The peer groups of nodes in the routers' configuration."""
_BFD = {
    "enabled": True,
    "desiredMinimumTxInterval": 100_000,
    "requiredMinimumReceive": 100_000,
    "detectionMultiplier": 3,
}


def a_silent_node_with_default_timers(lab: Lab) -> Finding:
    """Without anything configured the hold time of 9 s finds a silent node."""
    return _silence(lab, "hold time 9 s", at_most=_HOLD + 3.0)


def a_silent_node_with_bfd(lab: Lab) -> Finding:
    """With BFD at 100 ms x 3 on every peer a silent node is out in a fraction of a second."""
    with _bfd_everywhere(lab):
        finding = _silence(lab, "BFD 100 ms x 3", at_most=2.0)
    await_sessions(lab)
    return finding


@contextmanager
def _bfd_everywhere(lab: Lab) -> Iterator[None]:
    """Inside, every session is guarded by BFD from both ends."""
    peers = [peer["metadata"]["name"] for peer in lab.desk.objects(Kind.BGP_PEER)]
    try:
        for peer in peers:
            lab.desk.edit(Kind.BGP_PEER, peer, with_bfd)
        routers_speak_bfd(lab)
        await_bfd(lab, up=True)
        await_sessions(lab)
        yield
    finally:
        for peer in peers:
            lab.desk.edit(Kind.BGP_PEER, peer, without_bfd)
        await_bfd(lab, up=False)
        routers_leave_bfd(lab)


def _silence(lab: Lab, what: str, *, at_most: float) -> Finding:
    """Silence the victim under load; within `at_most` seconds both kernels must leave it out."""
    address, _ = addresses(lab, SERVICE)
    await_hops(lab, address, (_SURVIVOR, _VICTIM))
    space = lab.space(_VICTIM)
    try:
        with under_load(lab.client, address) as load:
            time.sleep(1.0)
            silenced = time.monotonic()
            kernel.silence(space, "eth1")
            await_hops(lab, address, (_SURVIVOR,), within=at_most + 5.0)
            took = time.monotonic() - silenced
            time.sleep(1.5)
    finally:
        kernel.unsilence(space)
    tally = load.tally()
    _expect_recovery(tally, silenced=silenced, took=took, at_most=at_most)
    started = time.monotonic()
    await_hops(lab, address, (_SURVIVOR, _VICTIM))
    await_sessions(lab)
    back = time.monotonic() - started
    return Finding(
        f"{_VICTIM} was out of both routers {took:.1f} s after it fell silent; "
        f"{len(tally.lost)} of {tally.sent} requests were lost until then.",
        ("found by", "out of both kernels after", "lost", "back after"),
        [(what, f"{took:.2f} s", len(tally.lost), f"{back:.1f} s")],
        tally,
    )


def _expect_recovery(tally: Tally, *, silenced: float, took: float, at_most: float) -> None:
    expect(took <= at_most, expected=f"out of both kernels within {at_most:g} s", seen=f"{took:.2f} s")
    outside = [lost for lost in tally.lost if not silenced - 1.0 <= lost.sent <= silenced + took + 0.5]
    expect(not outside, expected="requests lost only until the routes had gone", seen=outside)


def await_bfd(lab: Lab, *, up: bool) -> None:
    """Wait until every BFD session of both routers is up, or none is."""
    await_value(
        lambda: _bfd_states(lab),
        lambda states: all({one == "up" for one in by_peer.values()} == {up} for by_peer in states.values()),
        expected=f"every BFD session of both routers is {'up' if up else 'down'}",
    )


def routers_speak_bfd(lab: Lab) -> None:
    """Let the routers speak BFD with the nodes.

    Only for as long as the nodes do: FRR 10.2 and 10.3.0 start no session whose BFD is not up (FRR's pull
    request 18562); others start it, and guard it once BFD is.
    """
    for router in lab.routers.values():
        for group in _GROUPS:
            router.configure("router bgp", f"neighbor {group} bfd", f"neighbor {group} bfd profile nodes")


def routers_leave_bfd(lab: Lab) -> None:
    """Let the routers speak BGP only."""
    for router in lab.routers.values():
        for group in _GROUPS:
            router.configure("router bgp", f"no neighbor {group} bfd")


def with_bfd(peer: Object) -> None:
    """Let a BgpPeer speak BFD."""
    peer["spec"]["bfd"] = dict(_BFD)


def without_bfd(peer: Object) -> None:
    """Let a BgpPeer speak BGP only."""
    peer["spec"].pop("bfd", None)


def _bfd_states(lab: Lab) -> Mapping[str, Mapping[str, str]]:
    return {
        name: {entry["peer"]: entry["status"] for entry in router.show("show bfd peers")}
        for name, router in lab.routers.items()
    }
