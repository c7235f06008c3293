"""Who a BgpPeer means on this node: the address it names, or the gateways of the node's default routes.

Pure. From Facts' gateways to neighbour addresses and the families that each carries. How the session is set
up is in `peers`.
"""

from collections.abc import Mapping
from fnmatch import fnmatchcase
from ipaddress import ip_address

import msgspec

from openelb_bgp.lib.instants import soonest
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.facts import Gateway
from openelb_bgp.model.meta import EMPTY
from openelb_bgp.model.routing import BgpPeer

LINGER_SECONDS = 30.0
"""How long a gateway that went stays a neighbour: a link that flaps must not cost a session's set-up."""

# A default route by one of these leads to pods, never to a router of the network.
_INTERNAL_INTERFACES = (
    "lo",
    "kube-*",
    "nodelocaldns*",
    "cni*",
    "cali*",
    "tunl*",
    "vxlan.calico*",
    "wireguard.cali",
    "cilium*",
    "lxc*",
    "flannel*",
    "weave*",
    "veth*",
    "ovn-*",
    "genev_sys*",
    "antrea*",
    "docker*",
    "podman*",
    "virbr*",
)

GatewayMemory = Mapping[tuple[str, str], float | None]
"""(BgpPeer, neighbour address) → when the gateway was first missed, None while it is there."""


class Neighbours(msgspec.Struct, frozen=True, kw_only=True):
    """The neighbours of one BgpPeer on this node: address → the families that its session carries."""

    carried: Mapping[str, frozenset[Family]]
    memory: GatewayMemory = EMPTY
    deadline: float | None = None


def family_of(neighbour: str) -> Family:
    """The family of a neighbour's address, which may have a zone."""
    return Family.of(ip_address(neighbour))


def bare(neighbour: str) -> str:
    """The address without its zone: all that GoBGP's neighbor sets know."""
    return neighbour.partition("%")[0]


def neighbours(
    peer: BgpPeer, gateways: tuple[Gateway, ...], *, now: float, memory: GatewayMemory = EMPTY
) -> Neighbours:
    """The neighbours that a BgpPeer means; none if discovery finds no gateway."""
    wanted = frozenset(one.family for one in peer.afi_safis if one.enabled)
    if peer.neighbor_address is not None:
        address = peer.neighbor_address
        return Neighbours(carried={address: wanted or frozenset({family_of(address)})})
    present = [_address(one) for one in _defaults(gateways, wanted or frozenset(Family))]
    missed: dict[tuple[str, str], float | None] = {(peer.name, address): None for address in present}
    for key, since in memory.items():
        gone_at = now if since is None else since
        if key[0] == peer.name and key not in missed and now < gone_at + LINGER_SECONDS:
            missed[key] = gone_at
    return Neighbours(
        carried=_carried(sorted(address for _, address in missed), wanted),
        memory=missed,
        deadline=soonest(*(since + LINGER_SECONDS for since in missed.values() if since is not None)),
    )


def _defaults(gateways: tuple[Gateway, ...], families: frozenset[Family]) -> list[Gateway]:
    """The default routes in use: of each family those with the lowest metric."""
    usable = [one for one in gateways if one.family in families and not _is_internal(one.interface)]
    best = {one.version: min(x.metric for x in usable if x.version == one.version) for one in usable}
    return sorted(one for one in usable if one.metric == best[one.version])


def _is_internal(interface: str) -> bool:
    return any(fnmatchcase(interface, pattern) for pattern in _INTERNAL_INTERFACES)


def _address(gateway: Gateway) -> str:
    address = bare(gateway.address)
    return f"{address}%{gateway.interface}" if ip_address(address).is_link_local else address


def _carried(addresses: list[str], wanted: frozenset[Family]) -> dict[str, frozenset[Family]]:
    """Each neighbour carries its own family; one that has no gateway of its own rides on all of them."""
    native = frozenset(family_of(address) for address in addresses)
    riding = wanted - native
    return {address: frozenset({family_of(address)}) | riding for address in addresses}
