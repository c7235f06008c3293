"""The cluster as one immutable value: what a cycle plans from, read once.

A Snapshot is never changed; `runtime.store` makes the next one. Objects that did not change are the same
objects in both, so plans may compare by identity.
"""

from collections.abc import Mapping

import msgspec

from . import keys
from .addresses import Address
from .cluster import ConfigMap, Namespace, Node, Pod, Secret
from .errors import Defect, InvalidResource
from .meta import EMPTY, Key, Kind, ObjectRef
from .pools import Eip
from .routing import BgpConf, BgpPeer
from .services import EndpointSlice, Service
from .speakers import Speaker

Resource = (
    Eip | BgpConf | BgpPeer | Speaker | Service | EndpointSlice | Node | Namespace | ConfigMap | Secret | Pod
)


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """Everything known at one revision.

    Mappings are keyed by name for cluster-scoped kinds and by Key for namespaced ones. `slices` is keyed
    by the Service's Key. `invalid` holds objects that cannot be used, `warnings` the defects of those that
    are used all the same. `pods` are those of speakers. `listed` holds the kinds that have been listed whole
    at least once: nothing is withdrawn or released before every kind that the decision needs is in it.
    `unseen` says why objects may exist all the same that nobody has seen, and what helps; empty where that
    cannot be. `in_cluster` says that Kubernetes writes EndpointSlices, not people.
    """

    revision: int = 0
    eips: Mapping[str, Eip] = EMPTY
    bgp_confs: Mapping[str, BgpConf] = EMPTY
    bgp_peers: Mapping[str, BgpPeer] = EMPTY
    speakers: Mapping[str, Speaker] = EMPTY
    services: Mapping[Key, Service] = EMPTY
    slices: Mapping[Key, tuple[EndpointSlice, ...]] = EMPTY
    nodes: Mapping[str, Node] = EMPTY
    namespaces: Mapping[str, Namespace] = EMPTY
    config_maps: Mapping[Key, ConfigMap] = EMPTY
    secrets: Mapping[Key, Secret] = EMPTY
    pods: Mapping[Key, Pod] = EMPTY
    invalid: Mapping[ObjectRef, InvalidResource] = EMPTY
    warnings: Mapping[ObjectRef, tuple[Defect, ...]] = EMPTY
    listed: frozenset[Kind] = frozenset()
    unseen: str = ""
    in_cluster: bool = False

    @property
    def bgp_conf(self) -> BgpConf | None:
        """The BgpConf that counts: the one named `default`, unless its label leaves it to the CNI."""
        conf = self.bgp_confs.get(keys.BGP_CONF_NAME)
        return None if conf is None or conf.left_to_cni else conf

    def owner_of(self, address: Address) -> str:
        """The Node or the Eip whose address it is, in words; empty for nobody's."""
        nodes = (node for node in self.nodes.values() if address in node.addresses)
        pools = (eip for eip in self.eips.values() if address in eip)
        owner = next(nodes, None) or next(pools, None)
        return "" if owner is None else str(owner.ref)

    def has_listed(self, *kinds: Kind) -> bool:
        """Whether all these kinds have been listed once."""
        return self.listed.issuperset(kinds)
