"""Rule 0: a live address stays, whoever gave it, until its Service itself asks for another."""

import msgspec
import pytest

from openelb_bgp.decode.pool_text import ranges as parse_ranges
from openelb_bgp.model import keys
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.services import Ingress, Service
from tests.ipam_cluster import DUAL, OURS, V4, V6, Cluster, edited, eip, node, service

A = eip("a", "192.0.2.0/24", default=True)
B = eip("b", "198.51.100.0/24")


def readdressed(pool: Eip, address: str) -> Eip:
    """The pool after an edit of its spec.address."""
    return msgspec.structs.replace(pool, ranges=parse_ranges(address))


def current(cluster: Cluster, name: str = "web") -> Service:
    """The Service as it stands."""
    return cluster.services[service(name).key]


def allocated(cluster: Cluster, name: str = "web") -> str | None:
    """Its annotation."""
    return current(cluster, name).meta.annotations.get(keys.ALLOCATED_ANNOTATION)


# Kept, whoever gave it.


def test_an_address_that_lies_in_a_pool_is_kept_whoever_gave_it() -> None:
    cluster = Cluster(A, service(has="192.0.2.77")).settle()
    assert (cluster.has(), allocated(cluster), cluster.events) == ("192.0.2.77", "192.0.2.77=a", [])


def test_all_live_addresses_are_reserved_before_a_new_one_is_given() -> None:
    old = service("z", has="192.0.2.0", created=9.0)
    cluster = Cluster(A, service("new", created=1.0), old).settle()
    assert (cluster.has("new"), cluster.has("z")) == ("192.0.2.1", "192.0.2.0")


def test_a_pool_that_is_disabled_keeps_what_it_gave() -> None:
    cluster = Cluster(A, service()).settle()
    cluster.put(msgspec.structs.replace(A, disabled=True))
    assert (cluster.settle().has(), cluster.reason()) == ("192.0.2.0", "Allocated")


def test_a_pool_that_overlaps_another_keeps_what_it_gave() -> None:
    cluster = Cluster(A, service()).settle()
    cluster.put(eip("0", "192.0.2.0/25"))
    cluster.blocked = frozenset({"a"})
    cluster.settle()
    assert (cluster.has(), allocated(cluster)) == ("192.0.2.0", "192.0.2.0=a")


@pytest.mark.parametrize(
    "edit",
    [
        {"excluded": parse_ranges("192.0.2.0/28")},
        {"avoid_buggy_ips": True},
        {"enforce_namespaces": True, "namespaces": frozenset({"elsewhere"})},
        {"priority": 99},
    ],
)
def test_an_edit_of_the_pool_moves_nothing(edit: dict[str, object]) -> None:
    cluster = Cluster(
        A, eip("spare", "203.0.113.0/24", namespace_selector={}, priority=50), service(names_pool="a")
    )
    cluster.settle()
    cluster.put(msgspec.structs.replace(A, **edit))
    assert cluster.settle().has() == "192.0.2.0"


def test_an_address_left_outside_by_an_edit_stays_its_pools() -> None:
    cluster = Cluster(A, service()).settle()
    cluster.put(readdressed(A, "203.0.113.0/24"))
    cluster.settle()
    assert (cluster.has(), allocated(cluster)) == ("192.0.2.0", "192.0.2.0=a")
    assert cluster.decision().addresses[0].reason is Reason.ADDRESSES_OUTSIDE
    assert cluster.message() == "192.0.2.0 from Eip a, which no longer holds it"


def test_an_address_left_outside_is_not_given_by_another_pool_that_covers_it_now() -> None:
    cluster = Cluster(A, service()).settle()
    cluster.put(readdressed(A, "203.0.113.0/24"))
    cluster.put(eip("c", "192.0.2.0/24"))
    cluster.put(service("new", names_pool="c"))
    cluster.settle()
    assert (cluster.has("new"), allocated(cluster)) == ("192.0.2.1", "192.0.2.0=a")


def test_an_address_that_a_node_was_given_later_stays_where_it_was() -> None:
    cluster = Cluster(A, service()).settle()
    cluster.put(node("n1", "192.0.2.0"))
    assert cluster.settle().has() == "192.0.2.0"


# The pool is gone.


def test_services_of_a_deleted_eip_keep_their_address_with_reason_pool_gone() -> None:
    cluster = Cluster(A, service()).settle()
    del cluster.eips["a"]
    cluster.settle()
    assert (cluster.has(), allocated(cluster)) == ("192.0.2.0", "192.0.2.0=a")
    assert cluster.decision().addresses[0].reason is Reason.POOL_GONE
    assert cluster.message() == ("192.0.2.0 from Eip a, which is gone; create it again, or name another Eip")


def test_nothing_else_gets_an_address_whose_pool_was_gone_for_a_while() -> None:
    cluster = Cluster(A, service()).settle()
    del cluster.eips["a"]
    cluster.settle()
    cluster.put(A)
    cluster.put(service("earlier", created=-1.0))
    cluster.settle()
    assert (cluster.has(), cluster.has("earlier"), cluster.reason()) == (
        "192.0.2.0",
        "192.0.2.1",
        "Allocated",
    )


def test_an_address_whose_pool_is_gone_belongs_to_the_pool_that_covers_it_next() -> None:
    cluster = Cluster(A, service()).settle()
    del cluster.eips["a"]
    cluster.put(eip("new", "192.0.2.0/25"))
    cluster.settle()
    assert (cluster.has(), allocated(cluster)) == ("192.0.2.0", "192.0.2.0=new")


def test_a_service_that_names_a_pool_does_not_move_when_that_is_created_again_elsewhere() -> None:
    cluster = Cluster(A, service(names_pool="a")).settle()
    del cluster.eips["a"]
    cluster.put(eip("other", "192.0.2.0/24"))
    cluster.settle()
    assert cluster.decision().addresses[0].pool == "other"
    cluster.put(readdressed(A, "203.0.113.0/24"))
    assert cluster.settle().has() == "192.0.2.0"


def test_a_service_of_a_deleted_eip_may_ask_for_another() -> None:
    cluster = Cluster(A, B, service()).settle()
    del cluster.eips["a"]
    cluster.put(edited(current(cluster.settle()), pool="b"))
    assert cluster.settle().has() == "198.51.100.0"


# The Service itself asks for another.


def test_an_address_moves_when_its_service_names_another_eip() -> None:
    cluster = Cluster(A, B, service()).settle()
    cluster.put(edited(current(cluster), pool="b"))
    cluster.events.clear()
    cluster.settle()
    assert (cluster.has(), allocated(cluster)) == ("198.51.100.0", "198.51.100.0=b")
    assert cluster.events == [
        "web AssignIP: 198.51.100.0 from Eip b",
        "web ReleaseIP: 192.0.2.0: the Service asks for another",
    ]


def test_release_and_assignment_are_one_write() -> None:
    cluster = Cluster(A, B, service()).settle()
    cluster.put(edited(current(cluster), pool="b"))
    assert cluster.cycle() == 1
    assert cluster.has() == "198.51.100.0"


def test_an_address_moves_when_its_service_names_another_address() -> None:
    cluster = Cluster(A, service()).settle()
    cluster.put(edited(current(cluster), address="192.0.2.50"))
    assert cluster.settle().has() == "192.0.2.50"


def test_naming_the_pool_or_the_address_that_it_has_moves_nothing() -> None:
    cluster = Cluster(A, B, service(has="192.0.2.9")).settle()
    cluster.put(edited(current(cluster), pool="a", address="192.0.2.9"))
    cluster.settle()
    assert (cluster.has(), cluster.reason()) == ("192.0.2.9", "Allocated")


def test_naming_nothing_any_more_moves_nothing() -> None:
    cluster = Cluster(A, B, service(names_pool="b")).settle()
    cluster.put(edited(current(cluster), pool=None))
    assert cluster.settle().has() == "198.51.100.0"


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        ({"pool": "full"}, "PoolFull"),
        ({"pool": "missing"}, "EipNotFound"),
        ({"address": "203.0.113.200"}, "AddressOutsidePool"),
        ({"address": "192.0.2.5"}, "SharingRefused"),
        ({"address": "nonsense"}, "BadRequest"),
        ({"pool": "full", "address": "nonsense"}, "BadRequest"),
        ({"address": "2001:db8::1"}, "WrongFamily"),
    ],
)
def test_what_it_has_stays_while_what_it_asks_for_cannot_be_had(ask: dict[str, str], reason: str) -> None:
    full = eip("full", "203.0.113.1", exclude="203.0.113.1")
    cluster = Cluster(A, full, service(), service("b", has="192.0.2.5", allocated="192.0.2.5=a")).settle()
    cluster.put(edited(current(cluster), **ask))
    cluster.settle()
    assert (cluster.has(), cluster.reason()) == ("192.0.2.0", reason)
    assert cluster.message().endswith("; has 192.0.2.0 from Eip a")


def test_a_pool_that_left_the_list_gives_its_address_back_and_the_others_stay() -> None:
    cluster = Cluster(A, B, service(names_pool="a,b")).settle()
    cluster.put(edited(current(cluster), pool="b"))
    assert cluster.settle().has() == "198.51.100.0"


def test_a_second_family_is_added_beside_the_first() -> None:
    cluster = Cluster(A, eip("six", "2001:db8::/64", default=True), service(ip_families=(V4,))).settle()
    cluster.put(msgspec.structs.replace(current(cluster), ip_families=DUAL))
    assert cluster.settle().has() == "192.0.2.0,2001:db8::"


def test_a_family_that_the_service_gave_up_is_released() -> None:
    cluster = Cluster(A, eip("six", "2001:db8::/64", default=True), service(ip_families=DUAL)).settle()
    cluster.put(msgspec.structs.replace(current(cluster), ip_families=(V6,)))
    assert cluster.settle().has() == "2001:db8::"


def test_an_address_that_leaves_one_service_is_free_only_once_its_status_says_so() -> None:
    tiny = eip("tiny", "192.0.2.1", default=True)
    cluster = Cluster(tiny, B, service(), service("waits", created=1.0)).settle()
    cluster.put(edited(current(cluster), pool="b"))
    cluster.cycle()
    assert (cluster.has(), cluster.has("waits")) == ("198.51.100.0", "")
    cluster.cycle()
    assert cluster.has("waits") == "192.0.2.1"


# Not ours any more.


def test_a_service_that_is_no_longer_ours_gives_its_address_back() -> None:
    cluster = Cluster(A, service()).settle()
    cluster.put(edited(current(cluster), managed=None))
    cluster.events.clear()
    cluster.settle()
    assert (cluster.has(), allocated(cluster)) == ("", None)
    assert current(cluster).meta.labels == {}
    assert current(cluster).conditions == ()
    assert cluster.events == [
        "web ReleaseIP: 192.0.2.0 goes back to Eip a: it no longer asks for one of ours"
    ]
    assert cluster.allocate().services == {}


def test_a_service_that_became_another_type_gives_its_address_back() -> None:
    cluster = Cluster(A, service()).settle()
    cluster.put(msgspec.structs.replace(current(cluster), type="ClusterIP"))
    assert cluster.settle().has() == ""


def test_only_our_addresses_leave_a_service_that_is_no_longer_ours() -> None:
    one = service(annotations={}, has="203.0.113.9,192.0.2.1,192.0.2.2", allocated="192.0.2.1=a")
    assert Cluster(A, one).settle().has() == "203.0.113.9,192.0.2.2"


def test_a_label_of_openelb_alone_releases_nothing() -> None:
    claimed_by_its_default = service(annotations={}, has="192.0.2.1", label="a")
    cluster = Cluster(A, claimed_by_its_default).settle()
    assert (cluster.has(), cluster.allocate().services) == ("192.0.2.1", {})


def test_a_service_that_is_being_deleted_is_released() -> None:
    one = service(has="192.0.2.1", deleting=True, finalizers=("example.com/other",))
    cluster = Cluster(A, one).settle()
    assert cluster.has() == ""
    assert cluster.events == ["web ReleaseIP: 192.0.2.1 goes back to Eip a: it is being deleted"]


@pytest.mark.parametrize("annotations", [OURS, {}])
def test_finalizers_of_openelb_are_removed_where_we_meet_them(annotations: dict[str, str]) -> None:
    finalizers = ("finalizer.lb.kubesphere.io/v1alpha1", "example.com/theirs")
    one = service(annotations=annotations, finalizers=finalizers, type="LoadBalancer")
    assert current(Cluster(A, one).settle()).meta.finalizers == ("example.com/theirs",)


def test_finalizers_are_removed_from_a_service_that_is_being_deleted() -> None:
    one = service(finalizers=tuple(sorted(keys.FINALIZERS_OF_OPENELB)), deleting=True)
    assert current(Cluster(A, one).settle()).meta.finalizers == ()


# Addresses that are not ours.


def test_a_foreign_address_is_reported_and_never_overwritten() -> None:
    cluster = Cluster(A, service(has="203.0.113.9")).settle()
    assert cluster.has() == "203.0.113.9,192.0.2.0"
    assert [one.split(":")[0] for one in cluster.events] == ["web AssignIP", "web ForeignAddress"]
    assert cluster.message() == (
        "192.0.2.0 from Eip a; 203.0.113.9 in its status is not ours and stays; stop the other load balancer "
        "if it should go"
    )


def test_a_foreign_hostname_stays_too() -> None:
    one = msgspec.structs.replace(service(), ingress=(Ingress(None, "lb.example.com"),))
    assert Cluster(A, one).settle().has() == "lb.example.com,192.0.2.0"


def test_an_address_of_a_node_in_a_status_is_not_ours_though_a_pool_covers_it() -> None:
    cluster = Cluster(A, node("n1", "192.0.2.10"), service(has="192.0.2.10")).settle()
    assert (cluster.has(), allocated(cluster)) == ("192.0.2.10,192.0.2.0", "192.0.2.0=a")


def test_an_address_that_somebody_took_out_of_the_status_comes_back() -> None:
    cluster = Cluster(A, service("x"), service("y", created=1.0)).settle()
    overwritten = (Ingress(None, "klipper.example.com"),)
    cluster.put(msgspec.structs.replace(current(cluster, "y"), ingress=overwritten))
    del cluster.services[service("x").key]
    assert cluster.settle().has("y") == "klipper.example.com,192.0.2.1"


def test_an_address_in_the_status_of_a_service_that_is_not_ours_is_given_to_nobody() -> None:
    theirs = service("theirs", annotations={}, has="192.0.2.0", load_balancer_class="example.com/lb")
    cluster = Cluster(A, theirs, service(), service("b", names_address="192.0.2.0")).settle()
    assert (cluster.has(), cluster.reason("b")) == ("192.0.2.1", "AddressInUse")
    assert cluster.message("b") == (
        "192.0.2.0 is in the status of Service shop/theirs; it can be had once it has left that"
    )


# Two that must not share hold one address.


def test_of_two_that_may_not_share_the_earlier_keeps_the_address_and_both_are_told() -> None:
    first = service("first", has="192.0.2.5", allocated="192.0.2.5=a", created=1.0)
    second = service("second", has="192.0.2.5", allocated="192.0.2.5=a", created=2.0)
    cluster = Cluster(A, first, second).settle()
    assert (cluster.has("first"), cluster.has("second")) == ("192.0.2.5", "192.0.2.0")
    assert sorted(cluster.events) == [
        "first AssignIP: 192.0.2.5 was in the status of Service shop/second too; it stays here, the older "
        "one",
        "second AssignIP: 192.0.2.0 from Eip a",
        "second ReleaseIP: 192.0.2.5 stays with Service shop/first, which had it first, and cannot be "
        "shared: both listen on TCP port 80; give one of them another port or address",
    ]


def test_of_two_of_the_same_age_the_first_by_key_keeps_the_address() -> None:
    twins = [service(name, has="192.0.2.5", allocated="192.0.2.5=a") for name in ("b", "a")]
    cluster = Cluster(A, *twins).settle()
    assert (cluster.has("a"), cluster.has("b")) == ("192.0.2.5", "192.0.2.0")


def test_the_loser_that_names_the_address_is_refused_it() -> None:
    first = service("first", has="192.0.2.5", allocated="192.0.2.5=a", created=1.0)
    second = service(
        "second", has="192.0.2.5", allocated="192.0.2.5=a", names_address="192.0.2.5", created=2.0
    )
    cluster = Cluster(A, first, second).settle()
    assert (cluster.has("second"), cluster.reason("second")) == ("", "SharingRefused")


# Taking over.

SHARERS = [service(name, has="192.0.2.1", label="a", created=age) for name, age in (("x", 1.0), ("y", 2.0))]


def test_at_a_take_over_the_label_tells_the_pool() -> None:
    overlapping = eip("z", "192.0.2.0/25")
    cluster = Cluster(A, overlapping, service(has="192.0.2.1", label="z"), blocked=["z"]).settle()
    assert allocated(cluster) == "192.0.2.1=z"


def test_at_a_take_over_an_address_whose_pool_is_gone_is_known_by_the_label() -> None:
    cluster = Cluster(A, service(has="203.0.113.4", label="old")).settle()
    assert (cluster.has(), allocated(cluster)) == ("203.0.113.4", "203.0.113.4=old")
    assert cluster.decision().addresses[0].reason is Reason.POOL_GONE


def test_at_a_take_over_membership_tells_the_pool_where_no_label_does() -> None:
    cluster = Cluster(A, B, service(has="198.51.100.4")).settle()
    assert allocated(cluster) == "198.51.100.4=b"


def test_a_take_over_emits_no_event_and_moves_nothing() -> None:
    cluster = Cluster(A, *(service(f"s{i}", has=f"192.0.2.{i}", label="a") for i in range(9))).settle()
    assert cluster.events == []
    assert [cluster.has(f"s{i}") for i in range(9)] == [f"192.0.2.{i}" for i in range(9)]


def test_sharers_found_at_a_take_over_stay_sharers_whatever_their_ports() -> None:
    cluster = Cluster(A, *SHARERS).settle()
    assert (cluster.has("x"), cluster.has("y"), cluster.events) == ("192.0.2.1", "192.0.2.1", [])
    cluster.allocation = None
    cluster.settle()
    assert (cluster.has("x"), cluster.has("y"), cluster.events) == ("192.0.2.1", "192.0.2.1", [])


def test_sharers_of_a_take_over_that_was_cut_short_stay_sharers() -> None:
    cluster = Cluster(A, *SHARERS)
    written = cluster.decision("x").written()
    cluster.put(written)
    cluster.settle()
    assert (cluster.has("x"), cluster.has("y")) == ("192.0.2.1", "192.0.2.1")


def test_the_mark_of_shared_take_over_goes_with_the_last_other_sharer() -> None:
    cluster = Cluster(A, *SHARERS).settle()
    assert current(cluster, "x").meta.annotations[keys.SHARED_AT_TAKEOVER_ANNOTATION] == "192.0.2.1"
    del cluster.services[service("y").key]
    cluster.settle()
    assert keys.SHARED_AT_TAKEOVER_ANNOTATION not in current(cluster, "x").meta.annotations


# Restarts.


def test_a_restart_writes_nothing_and_emits_nothing() -> None:
    cluster = Cluster(
        A, service(), service("b", names_pool="missing"), service("c", has="203.0.113.1")
    ).settle()
    cluster.events.clear()
    cluster.allocation = None
    assert cluster.cycle() == 0
    assert cluster.events == []


def test_a_condition_that_says_the_same_at_another_time_is_not_written_again() -> None:
    cluster = Cluster(A, service()).settle()
    one = current(cluster)
    timed = msgspec.structs.replace(one.conditions[0], last_transition_time="2026-01-01T00:00:00Z")
    theirs = Condition(type="example.com/Other", status="True", reason="Fine")
    cluster.put(msgspec.structs.replace(one, conditions=(theirs, timed)))
    assert not cluster.decision().changed


def test_ingress_entries_stay_as_they_stood() -> None:
    one = service(has="192.0.2.1")
    entry = msgspec.structs.replace(one.ingress[0], ip_mode="Proxy")
    cluster = Cluster(A, msgspec.structs.replace(one, ingress=(entry,))).settle()
    assert current(cluster).ingress == (entry,)


def test_a_hand_edited_annotation_is_put_right() -> None:
    cluster = Cluster(A, service(has="192.0.2.1", allocated="garbage,192.0.2.1=a,=b")).settle()
    assert allocated(cluster) == "192.0.2.1=a"
