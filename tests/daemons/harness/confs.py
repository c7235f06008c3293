"""Desired state for the tests' LAN: a speaker in a node, peers in routers, service addresses."""

from ipaddress import IPv4Network, IPv6Network

import msgspec

from openelb_bgp.bgp.model import (
    AddressFamily,
    GlobalConf,
    GracefulRestart,
    Path,
    PathAttrs,
    PathKey,
    PeerConf,
    Timers,
)
from openelb_bgp.model.addresses import Family
from tests.daemons.harness.netns import Namespace

ROUTER_ASN = 65001
NODE_ASN = 65000

BOTH_FAMILIES = (
    AddressFamily(family=Family.IPV4, add_paths_send_max=255, mp_graceful_restart=True),
    AddressFamily(family=Family.IPV6, add_paths_send_max=255, mp_graceful_restart=True),
)


def speaker(node: Namespace, *, asn: int = NODE_ASN) -> GlobalConf:
    """A speaker that listens on 179 in its node."""
    return GlobalConf(asn=asn, router_id=node.v4)


def peer(router: Namespace, *, asn: int = ROUTER_ASN, local_asn: int = NODE_ASN) -> PeerConf:
    """A session with a router, both families, add-path, graceful restart, quick timers."""
    return PeerConf(
        name=router.name,
        neighbor_address=router.v4,
        peer_asn=asn,
        local_asn=local_asn,
        timers=Timers(connect_retry=1, hold_time=9, keepalive_interval=3, idle_hold_time_after_reset=1),
        graceful_restart=GracefulRestart(enabled=True, restart_time=60, deferral_time=5),
        afi_safis=BOTH_FAMILIES,
    )


def changed(conf: PeerConf, **fields: object) -> PeerConf:
    """The peer with some fields different."""
    return msgspec.structs.replace(conf, **fields)


def service(number: int, attrs: PathAttrs | None = None, *, identifier: int = 1) -> Path:
    """The path of the `number`-th IPv4 service address, in 198.18.0.0/15."""
    prefix = IPv4Network((0xC6120000 + number, 32))
    return Path(PathKey(prefix, identifier), attrs or PathAttrs())


def service6(number: int, attrs: PathAttrs | None = None, *, identifier: int = 1) -> Path:
    """The path of the `number`-th IPv6 service address, in fd00:b::/64."""
    prefix = IPv6Network((0xFD00000B << 96 | number, 128))
    return Path(PathKey(prefix, identifier), attrs or PathAttrs())
