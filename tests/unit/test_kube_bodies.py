"""What is sent to the API server for a status, and what is sent after it."""

import msgspec

from openelb_bgp.kube.bodies import address_body, leftover, missing, speaker_body, status_body
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.keys import ALLOCATED_CONDITION
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.statuses import (
    EipStatus,
    Layer2Status,
    LoadBalancerIngress,
    LoadBalancerStatus,
    OwnedAddress,
    RouteCounts,
    ServiceStatus,
    SpeakerStatus,
    VipStatus,
)
from openelb_bgp.ports import StatusWrite

WEB = ref(Kind.SERVICE, "web", namespace="shop")
MOMENT = "2026-01-01T12:00:00Z"


def condition(type_: str) -> Condition:
    return Condition(type=type_, status="True", reason="Because", last_transition_time=MOMENT)


def entry(type_: str) -> dict[str, object]:
    return {
        "type": type_,
        "status": "True",
        "reason": "Because",
        "message": "",
        "lastTransitionTime": MOMENT,
        "observedGeneration": 0,
    }


def service_write(*ips: str, finalizers: tuple[str, ...] = ()) -> StatusWrite:
    return StatusWrite(
        ref=WEB,
        status=ServiceStatus(
            load_balancer=LoadBalancerStatus(ingress=tuple(LoadBalancerIngress(ip=ip) for ip in ips)),
            conditions=(condition(ALLOCATED_CONDITION), condition("example.org/Theirs")),
        ),
        labels={"pool": "a" if ips else None},
        annotations={"given": "yes" if ips else None, "gone": None},
        remove_finalizers=finalizers,
        based_on="7",
    )


def test_a_service_takes_addresses_conditions_and_keys_in_one_write_on_the_version_decided_on() -> None:
    assert status_body(service_write("192.0.2.1")) == {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "resourceVersion": "7",
            "labels": {"pool": "a"},
            "annotations": {"given": "yes"},
        },
        "status": {
            "loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]},
            "conditions": [entry(ALLOCATED_CONDITION)],
        },
    }


def test_addresses_alone_come_with_their_pools_on_the_version_decided_on_and_touch_nothing_else() -> None:
    given = msgspec.structs.replace(service_write("192.0.2.1"), urgent=True)
    assert address_body(given) == {
        "metadata": {"resourceVersion": "7", "annotations": {"given": "yes", "gone": None}},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
    }


def test_addresses_alone_are_written_only_where_some_are_given_and_a_late_write_is_refused() -> None:
    given = msgspec.structs.replace(service_write("192.0.2.1"), urgent=True)
    taken = msgspec.structs.replace(service_write(), urgent=True)
    others = [
        taken,
        service_write("192.0.2.1"),
        msgspec.structs.replace(given, based_on=""),
        msgspec.structs.replace(given, remove_finalizers=("old",)),
        StatusWrite(ref=ref(Kind.EIP, "pool"), status=EipStatus(), urgent=True, based_on="7"),
    ]
    assert [address_body(one) for one in others] == [None] * len(others)


def test_a_release_writes_the_empty_list_out() -> None:
    assert status_body(service_write())["status"]["loadBalancer"] == {"ingress": []}


def test_a_report_carries_zeros_and_our_conditions_only_and_no_version() -> None:
    status = EipStatus(
        pool_size=4, first_ip="192.0.2.0", conditions=(condition("Valid"), condition("Theirs"))
    )
    assert status_body(StatusWrite(ref=ref(Kind.EIP, "pool"), status=status, based_on="7")) == {
        "apiVersion": "network.kubesphere.io/v1alpha2",
        "kind": "Eip",
        "metadata": {"name": "pool"},
        "status": {
            "occupied": False,
            "usage": 0,
            "poolSize": 4,
            "firstIP": "192.0.2.0",
            "lastIP": "",
            "ready": False,
            "v4": False,
            "announcedBy": "",
            "conditions": [entry("Valid")],
        },
    }


def test_a_speaker_goes_with_its_node() -> None:
    node1 = ref(Kind.SPEAKER, "node1")
    whole = {"apiVersion": "network.kubesphere.io/v1alpha2", "kind": "Speaker"}
    owner = {"apiVersion": "v1", "kind": "Node", "name": "node1", "uid": "u1"}
    assert speaker_body(node1, node_uid="u1") == {
        **whole,
        "metadata": {"name": "node1", "ownerReferences": [owner]},
    }
    assert speaker_body(node1, node_uid="") == {**whole, "metadata": {"name": "node1"}}
    status = SpeakerStatus(routes=RouteCounts(desired=2, announced=1))
    assert status_body(StatusWrite(ref=node1, status=status)) == {
        **whole,
        "metadata": {"name": "node1"},
        "status": {"routes": {"desired": 2, "announced": 1}},
    }


def test_nothing_is_sent_after_an_answer_that_shows_everything() -> None:
    answer = {
        "metadata": {
            "resourceVersion": "8",
            "labels": {"pool": "a", "app": "web"},
            "annotations": {"given": "yes"},
            "finalizers": ["service.kubernetes.io/load-balancer-cleanup"],
        }
    }
    assert missing(service_write("192.0.2.1", finalizers=("old",)), answer) is None
    assert missing(StatusWrite(ref=ref(Kind.EIP, "pool"), status=EipStatus()), {}) is None


def test_what_apply_cannot_take_away_goes_by_a_patch_on_the_version_of_the_answer() -> None:
    answer = {
        "metadata": {
            "resourceVersion": "8",
            "labels": {"pool": "theirs"},
            "annotations": {"gone": "no", "kept": ""},
            "finalizers": ["old", "other"],
        }
    }
    assert missing(service_write(finalizers=("old",)), answer) == {
        "metadata": {
            "resourceVersion": "8",
            "labels": {"pool": None},
            "annotations": {"gone": None},
            "finalizers": ["other"],
        }
    }


def test_the_last_finalizer_goes_with_its_list() -> None:
    answer = {"metadata": {"resourceVersion": "8", "finalizers": ["old"]}}
    assert missing(service_write(finalizers=("old",)), answer) == {
        "metadata": {"resourceVersion": "8", "finalizers": None}
    }


def test_an_empty_map_is_left_out_and_taken_away_where_it_stays_all_the_same() -> None:
    """OpenELB wrote it too: what two managers own goes only when both let it."""
    pool = ref(Kind.EIP, "pool")
    empty, used = (StatusWrite(ref=pool, status=EipStatus(used=used)) for used in ({}, {"192.0.2.1": "a/b"}))
    assert "used" not in status_body(empty)["status"]
    assert leftover(empty, {"status": {"used": {"192.0.2.1": "a/b"}}}) == {"status": {"used": None}}
    assert leftover(empty, {"status": {"usage": 0}}) is None
    assert leftover(used, {"status": {"used": {"192.0.2.1": "a/b"}}}) is None


def test_a_speaker_that_no_longer_has_an_address_leaves_out_what_was_said_of_them() -> None:
    """An object that is empty in place of another would be null in the API server, which refuses it."""
    node = ref(Kind.SPEAKER, "node1")
    owned = (OwnedAddress(address="192.0.2.1", interface="eth0"),)
    holding, empty = (
        StatusWrite(ref=node, status=SpeakerStatus(layer2=layer2, vip=vip))
        for layer2, vip in (
            (Layer2Status(owned=owned), VipStatus(master=("192.0.2.2",))),
            (Layer2Status(), VipStatus()),
        )
    )
    assert {"layer2", "vip"} <= status_body(holding)["status"].keys()
    assert not {"layer2", "vip"} & status_body(empty)["status"].keys()
