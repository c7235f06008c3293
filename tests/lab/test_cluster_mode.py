"""The lab in cluster mode, our daemons apart: objects in the API server, pods that are Pods, kube-proxy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.desk import Pod
from lab.lab import KUBERNETES, Lab, held_lab
from lab.shell import wait_until
from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind

LOCAL = "198.51.100.2"


@pytest.fixture(scope="module")
def lab(ecmp: Path) -> Iterator[Lab]:
    """The API server with the lab's objects, and kube-proxy; the addresses that a controller would give."""
    with held_lab(ecmp, mode=KUBERNETES) as lab:
        lab.start_cluster()
        lab.start_kubeproxy()
        assert lab.cluster is not None
        for service, ip in (("web", "198.51.100.1"), ("web-local", LOCAL)):
            status = {"status": {"loadBalancer": {"ingress": [{"ip": ip}]}}}
            lab.cluster.api.patch("Service", service, status, namespace="default", subresource="status")
        yield lab


def test_kubectl_shows_the_labs_objects(lab: Lab) -> None:
    assert lab.cluster is not None
    shown = lab.cluster.kubectl("get", "eip,bgppeer,svc", "-o", "name").split()
    assert shown == [
        "eip.network.kubesphere.io/lab-v4",
        "eip.network.kubesphere.io/lab-v6",
        *(f"bgppeer.network.kubesphere.io/{name}" for name in ("leaf1", "leaf1-v6", "leaf2", "leaf2-v6")),
        *(f"service/{name}" for name in ("kubernetes", "web", "web-local")),
    ]


def test_an_edit_at_the_desk_is_an_edit_in_the_cluster(lab: Lab) -> None:
    lab.desk.edit(Kind.BGP_PEER, "leaf1", lambda peer: peer["spec"].update(timers={}))
    lab.desk.edit(Kind.NODE, "node3", lambda node: node["metadata"].update(annotations={"a": "b"}))
    by_name = {
        one["metadata"]["name"]: one for kind in (Kind.BGP_PEER, Kind.NODE) for one in lab.desk.objects(kind)
    }
    assert by_name["leaf1"]["spec"]["timers"] == {}
    assert by_name["node3"]["metadata"]["annotations"] == {"a": "b"}


def test_nodes_hand_requests_on_to_the_pods_that_the_cluster_has(lab: Lab) -> None:
    def hand_on(*nodes: str) -> None:
        wait_until(
            lambda: [node for node in lab.nodes if lab.hands_on(node, LOCAL)] == list(nodes),
            within=30.0,
            what=f"{LOCAL} to be handed on by {nodes}",
        )

    hand_on("node1", "node2")
    lab.desk.place_pods("web-local", {"node1": Pod.READY, "node2": Pod.LEAVING, "node3": Pod.STARTING})
    hand_on("node1", "node2", "node3")
    lab.desk.place_pods("web-local", {"node3": Pod.READY})
    hand_on("node3")
    lab.desk.place_pods("web-local", {"node1": Pod.READY, "node2": Pod.READY})
    hand_on("node1", "node2")


def test_services_like_another_have_its_pods_and_go_again(lab: Lab) -> None:
    assert lab.cluster is not None
    api = lab.cluster.api
    lab.desk.add_services(["web-01"], like="web")
    selector = f"{keys.SERVICE_NAME_LABEL}=web-01"

    def endpoints() -> set[str]:
        slices = api.items("EndpointSlice", namespace="default", labelSelector=selector)
        return {one["nodeName"] for item in slices for one in item["endpoints"] or ()}

    wait_until(lambda: endpoints() == set(lab.nodes), within=30.0, what="the pods of web behind web-01")
    lab.desk.remove_services(["web-01"])
    assert api.find("Service", "web-01", namespace="default") is None
