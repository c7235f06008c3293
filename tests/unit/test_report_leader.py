"""The leading controller's report, told as stories of a small cluster whose writes come back."""

from ipaddress import ip_address
from typing import Any

import msgspec
import pytest

from openelb_bgp.decode.pool_text import ranges as parse_ranges
from openelb_bgp.model import keys
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import Key, Kind, Meta, ref
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.services import Ingress
from openelb_bgp.model.statuses import (
    InterfaceStatus,
    Layer2Status,
    LoadBalancerIngress,
    LoadBalancerStatus,
    OwnedAddress,
    PoolStatus,
    Problem,
    ServiceStatus,
)
from openelb_bgp.ports import StatusWrite
from openelb_bgp.report.foreseen import Foresight, answered, foreseen
from openelb_bgp.report.ledger import resumed
from tests.unit.report_cluster import NOW, OURS, WEB, Cluster, condition, service, sessions, slices, speaker


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def service_writes(writes: tuple[StatusWrite, ...]) -> list[StatusWrite]:
    return [write for write in writes if write.ref.kind is Kind.SERVICE]


def test_a_new_service_gets_its_address_first_and_is_announced_when_speakers_say_so(cluster: Cluster) -> None:
    first = cluster.decide()
    assert service_writes(first) == [
        StatusWrite(
            ref=ref(Kind.SERVICE, "web", namespace="shop"),
            status=ServiceStatus(
                load_balancer=LoadBalancerStatus(ingress=(LoadBalancerIngress(ip="192.0.2.0"),)),
                conditions=(
                    Condition(
                        type=keys.ALLOCATED_CONDITION,
                        status="True",
                        reason="Allocated",
                        message="192.0.2.0 from Eip west",
                        last_transition_time=NOW,
                    ),
                    Condition(
                        type=keys.ANNOUNCED_CONDITION,
                        status="False",
                        reason="WaitingForSync",
                        message="the speakers have not applied it yet; this lasts a moment",
                        last_transition_time=NOW,
                    ),
                ),
            ),
            labels={keys.EIP_LABEL: "west"},
            annotations={
                keys.ALLOCATED_ANNOTATION: "192.0.2.0=west",
                keys.SHARED_AT_TAKEOVER_ANNOTATION: None,
            },
            based_on="5",
            urgent=True,
        )
    ]
    cluster.deliver(first)
    assert service_writes(cluster.decide()) == []
    cluster.applied("n1")
    cluster.deliver(cluster.decide())
    assert cluster.announced() == ("True", "Announced", "announced by n1, n2")
    assert cluster.events == [
        ("AssignIP", "192.0.2.0 from Eip west"),
        ("ConfigSpeaker", "announced by n1, n2"),
        ("SetBalancer", "announced by n1, n2"),
    ]


def test_a_service_that_cannot_be_announced_from_the_start_says_why_once(cluster: Cluster) -> None:
    cluster.set("slices", WEB, None)
    cluster.settle()
    cluster.settle()
    told = [reason for reason, _ in cluster.events if reason not in ("ConfigSpeaker", "ConfigSpeakerFailed")]
    assert told == ["AssignIP", "NoEndpoints"]


def test_nothing_is_written_twice_while_the_source_has_not_answered(cluster: Cluster) -> None:
    cluster.decide()
    assert cluster.decide() == ()
    cluster.set("services", WEB, service(health_check_node_port=1))
    assert service_writes(cluster.decide()) == []
    assert [reason for reason, _ in cluster.events] == ["AssignIP", "ConfigSpeaker"]


def test_a_status_that_somebody_else_changed_is_put_right_without_an_event(cluster: Cluster) -> None:
    cluster.settle()
    told = list(cluster.events)
    spoilt = msgspec.structs.replace(cluster.web.meta, resource_version="99")
    cluster.set("services", WEB, msgspec.structs.replace(cluster.web, meta=spoilt, conditions=()))
    cluster.settle()
    assert cluster.announced()[0] == "True"
    assert [event for event in cluster.events[len(told) :] if event[0] != "SetBalancer"] == []


def test_a_settled_cluster_writes_nothing_when_time_passes_or_revisions_move(cluster: Cluster) -> None:
    cluster.settle()
    cluster.revision += 100
    cluster.applied("n1", "n2")
    assert cluster.decide("2027-01-01T00:00:00Z") == ()


def test_a_controller_that_starts_anew_writes_nothing(cluster: Cluster) -> None:
    cluster.settle()
    told = list(cluster.events)
    cluster.ledger = resumed(cluster.ledger.statuses.items())
    cluster.allocation = None
    assert (cluster.decide("2027-01-01T00:00:00Z"), cluster.events) == ((), told)


def test_an_announced_service_stays_so_while_speakers_catch_up_with_an_edit(cluster: Cluster) -> None:
    cluster.settle()
    meta = msgspec.structs.replace(cluster.web.meta, resource_version="99")
    cluster.set("services", WEB, msgspec.structs.replace(cluster.web, meta=meta, health_check_node_port=1))
    assert cluster.decide() == ()


def test_speakers_that_cannot_have_seen_an_address_do_not_count_as_announcing_it(cluster: Cluster) -> None:
    cluster.decide()
    assert cluster.allocation is not None
    foreseen = cluster.allocation.services[WEB].written()
    cluster.set("services", WEB, foreseen)
    cluster.applied("n1", "n2")
    assert service_writes(cluster.decide()) == []


def test_conditions_keep_their_time_until_their_status_changes(cluster: Cluster) -> None:
    cluster.settle()
    cluster.set("slices", WEB, None)
    cluster.settle("2026-01-02T00:00:00Z")
    allocated = condition(cluster.web, keys.ALLOCATED_CONDITION)
    announced = condition(cluster.web, keys.ANNOUNCED_CONDITION)
    assert allocated.last_transition_time == NOW
    assert announced.last_transition_time == "2026-01-02T00:00:00Z"
    assert (announced.status, announced.reason) == ("False", "NoEndpoints")
    assert cluster.events[-1][0] == "DelBalancer"


def test_the_message_names_the_nodes_that_do_not_announce_and_why(cluster: Cluster) -> None:
    cluster.report("n2", sessions=sessions("ACTIVE", "connection refused"))
    cluster.settle()
    assert cluster.announced() == ("True", "Announced", "announced by n1; not by n2 (NoSession)")


def test_a_service_whose_nodes_all_have_no_session_gives_the_last_error(cluster: Cluster) -> None:
    for name in ("n1", "n2"):
        cluster.report(name, sessions=sessions("ACTIVE", "connection refused"))
    cluster.settle()
    assert cluster.announced() == (
        "False",
        "NoSession",
        "n1, n2: no session is established (leaf1: connection refused); see the BgpPeer's status",
    )


def test_a_node_that_nobody_speaks_for_is_not_waited_for(cluster: Cluster) -> None:
    cluster.set("speakers", "n2", None)
    cluster.set("services", WEB, service(local=True))
    cluster.set("slices", WEB, slices("n2"))
    cluster.settle()
    assert cluster.announced() == ("False", "NoSpeaker", "n2: no speaker reports; start one on this node")
    cluster.report("n1", standing_in_for=("n2",))
    cluster.settle()
    assert cluster.announced() == ("True", "Announced", "announced by n2")


def test_a_stand_in_is_waited_for_in_place_of_the_node(cluster: Cluster) -> None:
    cluster.set("speakers", "n2", None)
    cluster.set("services", WEB, service(local=True))
    cluster.set("slices", WEB, slices("n2"))
    cluster.report("n1", standing_in_for=("n2",))
    cluster.deliver(cluster.decide())
    assert cluster.announced()[1] == "WaitingForSync"
    cluster.applied("n1")
    cluster.deliver(cluster.decide())
    assert cluster.announced() == ("True", "Announced", "announced by n2")


def test_a_node_for_which_others_stand_in_counts_as_announcing(cluster: Cluster) -> None:
    cluster.report("n2", sessions=sessions("ACTIVE"))
    cluster.report("n1", standing_in_for=("n2",))
    cluster.settle()
    assert cluster.announced()[2] == "announced by n1, n2"


def test_a_local_service_follows_its_endpoints(cluster: Cluster) -> None:
    cluster.set("services", WEB, service(local=True))
    cluster.set("slices", WEB, slices("n2"))
    cluster.settle()
    first = cluster.announced()
    cluster.set("slices", WEB, slices("n1"))
    cluster.settle()
    assert (first[2], cluster.announced()[2]) == ("announced by n2", "announced by n1")
    assert [reason for reason, _ in cluster.events].count("SetBalancer") == 1


@pytest.mark.parametrize("has_endpoints", [False, True])
def test_a_service_that_is_not_announced_comes_to_rest_though_speakers_lag(
    cluster: Cluster, has_endpoints: bool
) -> None:
    cluster.settle()
    if has_endpoints:
        objection = Problem(object="Service shop/web", reason="NoInterface", message="no such NIC here")
        for name in cluster.snapshot.speakers:
            cluster.report(name, problems=(objection,))
    else:
        cluster.set("slices", WEB, ())
    rounds: list[int] = []
    for _ in range(5):
        # Its own writes are revisions too, which speakers reach only after the controller has seen them.
        cluster.deliver(cluster.decide())
        cluster.deliver(again := cluster.decide())
        cluster.applied(*cluster.snapshot.speakers)
        rounds.append(len(service_writes(again)))
    assert (rounds[-3:], service_writes(cluster.decide()), cluster.announced()[0]) == ([0, 0, 0], [], "False")


def test_what_a_speaker_objects_is_said_at_the_service(cluster: Cluster) -> None:
    objection = Problem(object="Service shop/web", reason="NoInterface", message="no such NIC here")
    cluster.report("n1", problems=(objection,))
    cluster.settle()
    assert cluster.announced()[2] == "announced by n2; not by n1 (NoInterface)"


def test_a_speaker_that_objects_to_a_part_still_announces(cluster: Cluster) -> None:
    objection = Problem(object="Service shop/web", reason="NoAddPath", message="only one next hop")
    cluster.report("n1", problems=(objection,))
    cluster.settle()
    assert cluster.announced()[2] == "announced by n1, n2"


def test_no_eligible_node_is_told_with_every_nodes_reason(cluster: Cluster) -> None:
    cordoned = Meta(name="n1", annotations={keys.DRAIN_ANNOTATION: "true"})
    cluster.set("nodes", "n1", Node(meta=cordoned, network_unavailable=True))
    cluster.set("nodes", "n2", Node(meta=Meta(name="n2", labels={keys.EXCLUDE_LABEL: ""})))
    cluster.settle()
    status, reason, message = cluster.announced()
    assert (status, reason) == ("False", "NoEligibleNode")
    assert "n1: node n1 has the condition NetworkUnavailable" in message
    assert f"n2: node n2 carries the label {keys.EXCLUDE_LABEL}" in message


def test_a_service_keeps_its_address_when_its_pool_goes_and_says_so(cluster: Cluster) -> None:
    cluster.settle()
    pool = cluster.snapshot.eips["west"]
    cluster.set("eips", "west", None)
    cluster.settle()
    assert cluster.web.addresses == (ip_address("192.0.2.0"),)
    assert cluster.announced()[:2] == ("False", "PoolGone")
    cluster.set("eips", "west", pool)
    cluster.settle()
    assert cluster.announced()[0] == "True"


def test_a_pool_under_another_name_is_no_loss_while_speakers_have_not_looked_at_it() -> None:
    asks = Meta(name="web", namespace="shop", annotations={keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE})
    cluster = Cluster(eips={"west": _default("west")}, services={WEB: service(meta=asks)})
    cluster.settle()
    cluster.events.clear()
    cluster.set("eips", "west", None)
    cluster.set("eips", "east", _default("east"))
    cluster.settle()
    assert cluster.announced() == ("True", "Announced", "announced by n1, n2")
    for name in ("n1", "n2"):
        cluster.report(name, pools=(PoolStatus(name="east", ready=True),))
    cluster.settle()
    assert cluster.announced() == ("True", "Announced", "announced by n1, n2")
    assert [reason for reason, _ in cluster.events if reason in ("DelBalancer", "SetBalancer")] == []
    cluster.report("n1", pools=(PoolStatus(name="east", reason="NoInterface"),))
    cluster.report("n2", pools=())
    cluster.settle()
    assert cluster.announced()[0] == "False"


def _default(name: str) -> Eip:
    meta = Meta(name=name, annotations={keys.DEFAULT_EIP_ANNOTATION: "true"})
    return Eip(meta=meta, ranges=parse_ranges("192.0.2.0/29"))


def on_the_lan() -> Cluster:
    lan = Eip(meta=Meta(name="west"), ranges=parse_ranges("192.0.2.0/29"), protocol=Protocol.LAYER2)
    cluster = Cluster(eips={"west": lan})
    cluster.settle()
    return cluster


def owning(mac: str) -> dict[str, Any]:
    nic = InterfaceStatus(name="eth0", mac=mac, subnets=("192.0.2.0/24",), up=True)
    owned = OwnedAddress(address="192.0.2.0", interface="eth0")
    return {"layer2": Layer2Status(owned=(owned,)), "interfaces": (nic,)}


def test_a_layer2_service_names_its_node_and_mac() -> None:
    cluster = on_the_lan()
    before = cluster.announced()
    cluster.report("n2", **owning("02:00:00:00:00:01"))
    cluster.settle()
    assert before[:2] == ("False", "WaitingForSync")
    assert cluster.announced()[2] == "announced by n2 (02:00:00:00:00:01)"


def test_a_dead_owner_is_not_named_beside_its_heir_but_alone_it_is() -> None:
    cluster = on_the_lan()
    cluster.report("n2", **owning("02:00:00:00:00:02"))
    dead = msgspec.structs.replace(cluster.snapshot.speakers["n2"], ready=False)
    cluster.set("speakers", "n2", dead)
    cluster.settle()
    assert cluster.announced()[2] == "announced by n2 (02:00:00:00:00:02)"
    cluster.report("n1", **owning("02:00:00:00:00:03"))
    cluster.settle()
    assert cluster.announced()[2] == "announced by n1 (02:00:00:00:00:03)"


def test_a_layer2_service_that_no_node_can_announce_says_why_of_each() -> None:
    cluster = on_the_lan()
    for name in ("n1", "n2"):
        said = Problem(object="Service shop/web", reason="NoSubnet", message=f"for a test of {name}")
        cluster.report(name, problems=(said,))
    cluster.settle()
    assert cluster.announced() == (
        "False",
        "NoSubnet",
        "n1: for a test of n1; n2: for a test of n2",
    )


def test_a_service_that_is_refused_says_why_once(cluster: Cluster) -> None:
    annotations = {**OURS, keys.EIP_ANNOTATION: "nowhere"}
    meta = Meta(name="web", namespace="shop", annotations=annotations, resource_version="5")
    cluster.set("services", WEB, service(meta=meta))
    cluster.settle()
    cluster.set("speakers", "n3", speaker("n3"))
    cluster.settle()
    assert [
        condition(cluster.web, one).reason for one in sorted({c.type for c in cluster.web.conditions})
    ] == [
        "EipNotFound",
        "EipNotFound",
    ]
    assert [reason for reason, _ in cluster.events if reason.startswith("Assign")] == ["AssignIPFailed"]


def test_entries_of_others_stay_and_so_do_their_conditions(cluster: Cluster) -> None:
    theirs = Condition(type="example.org/Checked", status="True", reason="Fine")
    other = Ingress(ip_address("203.0.113.1"), "", "Proxy")
    cluster.set("services", WEB, service(ingress=(other,), conditions=(theirs,)))
    cluster.settle()
    assert cluster.web.ingress == (other, Ingress(ip_address("192.0.2.0")))
    assert cluster.web.conditions[0] == theirs


def test_a_service_that_leaves_us_loses_what_we_gave_and_nothing_else(cluster: Cluster) -> None:
    cluster.settle()
    meta = msgspec.structs.replace(
        cluster.web.meta,
        annotations={keys.ALLOCATED_ANNOTATION: "192.0.2.0=west", "note": "mine"},
        finalizers=("finalizer.lb.kubesphere.io/v1alpha1", "other"),
        resource_version="77",
    )
    cluster.set("services", WEB, msgspec.structs.replace(cluster.web, meta=meta))
    cluster.settle()
    left = cluster.web
    assert (left.ingress, left.conditions, left.meta.finalizers) == ((), (), ("other",))
    assert (dict(left.meta.labels), dict(left.meta.annotations)) == ({}, {"note": "mine"})
    assert [reason for reason, _ in cluster.events[-2:]] == ["ReleaseIP", "DelBalancer"]


def test_what_an_api_server_clears_itself_with_the_type_is_told_as_released(cluster: Cluster) -> None:
    cluster.settle()
    meta = msgspec.structs.replace(cluster.web.meta, resource_version="77")
    cleared = msgspec.structs.replace(cluster.web, meta=meta, type="ClusterIP", ingress=())
    cluster.set("services", WEB, cleared)
    cluster.settle()
    assert (cluster.web.conditions, dict(cluster.web.meta.labels)) == ((), {})
    assert cluster.events[-2:] == [
        ("ReleaseIP", "released 192.0.2.0"),
        ("DelBalancer", "no longer ours to announce"),
    ]


def test_a_pending_service_that_leaves_us_loses_our_conditions(cluster: Cluster) -> None:
    cluster.set("eips", "west", None)
    cluster.settle()
    plain = Meta(name="web", namespace="shop", resource_version="50")
    cluster.set("services", WEB, msgspec.structs.replace(cluster.web, meta=plain, type="ClusterIP"))
    cluster.settle()
    assert cluster.web.conditions == ()


def test_a_deleted_service_releases_its_address_with_an_event(cluster: Cluster) -> None:
    cluster.settle()
    cluster.set("services", WEB, None)
    cluster.decide()
    assert cluster.events[-1] == ("ReleaseIP", "released 192.0.2.0")


def test_of_many_services_only_those_that_changed_are_looked_at(cluster: Cluster) -> None:
    big = Eip(meta=Meta(name="west"), ranges=parse_ranges("10.0.0.0/16"))
    cluster.set("eips", "west", big)
    many = {Key("shop", f"s{number}"): service(f"s{number}") for number in range(200)}
    endpoints = {key: slices("n1", name=key.name) for key in many}
    cluster.snapshot = msgspec.structs.replace(cluster.snapshot, services=many, slices=endpoints)
    cluster.settle()
    changed = Key("shop", "s7")
    cluster.set("slices", changed, slices("n1", "n2", name="s7"))
    cluster.asked.clear()
    cluster.decide()
    assert cluster.asked == [changed]


def test_an_address_on_its_way_to_the_source_is_given_to_nobody_else(cluster: Cluster) -> None:
    cluster.decide()
    late = service("a-late-one")
    cluster.set("services", late.key, late)
    cluster.snapshot = foreseen(cluster.snapshot, cluster.ledger)
    writes = service_writes(cluster.decide())
    given = {
        write.ref.key.name: [one.ip for one in write.status.load_balancer.ingress]
        for write in writes
        if isinstance(write.status, ServiceStatus)
    }
    assert given == {"a-late-one": ["192.0.2.1"]}
    assert cluster.web.addresses == (ip_address("192.0.2.0"),)


def test_an_address_that_leaves_is_taken_until_the_service_shows_that_it_is_gone(cluster: Cluster) -> None:
    cluster.settle()
    given = cluster.web.addresses
    left = {keys.ALLOCATED_ANNOTATION: "192.0.2.0=west"}
    meta = msgspec.structs.replace(cluster.web.meta, annotations=left, resource_version="77")
    cluster.set("services", WEB, msgspec.structs.replace(cluster.web, meta=meta))
    written = cluster.decide()
    assert foreseen(cluster.snapshot, cluster.ledger).services[WEB].addresses == given
    cluster.snapshot, shown = foreseen(cluster.snapshot, cluster.ledger), cluster.snapshot
    assert not cluster.decide()
    cluster.snapshot = shown
    cluster.deliver(written)
    assert cluster.web.addresses == ()


def test_a_service_is_announced_though_what_was_wrong_has_passed_before_it_was_written(
    cluster: Cluster,
) -> None:
    """A write that took it back would change nothing, and the source would never show it."""
    pools = cluster.snapshot.speakers["n1"].status.pools
    for name in cluster.snapshot.speakers:
        cluster.report(name, pools=())
    cluster.deliver(cluster.decide())
    assert cluster.announced()[1] == "WaitingForSync"
    late = service_writes(cluster.decide())
    for name in cluster.snapshot.speakers:
        cluster.report(name, pools=pools, applied_revision=cluster.revision)
    cluster.snapshot, shown = foreseen(cluster.snapshot, cluster.ledger), cluster.snapshot
    assert service_writes(cluster.decide()) == []
    cluster.snapshot = shown
    cluster.deliver(tuple(late))
    assert cluster.announced()[1] == "SpeakerNotConfigured"
    cluster.settle()
    assert cluster.announced() == ("True", "Announced", "announced by n1, n2")


def test_a_write_of_what_the_source_shows_is_not_waited_for(cluster: Cluster) -> None:
    shown = cluster.snapshot
    writes = cluster.decide()
    assert answered(cluster.ledger, shown) is cluster.ledger
    cluster.deliver(writes)
    same = msgspec.structs.replace(
        cluster.web.meta, resource_version=shown.services[WEB].meta.resource_version
    )
    cluster.set("services", WEB, msgspec.structs.replace(cluster.web, meta=same))
    assert list(cluster.ledger.services.flying) == [WEB]
    assert list(answered(cluster.ledger, cluster.snapshot).services.flying) == []


def test_what_is_still_on_its_way_is_the_same_object_in_the_next_cycle(cluster: Cluster) -> None:
    foresight = Foresight()
    cluster.decide()
    first, again = (foresight.of(cluster.snapshot, cluster.ledger).services[WEB] for _ in range(2))
    assert first is again and first.addresses


def test_a_snapshot_that_shows_everything_is_itself_what_is_foreseen(cluster: Cluster) -> None:
    cluster.settle()
    assert foreseen(cluster.snapshot, cluster.ledger) is cluster.snapshot
