"""Every defect that takes several objects to see. Pure."""

from collections.abc import Mapping
from itertools import chain

from openelb_bgp.model import keys
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import ObjectRef
from openelb_bgp.model.snapshot import Snapshot

from .conf import conf_defects
from .kube_proxy import arp_defects
from .peers import peer_defects
from .pools import pool_defects


def check(
    snapshot: Snapshot, *, namespace: str = keys.DEFAULT_NAMESPACE
) -> Mapping[ObjectRef, tuple[Defect, ...]]:
    """What is wrong with each object in the light of the others; `namespace` is ours.

    Fatal is what keeps an object, or the part of it that the defect names, from having any effect. Nothing
    is said that depends on a kind which has not been listed yet.
    """
    found: dict[ObjectRef, tuple[Defect, ...]] = {}
    for ref, defect in chain(
        pool_defects(snapshot),
        arp_defects(snapshot),
        peer_defects(snapshot, namespace=namespace),
        conf_defects(snapshot, namespace),
    ):
        found[ref] = (*found.get(ref, ()), defect)
    return found
