"""Which address of a pool is given, and how several addresses are given to one Service."""

from openelb_bgp.ipam import Rules
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import parse_address
from tests.ipam_cluster import DUAL, V4, V6, Cluster, eip, node, service

DEFAULT = eip("default", "192.0.2.0/24", default=True)
BOUND = eip("bound", "198.51.100.0/24", namespaces=frozenset({"shop"}))


# Within a pool.


def test_the_lowest_free_address_is_given() -> None:
    taken = service("a", has="192.0.2.1", allocated="192.0.2.1=default")
    cluster = Cluster(DEFAULT, taken, service("b"), service("c")).settle()
    assert (cluster.has("b"), cluster.has("c")) == ("192.0.2.0", "192.0.2.2")


def test_what_becomes_free_does_not_hide_what_was_free_before() -> None:
    last = service("last", has="192.0.2.3", allocated="192.0.2.3=default")
    cluster = Cluster(eip("default", "192.0.2.0/30", default=True), last).settle()
    del cluster.services[last.key]
    cluster.put(service("a"))
    cluster.settle()
    cluster.put(service("b"))
    assert (cluster.has("a"), cluster.settle().has("b")) == ("192.0.2.0", "192.0.2.1")


def test_the_lowest_address_of_a_list_of_ranges_is_given_whatever_their_order() -> None:
    pool = eip("default", "198.51.100.0/24,192.0.2.8-192.0.2.9", default=True)
    assert Cluster(pool, service()).settle().has() == "192.0.2.8"


def test_an_address_that_a_node_has_is_never_given() -> None:
    nodes = [node("n1", "192.0.2.0", "2001:db8::1"), node("n2", "192.0.2.1")]
    cluster = Cluster(DEFAULT, *nodes, service(), service("b", names_address="192.0.2.1")).settle()
    assert (cluster.has(), cluster.has("b"), cluster.reason("b")) == ("192.0.2.2", "", "AddressOfNode")
    assert cluster.message("b") == "192.0.2.1 is an address of a node; name another"


def test_an_address_of_this_machine_is_never_given() -> None:
    rules = Rules(own_addresses=frozenset({parse_address("192.0.2.0")}))
    assert Cluster(DEFAULT, service(), rules=rules).settle().has() == "192.0.2.1"


def test_excluded_addresses_are_never_given() -> None:
    pool = eip("default", "10.0.0.0/8", default=True, exclude="10.0.0.0/9,10.128.0.0")
    cluster = Cluster(pool, service(), service("b", names_address="10.1.2.3")).settle()
    assert (cluster.has(), cluster.reason("b")) == ("10.128.0.1", "AddressExcluded")
    assert (
        cluster.message("b") == "10.1.2.3 is left out by spec.excludeAddresses of Eip default; name another"
    )


def test_avoided_buggy_addresses_are_never_given() -> None:
    pool = eip("default", "192.0.2.254-192.0.3.1", default=True, avoid_buggy_ips=True)
    cluster = Cluster(pool, service("a"), service("b"), service("c", names_address="192.0.3.0")).settle()
    assert (cluster.has("a"), cluster.has("b")) == ("192.0.2.254", "192.0.3.1")
    assert cluster.message("c") == "192.0.3.0 is left out by spec.avoidBuggyIPs of Eip default; name another"


def test_ipv6_addresses_that_look_buggy_are_given() -> None:
    pool = eip("six", "2001:db8::/64", default=True, avoid_buggy_ips=True)
    assert Cluster(pool, service(ip_families=(V6,))).settle().has() == "2001:db8::"


def test_a_pool_of_a_slash_8_and_one_of_a_slash_64_give_at_once() -> None:
    pools = [eip("a", "10.0.0.0/8", default=True), eip("b", "2001:db8::/64", default=True)]
    assert Cluster(*pools, service(ip_families=DUAL)).settle().has() == "10.0.0.0,2001:db8::"


# Several addresses.


def test_a_dual_stack_service_gets_an_address_of_each_family_in_its_order() -> None:
    pools = [DEFAULT, eip("six", "2001:db8::/64", default=True)]
    cluster = Cluster(*pools, service(ip_families=(V6, V4), ip_family_policy="RequireDualStack"))
    assert cluster.settle().has() == "2001:db8::,192.0.2.0"


def test_the_second_family_is_optional_where_dual_stack_is_only_preferred() -> None:
    cluster = Cluster(DEFAULT, service(ip_families=DUAL, ip_family_policy="PreferDualStack")).settle()
    assert (cluster.has(), cluster.reason()) == ("192.0.2.0", "Allocated")
    assert [event.split(":")[0] for event in cluster.events] == ["web AssignIP"]
    assert cluster.message().startswith("192.0.2.0 from Eip default; no IPv6 Eip is bound to namespace shop")


def test_a_required_second_family_is_reported_and_the_first_served() -> None:
    cluster = Cluster(DEFAULT, service(ip_families=DUAL, ip_family_policy="RequireDualStack")).settle()
    assert (cluster.has(), cluster.reason()) == ("192.0.2.0", "NoPool")
    assert cluster.message().endswith("; has 192.0.2.0 from Eip default")


def test_the_policy_alone_asks_for_both_families_where_none_is_written() -> None:
    pools = [DEFAULT, eip("six", "2001:db8::/64", default=True)]
    cluster = Cluster(*pools, service(ip_family_policy="PreferDualStack")).settle()
    assert cluster.has() == "192.0.2.0,2001:db8::"


def test_one_family_written_under_prefer_dual_stack_is_a_cluster_of_one_family() -> None:
    pools = [DEFAULT, eip("six", "2001:db8::/64", default=True)]
    one = service(ip_families=(V4,), ip_family_policy="PreferDualStack")
    assert Cluster(*pools, one).settle().has() == "192.0.2.0"


def test_a_list_of_pools_gives_an_address_from_each() -> None:
    cluster = Cluster(DEFAULT, BOUND, service(names_pool="bound, default")).settle()
    assert cluster.has() == "198.51.100.0,192.0.2.0"
    written = cluster.services[cluster.decision().service.key].meta
    assert written.labels[keys.EIP_LABEL] == "bound"
    assert written.annotations[keys.ALLOCATED_ANNOTATION] == "198.51.100.0=bound,192.0.2.0=default"


def test_a_list_of_addresses_gives_each_of_them() -> None:
    one = service(names_address="192.0.2.9,192.0.2.3,2001:db8::5", ip_families=DUAL)
    pools = [DEFAULT, eip("six", "2001:db8::/64")]
    assert Cluster(*pools, one).settle().has() == "192.0.2.9,192.0.2.3,2001:db8::5"


def test_one_pool_of_both_families_gives_one_of_each() -> None:
    both = eip("both", "192.0.2.0/24,2001:db8::/64")
    assert (
        Cluster(both, service(names_pool="both", ip_families=DUAL)).settle().has() == "192.0.2.0,2001:db8::"
    )


def test_two_pools_of_one_family_each_serve_a_dual_stack_service() -> None:
    pools = [eip("four", "192.0.2.0/24"), eip("six", "2001:db8::/64")]
    one = service(names_pool="four,six", ip_families=DUAL, ip_family_policy="RequireDualStack")
    cluster = Cluster(*pools, one).settle()
    assert (cluster.has(), cluster.reason()) == ("192.0.2.0,2001:db8::", "Allocated")


def test_a_named_address_of_one_family_leaves_the_other_to_the_pools() -> None:
    pools = [DEFAULT, eip("six", "2001:db8::/64", default=True)]
    one = service(names_address="192.0.2.9", ip_families=DUAL)
    assert Cluster(*pools, one).settle().has() == "192.0.2.9,2001:db8::"


def test_what_can_be_had_of_a_list_is_given_and_the_rest_reported() -> None:
    cluster = Cluster(DEFAULT, service(names_pool="default,missing")).settle()
    assert (cluster.has(), cluster.reason()) == ("192.0.2.0", "EipNotFound")


def test_a_label_value_that_would_be_too_long_is_left_out() -> None:
    name = "a" * 64
    cluster = Cluster(eip(name, "192.0.2.0/24", default=True), service()).settle()
    written = cluster.services[cluster.decision().service.key].meta
    assert keys.EIP_LABEL not in written.labels
    assert written.annotations[keys.ALLOCATED_ANNOTATION] == f"192.0.2.0={name}"
