"""This machine as a Node, for a folder of manifests that names none."""

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.facts import Link
from openelb_bgp.model.meta import Meta

from .boot import read_boot_id
from .netlink import HostState


def own_node(name: str, host: HostState) -> Node:
    """The Node of that name with the addresses that this machine has now."""
    addresses = tuple(address for link in host.links for address in _global_addresses(link))
    return Node(meta=Meta(name=name), addresses=addresses, boot_id=read_boot_id())


def _global_addresses(link: Link) -> list[Address]:
    return [one.ip for one in link.addresses if not one.ip.is_loopback and not one.ip.is_link_local]
