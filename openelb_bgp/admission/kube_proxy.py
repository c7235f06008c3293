"""kube-proxy beside the pools for which a node answers itself: in IPVS mode it may answer on every node.

It puts all Services' addresses on a dummy NIC of each node, and Linux answers ARP for every address it has,
whatever the NIC (`arp_ignore` 0), unless strictARP sets that to 1. NDP asks for the address of one NIC only.
Source: Kubernetes, kube-proxy Configuration (v1alpha1), `ipvs.strictARP`.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import ObjectRef
from openelb_bgp.model.pools import Protocol
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.snapshot import Snapshot

_PROBLEM = (
    f"kube-proxy runs in IPVS mode without strictARP (ConfigMap {keys.KUBE_PROXY_CONFIG}), so every node "
    "answers ARP for the addresses of this pool"
)
_REMEDY = "set ipvs.strictARP: true there, and restart kube-proxy on all nodes"


def arp_defects(snapshot: Snapshot) -> Iterator[tuple[ObjectRef, Defect]]:
    """A remark on each pool whose IPv4 addresses every node would answer for."""
    config_map = snapshot.config_maps.get(keys.KUBE_PROXY_CONFIG)
    if config_map is None or not ipvs_answers_arp(config_map.data.get(keys.KUBE_PROXY_KEY, "")):
        return
    for name in sorted(snapshot.eips):
        eip = snapshot.eips[name]
        if eip.protocol is not Protocol.BGP and Family.IPV4 in eip.families:
            protocol = eip.protocol.value
            yield (
                eip.ref,
                Defect(
                    "spec.protocol", protocol, _PROBLEM, _REMEDY, Reason.IPVS_WITHOUT_STRICT_ARP, fatal=False
                ),
            )


def ipvs_answers_arp(text: str) -> bool:
    """Whether a KubeProxyConfiguration says so; False for what cannot be read."""
    try:
        found: Any = yaml.load(text, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return False
    if not isinstance(found, dict) or found.get("mode") != "ipvs":
        return False
    ipvs = found.get("ipvs")
    return not (isinstance(ipvs, dict) and ipvs.get("strictARP") is True)
