"""keepalived.conf for this node's instances.

Pure: the same instances give the same text, whatever their order. What `keepalived -t` does not find is
checked here: a carrier of another family than its addresses, and an IPv6 carrier that is not link-local,
which it accepts and then complains of at run time only. Options and their defaults: keepalived.conf(5).
"""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from .model import Instance

CANNOT_START = "an instance that keepalived would accept and not run"


def render(instances: Iterable[Instance], *, fifo: str) -> str:
    """The whole file; empty where there is no instance. `fifo` is where state changes are told.

    Raises ValueError for an instance that must never reach keepalived.
    """
    # keepalived goes through the instances in their order when it reloads: an address that passes from one
    # to another must be taken off by the one before it is put there by the other.
    ordered = sorted(instances, key=lambda one: (not one.departing, one))
    if not ordered:
        return ""
    lines = [*_globals(fifo)]
    for one in ordered:
        _check(one)
        lines += _instance(one)
    return "\n".join(lines) + "\n"


def _globals(fifo: str) -> Iterator[str]:
    yield "# Written by openelb-bgp: edits are overwritten. Change the Eip or the Service instead."
    yield "global_defs {"
    yield "    vrrp_version 3"
    # Bursts are paced, or a switch drops what comes after the first hundred.
    yield "    vrrp_garp_interval 0.001"
    yield "    vrrp_gna_interval 0.001"
    yield "    vrrp_garp_master_delay 1"
    yield "    vrrp_garp_master_repeat 2"
    # A neighbour that missed both is put right, and so is one that heard a stale owner last.
    yield "    vrrp_garp_master_refresh 30"
    yield "    vrrp_garp_lower_prio_delay 0"
    yield "    vrrp_garp_lower_prio_repeat 1"
    # Before the FIFO, for which it would look for a user to run scripts as, and complain that there is none.
    yield "    script_user root"
    yield f"    vrrp_notify_fifo {fifo}"
    yield "    max_auto_priority -1"
    # An advertisement that a busy machine delays is a lost master. Without SYS_NICE it stays as it is.
    yield "    vrrp_priority -20"
    yield "}"


def _check(one: Instance) -> None:
    carrier = ip_address(one.carrier)
    if carrier.version != one.version or any(each.version != one.version for each in one.addresses):
        raise ValueError(f"{one.name}: {CANNOT_START}: its addresses are of two families")
    if not carrier.is_link_local:
        raise ValueError(f"{one.name}: {CANNOT_START}: its carrier {carrier} is not link-local")
    if not 1 <= one.priority <= 254 or not 1 <= one.vrid <= 255:
        raise ValueError(f"{one.name}: {CANNOT_START}: priority {one.priority}, VRID {one.vrid}")


def _instance(one: Instance) -> Iterator[str]:
    length = 32 if one.version == 4 else 128
    yield f"vrrp_instance {one.name} {{"
    yield f"    # Eip {one.pool}"
    # Also for the first by rank: who listens first disturbs nobody who serves.
    yield "    state BACKUP"
    yield f"    interface {one.interface}"
    yield f"    virtual_router_id {one.vrid}"
    yield f"    priority {one.priority}"
    yield f"    advert_int {one.advert_ms / 1000:g}"
    if one.preempt_seconds:
        yield f"    preempt_delay {one.preempt_seconds}"
    if one.arriving:
        # Another may still announce it, and falls silent when it lets go: whoever believed it is put right.
        yield "    garp_master_refresh 1"
    yield from _peers(one)
    # The peers compare what is advertised with their own: the services' addresses are not among it, so that
    # nodes that have reloaded and nodes that have not understand each other.
    yield "    virtual_ipaddress {"
    scope = " scope link" if one.version == 4 else ""
    yield f"        {one.carrier}/{length} dev {one.interface}{scope}"
    yield "    }"
    yield "    virtual_ipaddress_excluded {"
    for address in sorted(one.addresses):
        yield f"        {address}/{length} dev {one.interface}"
    yield "    }"
    yield "}"


def _peers(one: Instance) -> Iterator[str]:
    if not one.peers:
        yield f"    mcast_src_ip {one.source}"
        return
    yield f"    unicast_src_ip {one.source}"
    yield "    unicast_peer {"
    for peer in one.peers:
        yield f"        {peer}"
    yield "    }"
