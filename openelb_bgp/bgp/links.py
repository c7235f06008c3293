"""By which interface this node reaches a neighbour, and its address there. Pure, from Facts."""

from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Facts, Link
from openelb_bgp.model.pools import Eip


def link_towards(neighbour: str, facts: Facts) -> Link | None:
    """The interface of the session with that neighbour; None while it cannot be told."""
    address, _, zone = neighbour.partition("%")
    if zone:
        return next((link for link in facts.links if link.name == zone), None)
    session = facts.sessions.get(neighbour)
    if session is not None and session.local_address is not None:
        for link in facts.links:
            if any(one.ip == session.local_address for one in link.addresses):
                return link
    return next((link for link in facts.links if link.on_link(ip_address(address))), None)


def global_address(link: Link, pools: Iterable[Eip]) -> Address | None:
    """The interface's first IPv6 address that others can use as a next hop; never one of a pool's."""
    for one in link.addresses:
        address = one.ip
        if (
            isinstance(address, IPv6Address)
            and not (address.is_link_local or address.is_loopback)
            and not any(address in pool for pool in pools)
        ):
            return address
    return None
