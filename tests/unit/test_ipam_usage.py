"""What Eip.status says of a pool, and which objects stay the same from one allocation to the next."""

import msgspec

from openelb_bgp.ipam import PoolUse
from tests.ipam_cluster import V6, Cluster, eip, node, service


def use(cluster: Cluster, name: str = "a") -> PoolUse:
    return cluster.settle().allocate().pools[name]


def test_usage_counts_addresses_and_used_names_the_sharers() -> None:
    cluster = Cluster(
        eip("a", "192.0.2.0/24", default=True),
        service("dns", names_address="192.0.2.5", ports="UDP/53"),
        service("web", names_address="192.0.2.5"),
        service("other"),
    )
    pool = use(cluster)
    assert pool.used == {"192.0.2.0": "shop/other", "192.0.2.5": "shop/dns;shop/web"}
    assert (pool.usage, pool.pool_size, pool.free, pool.occupied) == (2, 256, 254, False)
    assert (pool.first_ip, pool.last_ip, pool.v4) == ("192.0.2.0", "192.0.2.255", True)


def test_a_pool_with_nothing_left_is_occupied() -> None:
    pool = use(Cluster(eip("a", "192.0.2.1-192.0.2.2", default=True), service("x"), service("y")))
    assert (pool.usage, pool.free, pool.occupied) == (2, 0, True)


def test_excluded_addresses_count_in_the_size_but_are_not_free() -> None:
    pool = use(Cluster(eip("a", "192.0.2.0/29", exclude="192.0.2.4/30", default=True), service()))
    assert (pool.pool_size, pool.usage, pool.free) == (8, 1, 3)


def test_avoided_addresses_and_those_of_nodes_are_not_free() -> None:
    pool = use(Cluster(eip("a", "192.0.2.252-192.0.3.3", avoid_buggy_ips=True), node("n", "192.0.2.253")))
    assert (pool.pool_size, pool.free) == (8, 5)


def test_an_address_that_was_kept_though_excluded_takes_nothing_of_what_is_free() -> None:
    cluster = Cluster(eip("a", "192.0.2.0/29", exclude="192.0.2.4/30"), service(has="192.0.2.7"))
    assert (use(cluster).usage, use(cluster).free) == (1, 4)


def test_the_size_saturates_and_free_does_not() -> None:
    pool = use(Cluster(eip("a", "2001:db8::/64", default=True), service(ip_families=(V6,))))
    assert (pool.pool_size, pool.free, pool.v4) == (2**63 - 1, 2**64 - 1, False)
    assert (pool.first_ip, pool.last_ip) == ("2001:db8::", "2001:db8::ffff:ffff:ffff:ffff")


def test_at_most_a_thousand_addresses_are_listed_the_lowest_first() -> None:
    cluster = Cluster(eip("a", "10.0.0.0/8", default=True), *(service(f"s{i:04}") for i in range(1100)))
    pool = use(cluster)
    assert (pool.usage, len(pool.used)) == (1100, 1000)
    assert list(pool.used)[:2] == ["10.0.0.0", "10.0.0.1"]
    assert list(pool.used)[-1] == "10.0.3.231"


def test_an_address_left_outside_counts_for_the_pool_that_gave_it() -> None:
    one = service(has="198.51.100.1", allocated="198.51.100.1=a")
    cluster = Cluster(eip("a", "192.0.2.0/24"), eip("b", "198.51.100.0/24"), one)
    assert use(cluster).used == {"198.51.100.1": "shop/web"}
    assert (use(cluster, "b").usage, use(cluster, "b").free) == (0, 255)


def test_an_address_whose_pool_is_gone_counts_for_none() -> None:
    cluster = Cluster(eip("a", "192.0.2.0/24"), service(has="198.51.100.1", allocated="198.51.100.1=gone"))
    assert use(cluster).usage == 0


def test_a_pool_and_a_decision_that_did_not_change_are_the_same_objects() -> None:
    cluster = Cluster(eip("a", "192.0.2.0/24", default=True), eip("b", "198.51.100.0/24"), service()).settle()
    before = cluster.allocate()
    cluster.put(service("new", names_pool="b"))
    after = cluster.allocate()
    assert after.pools["a"] is before.pools["a"]
    assert after.pools["b"] is not before.pools["b"]
    assert after.services[service().key] is before.services[service().key]


def test_a_status_written_to_a_pool_or_a_node_changes_no_decision() -> None:
    pool = eip("a", "192.0.2.0/24", default=True)
    cluster = Cluster(pool, node("n", "203.0.113.1"), service()).settle()
    before = cluster.allocate()
    cluster.put(msgspec.structs.replace(pool, meta=msgspec.structs.replace(pool.meta, resource_version="7")))
    cluster.put(msgspec.structs.replace(cluster.nodes["n"], ready=False))
    after = cluster.allocate()
    assert after.services[service().key] is before.services[service().key]
    assert after.pools["a"] is before.pools["a"]


def test_sharers_are_named_in_one_order_however_they_came() -> None:
    cluster = Cluster(eip("a", "192.0.2.0/24"))
    for port, name in enumerate("cab", start=1):
        cluster.put(service(name, names_address="192.0.2.5", ports=f"TCP/{port}"))
        cluster.settle()
    assert use(cluster).used == {"192.0.2.5": "shop/a;shop/b;shop/c"}
