"""Rules 1 to 5 of the allocation order, and who is served first: each sentence of the contract once."""

import msgspec
import pytest

from openelb_bgp.ipam import Rules, allocate
from openelb_bgp.model import keys
from openelb_bgp.model.errors import InvalidResource
from openelb_bgp.model.meta import Kind, LabelSelector, ref
from openelb_bgp.model.pools import Protocol
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.services import Service
from tests.ipam_cluster import OURS, V4, V6, Cluster, edited, eip, namespace, service

DEFAULT = eip("default", "192.0.2.0/24", default=True)
BOUND = eip("bound", "198.51.100.0/24", namespaces=frozenset({"shop"}))


# Who is ours.


def test_the_annotation_makes_a_service_ours() -> None:
    assert Cluster(DEFAULT, service()).settle().has() == "192.0.2.0"


def test_our_class_makes_a_service_ours() -> None:
    ours = service(annotations={}, load_balancer_class="lb.kubesphere.io/openelb")
    assert Cluster(DEFAULT, ours).settle().has() == "192.0.2.0"


def test_a_class_of_somebody_else_beside_the_annotation_wins() -> None:
    cluster = Cluster(DEFAULT, service(load_balancer_class="metallb.universe.tf/metallb"))
    assert cluster.settle().has() == ""
    assert cluster.allocate().services == {}


def test_another_annotation_value_is_not_ours() -> None:
    assert Cluster(DEFAULT, service(annotations={keys.MANAGED_ANNOTATION: "other"})).settle().has() == ""


def test_a_service_of_another_type_is_not_ours() -> None:
    assert Cluster(DEFAULT, service(type="ClusterIP")).settle().has() == ""


def test_claim_all_takes_every_load_balancer_service_without_a_class() -> None:
    plain = service("plain", annotations={})
    classy = service("classy", annotations={}, load_balancer_class="other.example/lb")
    cluster = Cluster(DEFAULT, plain, classy, rules=Rules(claim_all=True)).settle()
    assert (cluster.has("plain"), cluster.has("classy")) == ("192.0.2.0", "")


def test_a_node_proxy_is_refused_and_its_service_left_alone() -> None:
    annotations = OURS | {"node-proxy.openelb.kubesphere.io/type": "daemonset"}
    cluster = Cluster(DEFAULT, service(annotations=annotations, has="203.0.113.7")).settle()
    assert cluster.has() == "203.0.113.7"
    assert cluster.events == [
        "web AssignIPFailed: node-proxy is not offered; remove the annotation "
        "node-proxy.openelb.kubesphere.io/type to get an address from an Eip"
    ]
    assert cluster.decision().refused[0].reason is Reason.NODE_PROXY_NOT_OFFERED


# Rule 1: the Service names an Eip or an IP.


def test_a_named_eip_gives_the_address_bound_to_the_namespace_or_not() -> None:
    other = eip("other", "203.0.113.0/24", namespaces=frozenset({"elsewhere"}))
    assert Cluster(DEFAULT, BOUND, other, service(names_pool="other")).settle().has() == "203.0.113.0"


def test_a_named_address_is_given_from_the_eip_that_contains_it() -> None:
    cluster = Cluster(DEFAULT, BOUND, service(names_address="198.51.100.9")).settle()
    assert cluster.has() == "198.51.100.9"
    assert cluster.services[cluster.decision().service.key].meta.labels[keys.EIP_LABEL] == "bound"


def test_the_annotation_wins_over_load_balancer_ip() -> None:
    one = service(names_address="192.0.2.7", load_balancer_ip="192.0.2.8")
    assert Cluster(DEFAULT, one).settle().has() == "192.0.2.7"


def test_load_balancer_ip_names_an_address() -> None:
    assert Cluster(DEFAULT, service(load_balancer_ip="192.0.2.8")).settle().has() == "192.0.2.8"


def test_an_address_outside_the_eip_named_beside_it_fails_with_an_event() -> None:
    cluster = Cluster(DEFAULT, BOUND, service(names_pool="bound", names_address="192.0.2.7")).settle()
    assert (cluster.has(), cluster.reason()) == ("", "AddressOutsidePool")
    assert cluster.events == [
        "web AssignIPFailed: 192.0.2.7 lies outside Eip bound, which the Service names too (it lies in Eip "
        "default); name an address and an Eip that belong together, or only one of them"
    ]


def test_an_address_inside_the_eip_named_beside_it_is_given() -> None:
    one = service(names_pool="bound", names_address="198.51.100.7")
    assert Cluster(DEFAULT, BOUND, one).settle().has() == "198.51.100.7"


def test_an_address_in_no_eip_fails() -> None:
    cluster = Cluster(DEFAULT, service(names_address="203.0.113.1")).settle()
    assert (cluster.has(), cluster.reason()) == ("", "AddressOutsidePool")
    assert cluster.message() == (
        "203.0.113.1 lies in no Eip; add it to one, or name an address that an Eip holds"
    )


def test_a_named_eip_that_is_not_there_is_refused_and_never_replaced_by_another() -> None:
    cluster = Cluster(DEFAULT, service(names_pool="missing")).settle()
    assert (cluster.has(), cluster.reason()) == ("", "EipNotFound")
    assert cluster.message() == "there is no Eip missing; create it, or name another"


def test_an_address_where_the_name_of_an_eip_belongs_is_told_its_place() -> None:
    cluster = Cluster(DEFAULT, service(names_pool="198.51.100.3")).settle()
    assert cluster.message() == (
        "there is no Eip 198.51.100.3; an address is asked for in the annotation "
        "eip.openelb.kubesphere.io/v1alpha1"
    )


def test_a_named_eip_that_is_invalid_is_refused_with_where_to_look() -> None:
    cluster = Cluster(DEFAULT, service(names_pool="bad"))
    cluster.invalid[ref(Kind.EIP, "bad")] = InvalidResource(ref(Kind.EIP, "bad"), ())
    assert cluster.settle().message() == "Eip bad is not valid; correct what its condition Valid says"


def test_a_named_eip_that_is_full_is_refused_though_others_have_addresses() -> None:
    cluster = Cluster(DEFAULT, eip("tiny", "203.0.113.1"), service("a", names_pool="tiny")).settle()
    cluster.put(service("b", names_pool="tiny", created=1.0))
    assert (cluster.settle().has("b"), cluster.reason("b")) == ("", "PoolFull")
    assert cluster.message("b") == "Eip tiny has no free IPv4 address; add some to its spec.address"


def test_a_named_eip_that_is_disabled_is_refused() -> None:
    cluster = Cluster(eip("off", "203.0.113.0/24", disabled=True), service(names_pool="off")).settle()
    assert (cluster.has(), cluster.reason()) == ("", "EipDisabled")


def test_a_named_address_of_a_disabled_eip_is_refused() -> None:
    off = eip("off", "203.0.113.0/24", disabled=True)
    assert Cluster(off, service(names_address="203.0.113.4")).settle().reason() == "EipDisabled"


def test_what_is_not_an_address_is_refused_with_an_example() -> None:
    cluster = Cluster(DEFAULT, service(names_address="300.1.1.1")).settle()
    assert (cluster.has(), cluster.reason()) == ("", "BadRequest")
    assert cluster.message() == (
        "'300.1.1.1' in eip.openelb.kubesphere.io/v1alpha1 is not an IP address; write one such as "
        "192.0.2.1, or name an Eip in the annotation eip.openelb.kubesphere.io/v1alpha2"
    )


def test_a_named_address_of_a_family_that_the_service_lacks_is_refused() -> None:
    six = eip("six", "2001:db8::/64")
    cluster = Cluster(DEFAULT, six, service(names_address="2001:db8::1", ip_families=(V4,))).settle()
    assert (cluster.has(), cluster.reason()) == ("", "WrongFamily")
    assert cluster.message() == (
        "2001:db8::1 is IPv6, which the Service does not have; add IPv6 to its spec.ipFamilies"
    )


def test_a_named_eip_without_the_family_is_refused() -> None:
    six = eip("six", "2001:db8::/64")
    cluster = Cluster(DEFAULT, six, service(names_pool="six")).settle()
    assert (cluster.has(), cluster.reason()) == ("", "WrongFamily")


def test_what_a_service_names_it_gets_again_after_delete_and_re_create() -> None:
    named = service(names_address="192.0.2.0", created=5.0)
    cluster = Cluster(DEFAULT, named, service("other", created=1.0)).settle()
    del cluster.services[named.key]
    assert cluster.settle().has("other") == "192.0.2.1"
    cluster.put(named)
    assert cluster.settle().has() == "192.0.2.0"


# Rule 2: the pools bound to the namespace.


def test_a_pool_bound_by_name_is_preferred_to_the_default() -> None:
    assert Cluster(DEFAULT, BOUND, service()).settle().has() == "198.51.100.0"


def test_a_pool_bound_by_selector_serves_namespaces_with_its_labels() -> None:
    pool = eip("gold", "203.0.113.0/24", namespace_selector={"tier": "gold"})
    cluster = Cluster(DEFAULT, pool, namespace("shop", tier="gold"), service()).settle()
    assert cluster.has() == "203.0.113.0"


def test_a_namespace_without_the_labels_is_not_bound() -> None:
    pool = eip("gold", "203.0.113.0/24", namespace_selector={"tier": "gold"})
    cluster = Cluster(DEFAULT, pool, namespace("shop", tier="iron"), service()).settle()
    assert cluster.has() == "192.0.2.0"


def test_pending_is_retried_the_moment_the_namespace_gets_the_labels() -> None:
    pool = eip("gold", "203.0.113.0/24", namespace_selector={"tier": "gold"})
    cluster = Cluster(pool, namespace("shop"), service()).settle()
    cluster.put(namespace("shop", tier="gold"))
    assert cluster.settle().has() == "203.0.113.0"


def test_the_empty_selector_binds_every_namespace_also_one_that_is_only_mentioned() -> None:
    pool = eip("any", "203.0.113.0/24", namespace_selector={})
    assert Cluster(DEFAULT, pool, service()).settle().has() == "203.0.113.0"


def test_the_lower_priority_number_wins_then_the_name() -> None:
    bound = frozenset({"shop"})
    pools = [
        eip("a", "203.0.113.0/32", namespaces=bound, priority=5),
        eip("c", "203.0.113.2/32", namespaces=bound),
        eip("b", "203.0.113.1/32", namespaces=bound),
    ]
    services = [
        service(name, created=float(order)) for order, name in enumerate(("first", "second", "third"))
    ]
    cluster = Cluster(*pools, *services).settle()
    assert [cluster.has(one) for one in ("first", "second", "third")] == [
        "203.0.113.1",
        "203.0.113.2",
        "203.0.113.0",
    ]


def test_a_bound_pool_that_is_disabled_full_or_of_the_other_family_is_passed_over() -> None:
    bound = frozenset({"shop"})
    cluster = Cluster(
        eip("a-off", "203.0.113.0/24", namespaces=bound, disabled=True),
        eip("b-six", "2001:db8::/64", namespaces=bound),
        eip("c-full", "198.51.100.1", namespaces=bound, exclude="198.51.100.1"),
        eip("d-good", "198.51.100.8/29", namespaces=bound),
        service(),
    )
    assert cluster.settle().has() == "198.51.100.8"


def test_a_pool_that_overlaps_another_gives_nothing_new() -> None:
    cluster = Cluster(BOUND, DEFAULT, service(), service("b", names_pool="bound"), blocked=["bound"])
    assert cluster.settle().has() == "192.0.2.0"
    assert cluster.reason("b") == "Overlap"


def test_the_service_selector_keeps_other_services_out_even_if_they_name_the_pool() -> None:
    pool = eip("vip", "203.0.113.0/24", service_selector=LabelSelector((("tier", "gold"),)))
    gold = service("gold", names_pool="vip", labels={"tier": "gold"})
    cluster = Cluster(pool, gold, service(names_pool="vip")).settle()
    assert (cluster.has("gold"), cluster.has(), cluster.reason()) == ("203.0.113.0", "", "SelectorMismatch")


def test_the_service_selector_narrows_a_bound_pool() -> None:
    pool = msgspec.structs.replace(BOUND, service_selector=LabelSelector((("tier", "gold"),)))
    cluster = Cluster(DEFAULT, pool, service(), service("gold", labels={"tier": "gold"})).settle()
    assert (cluster.has(), cluster.has("gold")) == ("192.0.2.0", "198.51.100.0")


@pytest.mark.parametrize("one", [service(names_pool="theirs"), service(names_address="203.0.113.5")])
def test_enforced_namespaces_refuse_who_names_the_pool_or_an_address_of_it(one: Service) -> None:
    pool = eip("theirs", "203.0.113.0/24", namespaces=frozenset({"elsewhere"}), enforce_namespaces=True)
    cluster = Cluster(DEFAULT, pool, one).settle()
    assert (cluster.has(), cluster.reason()) == ("", "NamespaceRefused")
    assert cluster.message() == (
        "Eip theirs serves only the namespaces that it is bound to; add shop to its spec.namespaces, or use "
        "another Eip"
    )


# Rule 3: the default Eip.


def test_the_default_eip_of_the_family_serves_who_names_nothing() -> None:
    cluster = Cluster(
        DEFAULT,
        eip("default-six", "2001:db8::/64", default=True),
        service(),
        service("six", ip_families=(V6,)),
    ).settle()
    assert (cluster.has(), cluster.has("six")) == ("192.0.2.0", "2001:db8::")


def test_of_two_default_eips_of_a_family_the_older_then_the_first_by_name_is_the_only_one() -> None:
    second = eip("another", "198.51.100.1", default=True, priority=-1)
    young = msgspec.structs.replace(second, meta=msgspec.structs.replace(second.meta, created=9.0))
    both = [service("a"), service("b")]
    by_name = Cluster(DEFAULT, second, *both).settle()
    assert (by_name.has("a"), by_name.has("b")) == ("198.51.100.1", "")
    by_age = Cluster(DEFAULT, young, *both).settle()
    assert (by_age.has("a"), by_age.has("b")) == ("192.0.2.0", "192.0.2.1")


def test_the_default_eip_serves_once_the_bound_pools_are_full() -> None:
    bound = eip("bound", "198.51.100.1", namespaces=frozenset({"shop"}))
    cluster = Cluster(DEFAULT, bound, service("a"), service("b")).settle()
    assert (cluster.has("a"), cluster.has("b")) == ("198.51.100.1", "192.0.2.0")


# Rule 4: the protocol annotation.


def test_the_protocol_annotation_finds_the_first_enabled_unbound_pool_of_that_protocol() -> None:
    cluster = Cluster(
        eip("a-bgp", "203.0.113.0/24"),
        eip("b-off", "198.51.100.0/25", protocol=Protocol.LAYER2, disabled=True),
        eip("c-bound", "198.51.100.128/25", protocol=Protocol.LAYER2, namespaces=frozenset({"elsewhere"})),
        eip("d-good", "192.0.2.0/24", protocol=Protocol.LAYER2),
        service(annotations=OURS | {keys.PROTOCOL_ANNOTATION: "layer2"}),
    )
    assert cluster.settle().has() == "192.0.2.0"


def test_without_the_protocol_annotation_an_unbound_pool_serves_nobody() -> None:
    assert Cluster(eip("a", "203.0.113.0/24"), service()).settle().has() == ""


def test_only_pools_of_the_protocol_are_candidates_where_no_eip_is_named() -> None:
    wants_layer2 = service(annotations=OURS | {keys.PROTOCOL_ANNOTATION: "layer2"})
    layer2 = eip("l2", "203.0.113.0/24", protocol=Protocol.LAYER2)
    assert Cluster(DEFAULT, BOUND, layer2, wants_layer2).settle().has() == "203.0.113.0"


def test_a_named_address_of_a_pool_of_another_protocol_is_refused() -> None:
    one = service(names_address="192.0.2.4", annotations=OURS | {keys.PROTOCOL_ANNOTATION: "layer2"})
    cluster = Cluster(DEFAULT, one).settle()
    assert (cluster.has(), cluster.reason()) == ("", "NoPool")


def test_a_named_eip_counts_more_than_the_protocol_annotation() -> None:
    one = service(names_pool="default", annotations=OURS | {keys.PROTOCOL_ANNOTATION: "layer2"})
    assert Cluster(DEFAULT, one).settle().has() == "192.0.2.0"


def test_a_protocol_that_does_not_exist_is_refused() -> None:
    cluster = Cluster(DEFAULT, service(annotations=OURS | {keys.PROTOCOL_ANNOTATION: "ospf"})).settle()
    assert (cluster.has(), cluster.reason()) == ("", "BadRequest")
    assert cluster.message() == (
        "protocol 'ospf' is none of bgp, layer2, vip; correct or remove the annotation "
        "protocol.openelb.kubesphere.io/v1alpha1"
    )


# Rule 5: pending.


def test_without_any_pool_the_service_is_pending_and_told_what_would_help() -> None:
    cluster = Cluster(service()).settle()
    assert (cluster.has(), cluster.reason()) == ("", "NoPool")
    assert cluster.message() == (
        "no IPv4 Eip is bound to namespace shop and none is the default; create one, bind one by "
        'spec.namespaces, annotate one eip.openelb.kubesphere.io/is-default-eip: "true", or name one in the '
        "Service's annotation eip.openelb.kubesphere.io/v1alpha2"
    )
    assert cluster.events == [f"web AssignIPFailed: {cluster.message()}"]


def test_the_refusal_names_every_pool_tried_and_why_it_did_not_do() -> None:
    cluster = Cluster(
        eip("bound", "198.51.100.0/24", namespaces=frozenset({"shop"}), disabled=True),
        eip("default", "192.0.2.1", default=True),
        service("a", created=1.0),
        service(created=2.0),
    ).settle()
    assert (cluster.has("a"), cluster.has(), cluster.reason()) == ("192.0.2.1", "", "PoolFull")
    assert cluster.message() == (
        "Eip bound is disabled; set its spec.disable to false, or use another Eip. "
        "Eip default has no free IPv4 address; add some to its spec.address"
    )


def test_a_refusal_by_many_pools_stays_short() -> None:
    pools = [eip(f"p{i}", f"192.0.2.{i}", namespace_selector={}, disabled=True) for i in range(40)]
    assert Cluster(*pools, service()).settle().message().endswith(". 35 more Eips give nothing either")


def test_pending_is_retried_the_moment_a_pool_appears() -> None:
    cluster = Cluster(service()).settle()
    cluster.put(DEFAULT)
    assert cluster.settle().has() == "192.0.2.0"


def test_pending_is_retried_the_moment_an_address_appears() -> None:
    tiny = eip("tiny", "192.0.2.1", default=True)
    cluster = Cluster(tiny, service("old", created=1.0), service(created=2.0)).settle()
    del cluster.services[service("old").key]
    assert cluster.settle().has() == "192.0.2.1"


def test_a_failure_is_told_once() -> None:
    cluster = Cluster(service()).settle()
    cluster.settle()
    cluster.allocation = None
    cluster.settle()
    assert len(cluster.events) == 1


# Who is served first.


def test_services_are_served_by_creation_then_key() -> None:
    cluster = Cluster(
        DEFAULT,
        service("late", created=9.0),
        service("b", created=5.0),
        service("a", created=5.0),
        service("a", created=5.0, namespace="bazaar"),
    ).settle()
    assert [
        cluster.has("a", namespace="bazaar"),
        cluster.has("a"),
        cluster.has("b"),
        cluster.has("late"),
    ] == [
        "192.0.2.0",
        "192.0.2.1",
        "192.0.2.2",
        "192.0.2.3",
    ]


def test_who_names_an_address_is_served_before_those_whom_any_would_suit() -> None:
    cluster = Cluster(
        DEFAULT, service("a", created=1.0), service("b", created=2.0, names_address="192.0.2.0")
    )
    cluster.settle()
    assert (cluster.has("a"), cluster.has("b")) == ("192.0.2.1", "192.0.2.0")


# Before everything is known.


@pytest.mark.parametrize("missing", [Kind.EIP, Kind.SERVICE, Kind.NAMESPACE, Kind.NODE])
def test_nothing_is_decided_before_everything_needed_has_been_listed(missing: Kind) -> None:
    cluster = Cluster(service(has="192.0.2.1", allocated="192.0.2.1=default"))
    snapshot = msgspec.structs.replace(cluster.snapshot, listed=frozenset(Kind) - {missing})
    allocation = allocate(snapshot, rules=Rules())
    assert (dict(allocation.services), dict(allocation.pools)) == ({}, {})
    assert allocation.waiting is not None
    assert allocation.waiting.reason is Reason.WAITING_FOR_SYNC
    assert allocation.waiting.message == (
        f"not yet listed: {missing}; addresses are given and released once they are"
    )


def test_a_changed_request_is_heard_after_it_was_refused() -> None:
    cluster = Cluster(DEFAULT, service(names_pool="missing")).settle()
    cluster.put(edited(cluster.decision().service, pool=None))
    assert (cluster.settle().has(), cluster.reason()) == ("192.0.2.0", "Allocated")
