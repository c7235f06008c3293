"""What `get` makes of objects: which are chosen, what is hidden, how they are set, what a watch prints."""

import json
from typing import Any

import pytest
import yaml

from openelb_bgp.cli.kinds import SHOWN, UnknownKind, chosen, fit_to_show, kinds_named
from openelb_bgp.cli.printing import Follower, printed
from openelb_bgp.report.columns import COLUMNS

EIP, SERVICE = kinds_named("eip,svc")
PEER = kinds_named("bgppeer")[0]


def eip(name: str, *, usage: int = 0) -> dict[str, Any]:
    return {
        "apiVersion": "network.kubesphere.io/v1alpha2",
        "kind": "Eip",
        "metadata": {"name": name},
        "spec": {"address": "192.0.2.1"},
        "status": {"usage": usage, "poolSize": 1},
    }


def service(name: str, namespace: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "creationTimestamp": "1970-01-01T00:00:00Z"}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"clusterIP": "10.0.0.1"}}


def show(*found: Any, output: str = "", namespaces: bool = False, one: bool = False) -> str:
    return printed(found, output=output, now=60.0, namespaces=namespaces, one=one)


@pytest.mark.parametrize("name", ["eips", "eip", "EIP", "eips.network.kubesphere.io"])
def test_a_kind_goes_by_every_name_that_kubectl_takes(name: str) -> None:
    assert kinds_named(name) == (EIP,)


def test_several_kinds_come_in_the_order_named_and_once() -> None:
    assert [kind.plural for kind in kinds_named("svc,eips,services")] == ["services", "eips"]


def test_secrets_are_no_kind_to_show() -> None:
    with pytest.raises(UnknownKind, match="there is no kind 'secrets' to show; name some of eips, bgpconfs"):
        kinds_named("eips,secrets")


def test_every_kind_shown_has_columns() -> None:
    assert {kind.kind for kind in SHOWN} == set(COLUMNS)


def test_objects_are_chosen_by_name_and_namespace() -> None:
    objects = [service("a", "x"), service("b", "x"), service("a", "y")]
    assert chosen(objects, names=["a"], namespace="x") == [objects[0]]
    assert chosen(objects, names=[], namespace=None) == objects


def test_a_table_of_services_of_all_namespaces_names_them() -> None:
    assert show((SERVICE, [service("web", "shop")]), namespaces=True) == (
        "NAMESPACE   NAME   TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE\n"
        "shop        web    ClusterIP   10.0.0.1     <none>        <none>    60s"
    )


def test_several_kinds_are_several_tables_with_the_kind_in_each_name() -> None:
    assert show((EIP, [eip("west")]), (PEER, []), (SERVICE, [service("web", "shop")])) == (
        "NAME                             CIDR        USAGE   TOTAL\n"
        "eip.network.kubesphere.io/west   192.0.2.1   0       1\n"
        "\n"
        "NAME          TYPE        CLUSTER-IP   EXTERNAL-IP   PORT(S)   AGE\n"
        "service/web   ClusterIP   10.0.0.1     <none>        <none>    60s"
    )


def test_names_are_printed_as_kubectl_takes_them_back() -> None:
    text = show((EIP, [eip("west")]), (SERVICE, [service("web", "shop")]), output="name")
    assert text == "eip.network.kubesphere.io/west\nservice/web"


def test_one_object_by_name_is_printed_bare_and_several_as_a_list() -> None:
    bare = yaml.safe_load(show((EIP, [eip("west")]), output="yaml", one=True))
    listed = json.loads(show((EIP, [eip("west"), eip("east")]), output="json"))
    assert bare == eip("west")
    assert listed == {
        "apiVersion": "v1",
        "kind": "List",
        "metadata": {"resourceVersion": ""},
        "items": [eip("west"), eip("east")],
    }


@pytest.mark.parametrize("output", ["", "wide", "yaml", "json", "name"])
def test_a_password_is_printed_in_no_way(output: str) -> None:
    peer = {
        "kind": "BgpPeer",
        "metadata": {
            "name": "leaf",
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "hunter2", "note": "kept"},
        },
        "spec": {"conf": {"neighborAddress": "192.0.2.1", "peerAs": 1, "authPassword": "hunter2"}},
    }
    assert "hunter2" not in show((PEER, [peer]), output=output)
    assert "hunter2" not in "".join(Follower(PEER, output=output, namespaces=False).lines([peer], now=0.0))
    assert fit_to_show(peer) == {
        "kind": "BgpPeer",
        "metadata": {"name": "leaf", "annotations": {"note": "kept"}},
        "spec": {"conf": {"neighborAddress": "192.0.2.1", "peerAs": 1, "authPassword": "<hidden>"}},
    }


def test_a_watch_prints_all_once_and_then_what_changes_under_the_same_columns() -> None:
    follower = Follower(EIP, output="", namespaces=False)
    printed_lines = [
        list(follower.lines(objects, now=0.0))
        for objects in (
            [eip("west"), eip("east")],
            [eip("west"), eip("east")],
            [eip("west", usage=1), eip("east"), eip("a-long-name")],
            [eip("east"), eip("a-long-name")],
        )
    ]
    assert printed_lines == [
        ["NAME   CIDR        USAGE   TOTAL", "west   192.0.2.1   0       1", "east   192.0.2.1   0       1"],
        [],
        ["west          192.0.2.1   1       1", "a-long-name   192.0.2.1   0       1"],
        ["west          192.0.2.1   1       1"],
    ]


def test_a_watch_as_yaml_prints_a_document_for_each_change() -> None:
    follower = Follower(EIP, output="yaml", namespaces=False)
    list(follower.lines([eip("west")], now=0.0))
    (text,) = follower.lines([eip("west", usage=1)], now=0.0)
    assert list(yaml.safe_load_all(text)) == [eip("west", usage=1)]
