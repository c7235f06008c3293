"""Edits of BGP objects under load: a change that a session need not end for does not end it."""

import time
from typing import Any

from lab.lab import Lab
from lab.manifests import Object
from lab.steps.step import (
    Finding,
    addresses,
    await_hops,
    await_sessions,
    await_value,
    expect,
    expect_undisturbed,
    resets,
)
from lab.traffic import under_load
from openelb_bgp.model.meta import Kind

_PEER = "leaf1"
_HOLD = "30"


def a_peer_edit_resets_nothing(lab: Lab) -> Finding:
    """The hold time of a peer is edited: gobgpd stores it for the next session, and none is reset."""
    address, _ = addresses(lab, "web")
    await_hops(lab, address, lab.nodes)
    await_sessions(lab)
    before = resets(lab)
    try:
        with under_load(lab.client, address) as load:
            lab.desk.edit(Kind.BGP_PEER, _PEER, lambda peer: _set_hold(peer, _HOLD))
            hold = await_value(
                lambda: _hold_times(lab),
                lambda seen: seen == dict.fromkeys(lab.nodes, _HOLD),
                expected=f"every node reports hold time {_HOLD} for {_PEER}",
            )
            # A session that the edit had reset would be down by now.
            time.sleep(1.0)
    finally:
        lab.desk.edit(Kind.BGP_PEER, _PEER, lambda peer: _set_hold(peer, None))
    expect_undisturbed(load.tally())
    expect(resets(lab) == before, expected=f"sessions lost stays {before}", seen=resets(lab))
    return Finding(
        f"Of {load.tally().sent} requests none was lost, and no session was reset.",
        ("node", f"hold time for {_PEER}'s next session", "sessions reset"),
        [(node, f"{value} s", 0) for node, value in sorted(hold.items())],
        load.tally(),
    )


def _set_hold(peer: Object, seconds: str | None) -> None:
    peer["spec"].pop("timers", None)
    if seconds is not None:
        peer["spec"]["timers"] = {"config": {"holdTime": seconds}}


def _hold_times(lab: Lab) -> dict[str, str]:
    """What each node's gobgpd was told, as the peer's status reports it."""
    peer = next(item for item in lab.desk.objects(Kind.BGP_PEER) if item["metadata"]["name"] == _PEER)
    by_node: dict[str, Any] = peer.get("status", {}).get("nodesPeerStatus", {})
    return {node: str(status.get("timersState", {}).get("holdTime", "")) for node, status in by_node.items()}
