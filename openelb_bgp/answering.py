"""The layer2 announcer on this machine: where its settings, its clock and its rights come from."""

import socket

from openelb_bgp.layer2.announcer import Layer2Announcer
from openelb_bgp.layer2.planned import PlanOptions
from openelb_bgp.layer2.sockets import NO_CAPABILITY
from openelb_bgp.membership.timing import Timing
from openelb_bgp.plugins import Workplace

_TRUSTED = 0.75
"""Of the silence after which others take a node for dead, the part in which it may still act unseen."""


def layer2_announcer(workplace: Workplace) -> Layer2Announcer:
    """The entry point of protocol `layer2`."""
    heartbeats = workplace.settings.heartbeats
    return Layer2Announcer(
        options=PlanOptions(ignore_exclude_label=workplace.settings.ignore_exclude_lb),
        clock=workplace.clock,
        wake=workplace.wake,
        trust=_TRUSTED * Timing(interval=heartbeats.interval, misses=heartbeats.misses).bound,
        incapable="" if may_use_raw_sockets() else NO_CAPABILITY,
    )


def may_use_raw_sockets() -> bool:
    """Whether this process has CAP_NET_RAW; without it others must answer in its place from the start."""
    try:
        # Protocol 0 receives nothing.
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
    except PermissionError:
        return False
    return True
