"""What the leader reports of Eips, BgpConfs, BgpPeers, and of objects that cannot be used."""

import msgspec
import pytest

from openelb_bgp.model import keys
from openelb_bgp.model.errors import Defect, InvalidResource
from openelb_bgp.model.meta import Kind, Meta, ObjectRef, ref
from openelb_bgp.model.routing import BgpConf, BgpPeer
from openelb_bgp.model.statuses import EipStatus, LoadBalancerStatus, ServiceStatus, SpeakerStatus
from openelb_bgp.ports import Event
from openelb_bgp.report.events import not_written
from tests.unit.report_cluster import WEB, Cluster, sessions


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_a_pools_status_counts_names_its_nodes_and_follows_the_speakers(cluster: Cluster) -> None:
    cluster.settle()
    west = ref(Kind.EIP, "west")
    full = cluster.ledger.statuses[west]
    assert isinstance(full, EipStatus)
    assert msgspec.structs.replace(full, conditions=()) == EipStatus(
        occupied=False,
        usage=1,
        pool_size=8,
        used={"192.0.2.0": "shop/web"},
        first_ip="192.0.2.0",
        last_ip="192.0.2.7",
        ready=True,
        v4=True,
        announced_by="2 nodes: n1, n2",
    )
    for name in ("n1", "n2"):
        cluster.report(name, sessions=sessions("IDLE"))
    cluster.settle()
    silent = cluster.ledger.statuses[west]
    assert isinstance(silent, EipStatus)
    assert (silent.ready, silent.announced_by, silent.conditions[1].reason) == (True, "", "NoSession")
    assert ("ConfigSpeakerFailed", silent.conditions[1].message) in cluster.events


def test_an_object_that_cannot_be_used_says_what_is_wrong_with_it(cluster: Cluster) -> None:
    broken = ref(Kind.EIP, "broken")
    defect = Defect("spec.address", "10.0.0.0/99", "is no prefix", "write a length of 0 to 32")
    cluster.set("invalid", broken, InvalidResource(broken, (defect,)))
    cluster.settle()
    status = cluster.ledger.statuses[broken]
    assert isinstance(status, EipStatus)
    assert [(one.type, one.status, one.reason, one.message) for one in status.conditions] == [
        (
            "Valid",
            "False",
            "Invalid",
            "spec.address '10.0.0.0/99': is no prefix; write a length of 0 to 32",
        ),
        ("Ready", "False", "Invalid", "it cannot be used as it stands; correct what Valid says"),
    ]


def test_what_admission_finds_is_said_at_the_object_and_looked_at_once(cluster: Cluster) -> None:
    west = ref(Kind.EIP, "west")
    cluster.defects[west] = (Defect("spec.address", "192.0.2.0/29", "overlaps Eip east", "part them"),)
    cluster.settle()
    status = cluster.ledger.statuses[west]
    assert isinstance(status, EipStatus)
    assert status.conditions[0].message == "spec.address '192.0.2.0/29': overlaps Eip east; part them"
    cluster.decide()
    assert cluster.ledger.statuses[west] is status


def test_a_spoilt_object_goes_on_as_it_was_but_is_not_valid(cluster: Cluster) -> None:
    cluster.settle()
    west = ref(Kind.EIP, "west")
    cluster.set(
        "invalid", west, InvalidResource(west, (Defect("spec.address", "x", "is none", "write one"),))
    )
    cluster.settle()
    status = cluster.ledger.statuses[west]
    assert isinstance(status, EipStatus)
    assert (status.usage, [one.status for one in status.conditions]) == (1, ["False", "True"])


def test_an_invalid_object_without_a_status_of_ours_is_told_by_one_event(cluster: Cluster) -> None:
    bad = ref(Kind.SECRET, "keys", namespace="openelb-system")
    cluster.set("invalid", bad, InvalidResource(bad, (Defect("data.k", "%", "is no base64", "encode it"),)))
    cluster.settle()
    cluster.set("speakers", "n2", None)
    cluster.settle()
    assert cluster.events.count(("Invalid", "data.k '%': is no base64; encode it")) == 1


def test_openelbs_finalizers_leave_pools_too(cluster: Cluster) -> None:
    meta = Meta(name="west", finalizers=("finalizer.ipam.kubesphere.io/v1alpha1",), resource_version="3")
    cluster.set("eips", "west", msgspec.structs.replace(cluster.snapshot.eips["west"], meta=meta))
    writes = [write for write in cluster.decide() if write.ref.kind is Kind.EIP]
    assert [write.remove_finalizers for write in writes] == [("finalizer.ipam.kubesphere.io/v1alpha1",)]


def test_an_object_left_to_the_cni_gets_no_status(cluster: Cluster) -> None:
    labels = {keys.CNI_LABEL: "calico"}
    cluster.set("bgp_peers", "cni", BgpPeer(meta=Meta(name="cni", labels=labels), peer_asn=1))
    cluster.set("bgp_confs", "cni", BgpConf(meta=Meta(name="cni", labels=labels), asn=1))
    assert "cni" not in {write.ref.key.name for write in cluster.decide()}


def test_a_conf_of_another_name_is_reported_as_ignored(cluster: Cluster) -> None:
    cluster.set("bgp_confs", "other", BgpConf(meta=Meta(name="other"), asn=1))
    cluster.settle()
    status = cluster.ledger.statuses[ref(Kind.BGP_CONF, "other")]
    assert not isinstance(status, SpeakerStatus)
    assert status.conditions[1].reason == "IgnoredName"


def test_a_write_that_failed_is_told_at_the_services(cluster: Cluster) -> None:
    writes = cluster.decide()
    assert not_written(writes, "the disk is full; free some space") == (
        Event(
            ref=ObjectRef(Kind.SERVICE, WEB),
            reason="AssignIPFailed",
            message="the status could not be written: the disk is full; free some space",
            warning=True,
        ),
    )
    # Whoever gets no address has nothing that could be released.
    (write,) = (one for one in writes if isinstance(one.status, ServiceStatus))
    assert isinstance(write.status, ServiceStatus)
    pending = msgspec.structs.replace(write.status, load_balancer=LoadBalancerStatus())
    (told,) = not_written([msgspec.structs.replace(write, status=pending)], "the disk is full")
    assert told.reason == "AssignIPFailed"
    bare = msgspec.structs.replace(pending, conditions=())
    (told,) = not_written([msgspec.structs.replace(write, status=bare)], "the disk is full")
    assert told.reason == "ReleaseIPFailed"


def test_what_is_left_out_of_an_object_without_a_status_of_ours_is_told_by_one_event(
    cluster: Cluster,
) -> None:
    node = ref(Kind.NODE, "n1")
    defect = Defect("metadata.labels[k]", "", "means nothing there", "move it", fatal=False)
    cluster.settle()
    cluster.events.clear()
    cluster.set("warnings", node, (defect,))
    cluster.settle()
    cluster.settle()
    assert cluster.events == [("Invalid", "metadata.labels[k]: means nothing there; move it")]
    cluster.set("warnings", node, None)
    cluster.settle()
    cluster.set("warnings", node, (defect,))
    cluster.settle()
    assert [reason for reason, _ in cluster.events] == ["Invalid", "Invalid"]
