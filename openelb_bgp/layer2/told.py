"""What the announcer says of what it holds and of what it has met on the wire: statuses, problems, events.

Pure. What keeps a node from owning an address is said by the plan.
"""

from collections.abc import Iterable, Iterator, Mapping

from openelb_bgp.model.addresses import text_of
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.meta import Key, Kind, ObjectRef, ref
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.statuses import OwnedAddress, Problem
from openelb_bgp.ports import Event

from .owned import Holder, Probed, Spot
from .planned import Placement

ASSIGNED, MOVED = "NodeAssigned", "AddressMoved"
_IPVS = (
    "does kube-proxy run there in IPVS mode without strictARP? Set ipvs.strictARP: true in its configuration"
)


def service_ref(key: Key) -> ObjectRef:
    """The reference to a Service."""
    # Not `ref`: with its Key that is twice as large, and there is one of each Service.
    return ObjectRef(Kind.SERVICE, key)


def owned(since: Mapping[Spot, str]) -> tuple[OwnedAddress, ...]:
    """What this node answers for, by address; `since` is text as people read it."""
    return tuple(
        OwnedAddress(address=text_of(spot.address), interface=spot.interface, since=at)
        for spot, at in sorted(since.items(), key=lambda item: _order(item[0]))
    )


def _order(spot: Spot) -> tuple[int, int, str]:
    return spot.address.version, int(spot.address), spot.interface


def won(placement: Placement, spots: Iterable[Spot], facts: Facts) -> Iterator[Event]:
    """That this node answers for an address from now on, for each Service that has it."""
    macs = {link.name: link.mac for link in facts.links}
    where = ", ".join(
        f"{spot.interface} ({macs.get(spot.interface, '')})" for spot in sorted(spots, key=_order)
    )
    if placement.before:
        why = f": {placement.why.message}" if placement.why is not None else ""
        reason = MOVED
        message = f"{placement.address} moved from {placement.before} to {facts.node} on {where}{why}"
    else:
        reason = ASSIGNED
        message = f"node {facts.node} answers for {placement.address} on {where}"
    for key in placement.services:
        yield Event(ref=service_ref(key), reason=reason, message=message)


def taken(spot: Spot, mac: str, *, announced: bool) -> Refused:
    """That a host which is none of our nodes has an address of ours."""
    does = (
        "this node goes on answering, and does not fight over it"
        if announced
        else "it is not announced before that host gives it up"
    )
    return Refused(
        Reason.ADDRESS_CONFLICT,
        f"{mac} on {spot.interface}, which is none of our nodes, has {spot.address} too; {does}: take the "
        "address from that host (another cluster with the same pool?), or exclude it from the Eip",
    )


def by_node(spot: Spot, node: str, mac: str) -> Refused:
    """That a node answers which does not own the address."""
    return Refused(
        Reason.ANSWERED_BY_NODE,
        f"{mac} of node {node} answers for {spot.address} on {spot.interface} too; {_IPVS}",
    )


def by_gateway(spot: Spot, mac: str) -> Refused:
    """That a gateway answers for everything."""
    return Refused(
        Reason.ANSWERED_BY_GATEWAY,
        f"the gateway {mac} answers for {spot.address} on {spot.interface}: it is announced all the same; "
        "switch proxy ARP off there",
    )


def probed(spot: Spot, found: Probed, nodes: Mapping[str, str]) -> Refused | None:
    """What a first probe came to, where that is worth a word."""
    mac = "" if found.mac is None else found.mac.hex(":")
    match found.holder:
        case Holder.FOREIGN:
            return taken(spot, mac, announced=False)
        case Holder.NODE:
            return by_node(spot, nodes.get(mac, "of ours"), mac)
        case Holder.GATEWAY:
            return by_gateway(spot, mac)
    return None


def of_services(placement: Placement, refused: Refused) -> Iterator[Problem]:
    """The same for each Service that has the address."""
    for key in placement.services:
        yield Problem.of(service_ref(key), refused.reason, refused.message)


def unusable(node: str, why: Mapping[str, str]) -> Iterator[Problem]:
    """Where nothing can be announced; `why` is by interface, the empty name for everywhere."""
    for _, sentence in sorted(why.items()):
        yield Problem.of(ref(Kind.NODE, node), Reason.RAW_SOCKETS_IMPOSSIBLE, sentence)


def failed(why: str) -> str:
    """That what answers has failed, in a sentence; empty where it has not."""
    return why and (
        f"what answers ARP and NDP has failed ({why}), and begins again by itself; other nodes answer "
        "meanwhile; report it with the speaker's log"
    )


def lax_arp(node: str, sysctls: str) -> Problem:
    """That this node answers for every Service's address."""
    return Problem.of(
        ref(Kind.NODE, node),
        Reason.IPVS_WITHOUT_STRICT_ARP,
        f"kube-proxy runs in IPVS mode and {sysctls}: node {node} answers ARP for every Service's address, "
        "whoever owns it; set ipvs.strictARP: true in kube-proxy's configuration and restart kube-proxy",
    )
