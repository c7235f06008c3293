"""What admission says of objects that are right each by itself, and which pools may give addresses."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

from openelb_bgp.admission import blocked_pools, check, usable_pools
from openelb_bgp.decode import api_version_of, decode
from openelb_bgp.model import keys
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import Key, Kind, ObjectRef, ref
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.snapshot import Resource, Snapshot

DEFAULT = {keys.DEFAULT_EIP_ANNOTATION: "true"}
EVERYTHING = frozenset(Kind)


def _object(kind: Kind, name: str, spec: Any = None, *, namespace: str = "", **rest: Any) -> Resource:
    metadata = {"name": name, "namespace": namespace, **rest.pop("metadata", {})}
    document = {"apiVersion": api_version_of(kind), "kind": kind.value, "metadata": metadata, **rest}
    if spec is not None:
        document["spec"] = spec
    resource = decode(document).resource
    assert resource is not None
    return resource


def eip(
    name: str, address: str, *, created: str | None = None, default: bool = False, **spec: Any
) -> Resource:
    metadata = {"creationTimestamp": created, "annotations": DEFAULT if default else None}
    return _object(Kind.EIP, name, {"address": address, **spec}, metadata=metadata)


def peer(name: str, address: str, peer_as: int = 65001, *, conf: Any = None, **spec: Any) -> Resource:
    written = {"neighborAddress": address, "peerAs": peer_as, **(conf or {})}
    return _object(Kind.BGP_PEER, name, {"conf": written, **spec})


def bgp_conf(name: str = "default", **spec: Any) -> Resource:
    return _object(Kind.BGP_CONF, name, {"as": 65000, **spec})


def node(name: str, address: str = "192.0.2.11", *, rack: str | None = None) -> Resource:
    labels = {"kubernetes.io/hostname": name} | ({keys.RACK_LABEL: rack} if rack else {})
    addresses = [{"type": "InternalIP", "address": address}]
    return _object(Kind.NODE, name, status={"addresses": addresses}, metadata={"labels": labels})


def service(name: str, address: str, pool: str) -> Resource:
    return _object(
        Kind.SERVICE,
        name,
        {"type": "LoadBalancer"},
        namespace="default",
        status={"loadBalancer": {"ingress": [{"ip": address}]}},
        metadata={"annotations": {keys.ALLOCATED_ANNOTATION: f"{address}={pool}"}},
    )


_FIELDS = {
    "Eip": "eips",
    "BgpConf": "bgp_confs",
    "BgpPeer": "bgp_peers",
    "Service": "services",
    "Node": "nodes",
    "Secret": "secrets",
    "ConfigMap": "config_maps",
}


def snapshot(*resources: Resource, listed: frozenset[Kind] = EVERYTHING) -> Snapshot:
    fields: dict[str, dict[Any, Resource]] = {field: {} for field in _FIELDS.values()}
    for one in resources:
        kind = type(one).__name__
        namespaced = kind in ("Service", "Secret", "ConfigMap")
        fields[_FIELDS[kind]][one.meta.key if namespaced else one.meta.name] = one
    return Snapshot(listed=listed, **fields)  # type: ignore[arg-type]


def said(found: Mapping[ObjectRef, Iterable[Defect]]) -> dict[str, list[tuple[bool, Reason, str]]]:
    """Defects in a form that reads well in an assertion."""
    return {str(of): [(one.fatal, one.reason, str(one)) for one in defects] for of, defects in found.items()}


def test_nothing_is_wrong_with_objects_that_do_not_meet() -> None:
    given = snapshot(
        bgp_conf(),
        peer("a", "192.0.2.1"),
        peer("b", "192.0.2.2"),
        eip("one", "198.51.100.0/25", default=True),
        eip("two", "198.51.100.128/25"),
        eip("six", "2001:db8::/64", default=True),
        node("node1"),
        service("web", "198.51.100.1", "one"),
    )
    assert check(given) == {}
    assert blocked_pools(given) == frozenset()
    assert usable_pools(given) == given.eips


def test_of_two_pools_that_overlap_the_later_one_loses_and_both_are_named() -> None:
    given = snapshot(
        eip("a-new", "198.51.100.128/25", created="2024-02-01T00:00:00Z"),
        eip("b-old", "198.51.100.0/24", created="2024-01-01T00:00:00Z"),
    )
    assert said(check(given)) == {
        "Eip a-new": [
            (
                True,
                Reason.OVERLAP,
                "spec.address '198.51.100.128-198.51.100.255': Eip a-new (198.51.100.128-198.51.100.255) "
                "overlaps Eip b-old (198.51.100.0-198.51.100.255), which is older; it gives no new address, "
                "and keeps those it gave; make their addresses disjoint",
            )
        ]
    }
    assert blocked_pools(given) == {"a-new"}
    assert list(usable_pools(given)) == ["b-old"]


def test_of_two_pools_of_one_age_the_first_by_name_stays() -> None:
    assert blocked_pools(snapshot(eip("b", "198.51.100.0/24"), eip("a", "198.51.100.7"))) == {"b"}


def test_a_pool_that_lost_makes_no_other_lose() -> None:
    given = snapshot(
        eip("a", "198.51.100.0-198.51.100.10"),
        eip("b", "198.51.100.10-198.51.100.20"),
        eip("c", "198.51.100.20-198.51.100.30"),
    )
    assert blocked_pools(given) == {"b"}


def test_a_pool_inside_another_and_one_around_another_overlap() -> None:
    inside = snapshot(eip("a", "198.51.100.0/24"), eip("b", "198.51.100.7"))
    around = snapshot(eip("a", "198.51.100.7"), eip("b", "198.51.100.0/24"))
    assert blocked_pools(inside) == blocked_pools(around) == {"b"}


def test_pools_of_both_families_overlap_only_in_one() -> None:
    given = snapshot(eip("a", "198.51.100.0/24,2001:db8::/64"), eip("b", "203.0.113.0/24,2001:db8::7"))
    assert blocked_pools(given) == {"b"}


def test_a_slash_8_and_thousands_of_pools_cost_little() -> None:
    pools = [eip(f"p{number:05}", f"10.{number // 256}.{number % 256}.0/24") for number in range(3000)]
    assert blocked_pools(snapshot(*pools, eip("z", "10.0.0.0/8"))) == {"z"}


def test_a_second_default_pool_is_refused_per_family() -> None:
    given = snapshot(
        eip("a", "198.51.100.0/24", default=True),
        eip("b", "203.0.113.0/24,2001:db8::/64", default=True),
        eip("c", "2001:db8:1::/64", default=True),
    )
    assert said(check(given)) == {
        "Eip b": [
            (
                True,
                Reason.SECOND_DEFAULT,
                "metadata.annotations: is a second default pool for IPv4, after Eip a, and not used as one; "
                "take the annotation is-default-eip off one of them",
            )
        ],
        "Eip c": [
            (
                True,
                Reason.SECOND_DEFAULT,
                "metadata.annotations: is a second default pool for IPv6, after Eip b, and not used as one; "
                "take the annotation is-default-eip off one of them",
            )
        ],
    }


def test_live_addresses_outside_an_edited_pool_are_named_with_their_services() -> None:
    services = [service(f"web{number}", f"198.51.100.{number}", "pool") for number in range(1, 8)]
    given = snapshot(eip("pool", "198.51.100.7-198.51.100.9"), *services)
    assert said(check(given)) == {
        "Eip pool": [
            (
                False,
                Reason.ADDRESSES_OUTSIDE,
                "spec.address: no longer holds addresses that are in use: default/web1 (198.51.100.1), "
                "default/web2 (198.51.100.2), default/web3 (198.51.100.3), default/web4 (198.51.100.4), "
                "default/web5 (198.51.100.5) and 1 more; they are kept and announced; "
                "widen the pool again, or let these Services ask for other addresses",
            )
        ]
    }


def test_advertisements_to_peers_that_do_not_exist() -> None:
    given = snapshot(
        peer("leaf1", "192.0.2.1"),
        eip("pool", "198.51.100.0/24", bgp={"advertisements": [{"peers": ["leaf1", "leaf2"]}]}),
    )
    assert said(check(given)) == {
        "Eip pool": [
            (
                False,
                Reason.NO_PEER,
                "spec.bgp.advertisements[0].peers[1] 'leaf2': is no BgpPeer; "
                "write the name of one, or create it",
            )
        ]
    }


def test_local_pref_towards_ebgp_peers_only() -> None:
    pool = eip("pool", "198.51.100.0/24", bgp={"advertisements": [{"localPref": 200, "peers": ["e"]}]})
    peers = (peer("e", "192.0.2.1"), peer("i", "192.0.2.2", 65000))
    assert said(check(snapshot(bgp_conf(), pool, *peers))) == {
        "Eip pool": [
            (
                False,
                Reason.NO_EFFECT,
                "spec.bgp.advertisements[0].localPref '200': has no effect, because none of these peers is "
                "an iBGP peer; use med or communities towards eBGP peers, or remove it",
            )
        ]
    }
    to_all = eip("pool", "198.51.100.0/24", bgp={"advertisements": [{"localPref": 200}]})
    assert check(snapshot(bgp_conf(), to_all, *peers)) == {}


def test_local_pref_has_an_effect_where_a_rack_or_the_local_as_makes_a_peer_internal() -> None:
    pool = eip("pool", "198.51.100.0/24", bgp={"advertisements": [{"localPref": 200}]})
    of_rack = (bgp_conf(asPerRack={"r": 65001}), node("n", rack="r"), peer("p", "192.0.2.1", 65001))
    of_local_as = (bgp_conf(), peer("p", "192.0.2.1", 65001, conf={"localAs": 65001}))
    assert check(snapshot(pool, *of_rack)) == {}
    assert check(snapshot(pool, *of_local_as)) == {}


def test_an_aggregate_that_reaches_beyond_the_pool() -> None:
    pool = eip(
        "pool",
        "198.51.100.16-198.51.100.40,198.51.100.41-198.51.100.47",
        bgp={"advertisements": [{"aggregationLength": 28}, {"aggregationLength": 27}]},
    )
    assert said(check(snapshot(pool))) == {
        "Eip pool": [
            (
                False,
                Reason.AGGREGATE_OUTSIDE_POOL,
                "spec.bgp.advertisements[1].aggregationLength '27': gives 198.51.100.0/27, 198.51.100.32/27, "
                "not wholly inside the pool; addresses there are not announced by this advertisement; "
                "write a greater length, or widen the pool to whole prefixes",
            )
        ]
    }


def test_an_ipv6_aggregate_is_checked_against_the_ipv6_part() -> None:
    pool = eip(
        "pool",
        "198.51.100.0/24,2001:db8::/64",
        bgp={"advertisements": [{"aggregationLength": 24, "aggregationLengthV6": 63}]},
    )
    (defects,) = check(snapshot(pool)).values()
    assert [defect.path for defect in defects] == ["spec.bgp.advertisements[0].aggregationLengthV6"]


def test_can_reach_must_not_name_a_node_or_a_pool() -> None:
    given = snapshot(
        node("node1", "192.0.2.11"),
        eip("a", "198.51.100.0/28", protocol="layer2", interface="can_reach:192.0.2.11"),
        eip("b", "198.51.100.16/28", protocol="vip", interface="can_reach:198.51.100.1"),
        eip("c", "198.51.100.32/28", protocol="vip", interface="can_reach:192.0.2.1"),
    )
    assert said(check(given)) == {
        "Eip a": [
            (
                True,
                Reason.INVALID,
                "spec.interface 'can_reach:192.0.2.11': names an address of Node node1, so that no route "
                "leads to a NIC; write an address that the NIC reaches, such as the router's",
            )
        ],
        "Eip b": [
            (
                True,
                Reason.INVALID,
                "spec.interface 'can_reach:198.51.100.1': names an address of Eip a, so that no route "
                "leads to a NIC; write an address that the NIC reaches, such as the router's",
            )
        ],
    }


def test_of_two_peers_with_one_address_the_first_by_name_is_used() -> None:
    given = snapshot(peer("b", "192.0.2.1"), peer("a", "192.0.2.1"))
    assert said(check(given)) == {
        "BgpPeer b": [
            (
                True,
                Reason.DUPLICATE_PEER,
                "spec.conf.neighborAddress '192.0.2.1': is the neighbour of BgpPeer a too, which comes first "
                "by name and is used; remove one of them, or choose different nodes by nodeSelector",
            )
        ]
    }


def test_two_peers_with_one_address_for_different_nodes_do_not_meet() -> None:
    def on(rack: str) -> dict[str, Any]:
        return {"matchLabels": {keys.RACK_LABEL: rack}}

    nodes = (node("n1", "192.0.2.11", rack="r1"), node("n2", "192.0.2.12", rack="r2"))
    apart = (peer("a", "192.0.2.1", nodeSelector=on("r1")), peer("b", "192.0.2.1", nodeSelector=on("r2")))
    assert check(snapshot(*nodes, *apart)) == {}
    partly = (peer("a", "192.0.2.1", nodeSelector=on("r1")), peer("b", "192.0.2.1"))
    assert said(check(snapshot(*nodes, *partly))) == {
        "BgpPeer b": [
            (
                False,
                Reason.DUPLICATE_PEER,
                "spec.conf.neighborAddress '192.0.2.1': is the neighbour of BgpPeer a too, which comes first "
                "by name and is used on n1; remove one of them, or choose different nodes by nodeSelector",
            )
        ]
    }


def test_a_peer_that_is_a_nodes_own_address() -> None:
    def self_defects(*nodes: Resource) -> list[tuple[bool, Reason]]:
        found = check(snapshot(*nodes, peer("a", "192.0.2.11")))[ref(Kind.BGP_PEER, "a")]
        return [(defect.fatal, defect.reason) for defect in found]

    only = node("n1", "192.0.2.11")
    assert self_defects(only) == [(True, Reason.PEER_IS_SELF)]
    assert self_defects(only, node("n2", "192.0.2.12")) == [(False, Reason.PEER_IS_SELF)]


def test_a_password_whose_secret_or_key_is_missing() -> None:
    def problems(*resources: Resource, namespace: str = keys.DEFAULT_NAMESPACE) -> list[tuple[Reason, str]]:
        conf = {"authPasswordSecretRef": {"name": "passwords", "key": "leaf"}}
        found = check(snapshot(peer("a", "192.0.2.1", conf=conf), *resources), namespace=namespace)
        return [(one.reason, one.problem) for one in found.get(ref(Kind.BGP_PEER, "a"), ())]

    def secret(**data: str) -> Resource:
        return _object(Kind.SECRET, "passwords", namespace="openelb-system", stringData=data)

    assert problems() == [(Reason.SECRET_MISSING, "there is no Secret openelb-system/passwords")]
    assert problems(secret(other="x")) == [
        (Reason.SECRET_MISSING, "Secret openelb-system/passwords has no such key, or nothing in it")
    ]
    assert problems(secret(leaf="x" * 81)) == [
        (Reason.INVALID, "holds more than 80 bytes, the most that TCP MD5 takes")
    ]
    assert problems(secret(leaf="hunter2")) == []
    assert problems(secret(leaf="hunter2"), namespace="elsewhere") == [
        (Reason.SECRET_MISSING, "there is no Secret elsewhere/passwords")
    ]


def test_only_the_bgp_conf_named_default_counts() -> None:
    assert said(check(snapshot(bgp_conf(), bgp_conf("other")))) == {
        "BgpConf other": [
            (
                False,
                Reason.IGNORED_NAME,
                "metadata.name 'other': is ignored, because only the BgpConf named default counts; "
                "name it default, or remove it",
            )
        ]
    }


def test_a_policy_whose_config_map_or_key_is_missing() -> None:
    def problems(*resources: Resource) -> list[tuple[bool, Reason, str]]:
        found = check(snapshot(bgp_conf(policy="policy"), *resources))
        return [(one.fatal, one.reason, one.problem) for one in found.get(ref(Kind.BGP_CONF, "default"), ())]

    def config_map(**data: str) -> Resource:
        data = {key.replace("_", "."): value for key, value in data.items()}
        return _object(Kind.CONFIG_MAP, "policy", namespace="openelb-system", data=data)

    assert problems() == [(True, Reason.CONFIG_MAP_MISSING, "there is no ConfigMap openelb-system/policy")]
    assert problems(config_map(other="")) == [
        (True, Reason.CONFIG_MAP_MISSING, "ConfigMap openelb-system/policy has no key gobgp.conf")
    ]
    assert problems(config_map(gobgp_conf="")) == []


def test_racks_that_only_some_nodes_have_and_racks_that_none_has() -> None:
    given = snapshot(
        bgp_conf(asPerRack={"r1": 65001, "r9": 65009}),
        node("n1", "192.0.2.11", rack="r1"),
        node("n2", "192.0.2.12"),
    )
    assert said(check(given)) == {
        "BgpConf default": [
            (
                False,
                Reason.RACKS_INCOMPLETE,
                "spec.asPerRack: the nodes without the label openelb.kubesphere.io/rack (n2) count as one "
                "rack, although others have it; label every node, or none",
            ),
            (
                False,
                Reason.NO_EFFECT,
                "spec.asPerRack[r9] '65009': no node has the label openelb.kubesphere.io/rack: r9; "
                "label the nodes of that rack, or remove the entry",
            ),
        ]
    }


def test_what_is_left_to_the_cni_is_none_of_ours() -> None:
    def left(kind: Kind, name: str, spec: Any) -> Resource:
        return _object(kind, name, spec, metadata={"labels": {keys.CNI_LABEL: "calico"}})

    conf = {"neighborAddress": "192.0.2.1", "peerAs": 1, "authPasswordSecretRef": {"name": "x", "key": "y"}}
    given = snapshot(
        left(Kind.BGP_CONF, "other", {"as": 65000}),
        left(Kind.BGP_PEER, "b", {"conf": conf}),
        peer("a", "192.0.2.1"),
    )
    assert check(given) == {}


def test_nothing_is_said_of_kinds_that_have_not_been_listed() -> None:
    conf = {"authPasswordSecretRef": {"name": "passwords", "key": "leaf"}}
    advertisements = [{"peers": ["missing"], "localPref": 1}]
    given = snapshot(
        bgp_conf(policy="policy"),
        peer("a", "192.0.2.1", conf=conf),
        eip("pool", "198.51.100.0/24", bgp={"advertisements": advertisements}),
        listed=frozenset({Kind.EIP}),
    )
    assert check(given) == {}


def test_an_address_of_another_service_does_not_count_as_the_pools() -> None:
    given = snapshot(eip("pool", "198.51.100.0/24"), service("web", "203.0.113.1", "gone"))
    assert check(given) == {}
    assert given.services[Key("default", "web")].addresses == (ip_address("203.0.113.1"),)
