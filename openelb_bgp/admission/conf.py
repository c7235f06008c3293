"""BgpConf beside nodes and ConfigMaps: its name, its policy, and racks that only some nodes have."""

from collections.abc import Iterator

from openelb_bgp.lib.words import some
from openelb_bgp.model import keys
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import Key, Kind, ObjectRef
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.routing import BgpConf
from openelb_bgp.model.snapshot import Snapshot


def conf_defects(snapshot: Snapshot, namespace: str) -> Iterator[tuple[ObjectRef, Defect]]:
    """Everything that is wrong with BgpConfs; one left to the CNI is none of ours."""
    for name in sorted(snapshot.bgp_confs):
        conf = snapshot.bgp_confs[name]
        if conf.left_to_cni:
            continue
        if name != keys.BGP_CONF_NAME:
            yield conf.ref, _ignored(name)
            continue
        if snapshot.has_listed(Kind.CONFIG_MAP):
            yield from ((conf.ref, defect) for defect in _policy(conf, snapshot, namespace))
        if snapshot.has_listed(Kind.NODE):
            yield from ((conf.ref, defect) for defect in _racks(conf, snapshot))


def _ignored(name: str) -> Defect:
    return Defect(
        "metadata.name",
        name,
        f"is ignored, because only the BgpConf named {keys.BGP_CONF_NAME} counts",
        f"name it {keys.BGP_CONF_NAME}, or remove it",
        Reason.IGNORED_NAME,
        fatal=False,
    )


def _policy(conf: BgpConf, snapshot: Snapshot, namespace: str) -> Iterator[Defect]:
    if conf.policy is None:
        return
    found = snapshot.config_maps.get(Key(namespace, conf.policy))
    if found is None:
        problem = f"there is no ConfigMap {namespace}/{conf.policy}"
        remedy = f"create it with the key {keys.POLICY_KEY}, or leave the field out"
    elif keys.POLICY_KEY not in found.data:
        problem = f"ConfigMap {namespace}/{conf.policy} has no key {keys.POLICY_KEY}"
        remedy = "add it, with GoBGP policy as TOML"
    else:
        return
    yield Defect("spec.policy", conf.policy, problem, remedy, Reason.CONFIG_MAP_MISSING)


def _racks(conf: BgpConf, snapshot: Snapshot) -> Iterator[Defect]:
    """Nodes without the label form one rack of their own, which is seldom what was meant."""
    racks: dict[str, list[str]] = {}
    for node in sorted(snapshot.nodes.values(), key=lambda node: node.name):
        racks.setdefault(node.rack, []).append(node.name)
    bare = racks.pop("", [])
    if racks and bare:
        yield Defect(
            "spec.asPerRack",
            "",
            f"the nodes without the label {keys.RACK_LABEL} ({some(bare)}) count as one rack, "
            "although others have it",
            "label every node, or none",
            Reason.RACKS_INCOMPLETE,
            fatal=False,
        )
    for rack, asn in conf.asn_per_rack:
        if rack not in racks and snapshot.nodes:
            problem = f"no node has the label {keys.RACK_LABEL}: {rack}"
            remedy = "label the nodes of that rack, or remove the entry"
            path = f"spec.asPerRack[{rack}]"
            yield Defect(path, str(asn), problem, remedy, Reason.NO_EFFECT, fatal=False)
