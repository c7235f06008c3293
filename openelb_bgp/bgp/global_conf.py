"""The speaker itself: ASN by rack, router id, where it listens. Pure.

Any change of it costs a restart of gobgpd, so nothing goes in that GoBGP does not use: graceful restart is a
matter of each peer (`sessions`). `families` is left out too: what a session carries is a matter of its peer's
afiSafis, and a gobgpd without a table for one family answers no question about it.
"""

import hashlib
from ipaddress import IPv4Address

from openelb_bgp.eligibility import NodeState
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.routing import BgpConf

from .model import GlobalConf

_EVERYWHERE = {"0.0.0.0", "::"}
"""What listening on all addresses looks like where it is written out."""


def global_conf(conf: BgpConf, node: NodeState) -> GlobalConf:
    """What StartBgp is told on that node."""
    by_rack = dict(conf.asn_per_rack)
    return GlobalConf(
        asn=by_rack.get(node.rack, conf.asn),
        router_id=_router_id(conf, node, has_own_asn=node.rack in by_rack),
        listen_port=conf.listen_port,
        listen_addresses=() if set(conf.listen_addresses) == _EVERYWHERE else conf.listen_addresses,
        use_multiple_paths=conf.use_multiple_paths,
    )


def _router_id(conf: BgpConf, node: NodeState, *, has_own_asn: bool) -> str:
    """The one that is written (the same on all nodes, as OpenELB had it), else the node's InternalIP."""
    if conf.router_id is not None and not has_own_asn:
        return conf.router_id
    return str(node.address(Family.IPV4) or _from_name(node.name))


def _from_name(name: str) -> IPv4Address:
    """A stable identifier for a node without IPv4; it looks like a host's, which old routers insist on."""
    digest = hashlib.sha256(name.encode()).digest()
    return IPv4Address(bytes([1 + digest[0] % 223, *digest[1:3], 1 + digest[3] % 254]))
