"""What commands read without a daemon: objects as `get` shows them, and a folder read once."""

import asyncio
import os
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from openelb_bgp.files import view
from openelb_bgp.files.errors import FilesError
from openelb_bgp.files.load import load
from openelb_bgp.files.manifests import Location
from openelb_bgp.files.state import CONTROLLER, State
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.meta import Key, Kind, Meta, ref
from openelb_bgp.model.statuses import (
    EipStatus,
    LoadBalancerIngress,
    LoadBalancerStatus,
    ServiceStatus,
    SpeakerStatus,
)
from openelb_bgp.ports import Event, StatusWrite
from openelb_bgp.runtime.clock import SystemClock

DEADLINE = 20.0
WRITTEN = 1767225600
WEB = ref(Kind.SERVICE, "web", namespace="default")
SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: web
  labels: {app: web}
  finalizers: [finalizer.lb.kubesphere.io/v1alpha1, theirs]
spec: {type: LoadBalancer, unknownToUs: 1}
"""
EIP = """
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {name: %s}
spec: {address: 192.0.2.0/24}
"""


class Place:
    """A folder of manifests and a state that a controller wrote and left."""

    def __init__(self, path: Path) -> None:
        self.manifests, self.state = path / "manifests", path / "state"
        self.manifests.mkdir()

    def manifest(self, name: str, text: str) -> None:
        (self.manifests / name).write_text(text)
        os.utime(self.manifests / name, (WRITTEN, WRITTEN))

    async def committed(self, *writes: StatusWrite, events: tuple[Event, ...] = ()) -> None:
        state = State.open(self.state, role=CONTROLLER, owner=True, clock=SystemClock())
        await state.write(writes, events)
        await state.close()

    def objects(self, kind: Kind) -> list[dict[str, Any]]:
        return view.objects(self.manifests, self.state, kind)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def given(address: str) -> StatusWrite:
    status = ServiceStatus(load_balancer=LoadBalancerStatus(ingress=(LoadBalancerIngress(ip=address),)))
    return StatusWrite(
        ref=WEB,
        status=status,
        labels={"pool": "a", "app": None},
        annotations={"given": "yes"},
        remove_finalizers=("finalizer.lb.kubesphere.io/v1alpha1",),
    )


def test_without_a_state_objects_are_what_was_written_with_their_namespace(place: Place) -> None:
    place.manifest("a.yaml", SERVICE)
    [service] = place.objects(Kind.SERVICE)
    assert service["metadata"]["namespace"] == "default"
    assert service["spec"] == {"type": "LoadBalancer", "unknownToUs": 1}
    assert "status" not in service


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("", "2026-01-01T00:00:00Z"),
        ("creationTimestamp: null", "2026-01-01T00:00:00Z"),
        ('creationTimestamp: "2020-02-02T00:00:00Z"', "2020-02-02T00:00:00Z"),
    ],
)
def test_an_object_is_as_old_as_it_says_or_as_its_file(place: Place, written: str, shown: str) -> None:
    place.manifest("a.yaml", SERVICE.replace("name: web\n", f"name: web\n  {written}\n", 1))
    [service] = place.objects(Kind.SERVICE)
    assert service["metadata"]["creationTimestamp"] == shown


async def test_status_labels_and_annotations_of_ours_are_laid_over_what_was_written(place: Place) -> None:
    place.manifest("a.yaml", SERVICE)
    await place.committed(given("192.0.2.7"))
    assert place.objects(Kind.SERVICE) == [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {
                "name": "web",
                "namespace": "default",
                "creationTimestamp": "2026-01-01T00:00:00Z",
                "labels": {"pool": "a"},
                "annotations": {"given": "yes"},
                "finalizers": ["theirs"],
                "resourceVersion": "1",
            },
            "spec": {"type": "LoadBalancer", "unknownToUs": 1},
            "status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}, "conditions": []},
        }
    ]


async def test_speakers_come_from_the_state_alone(place: Place) -> None:
    speaker = ref(Kind.SPEAKER, "node1")
    await place.committed(StatusWrite(ref=speaker, status=SpeakerStatus(draining=True)))
    assert place.objects(Kind.SPEAKER) == [
        {
            "apiVersion": "network.kubesphere.io/v1alpha2",
            "kind": "Speaker",
            "metadata": {"name": "node1", "resourceVersion": "1"},
            "status": {"draining": True},
        }
    ]
    await place.committed(StatusWrite(ref=speaker, status=None))
    assert place.objects(Kind.SPEAKER) == []


def test_objects_are_in_order_and_of_two_with_one_name_the_first_by_path_is_shown(place: Place) -> None:
    place.manifest("b.yaml", EIP % "a" + "---" + EIP.replace("192.0.2.0/24", "10.0.0.0/8") % "b")
    place.manifest("a.yaml", EIP % "b" + "---\nkind: [")
    shown = [(one["metadata"]["name"], one["spec"]["address"]) for one in place.objects(Kind.EIP)]
    assert shown == [("a", "192.0.2.0/24"), ("b", "192.0.2.0/24")]


def test_a_folder_that_is_not_there_is_said(place: Place) -> None:
    with pytest.raises(FilesError):
        view.objects(place.manifests / "missing", place.state, Kind.EIP)


async def test_events_are_kubernetes_events(place: Place) -> None:
    await place.committed(events=(Event(ref=WEB, reason="AssignIPFailed", message="no pool", warning=True),))
    [event] = view.events(place.state)
    assert event.pop("firstTimestamp") == event.pop("lastTimestamp")
    assert event == {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "web.0", "namespace": "default"},
        "involvedObject": {"apiVersion": "v1", "kind": "Service", "name": "web", "namespace": "default"},
        "reason": "AssignIPFailed",
        "message": "no pool",
        "type": "Warning",
        "count": 1,
    }


async def test_a_watcher_sees_edits_and_commits(place: Place) -> None:
    place.manifest("a.yaml", EIP % "pool")
    await place.committed()
    clock = SystemClock()
    async with aclosing(view.changes(place.manifests, place.state, Kind.EIP, clock)) as changes:
        async with asyncio.timeout(DEADLINE):
            assert [one["metadata"]["name"] for one in await anext(changes)] == ["pool"]
            place.manifest("b.yaml", EIP % "other")
            assert [one["metadata"]["name"] for one in await anext(changes)] == ["other", "pool"]
            await place.committed(StatusWrite(ref=ref(Kind.EIP, "pool"), status=EipStatus(usage=5)))
            assert [one.get("status", {}).get("usage") for one in await anext(changes)] == [None, 5]
    assert list((place.state / "wake").iterdir()) == []


def test_a_folder_read_once_has_everything_with_its_place(place: Place) -> None:
    place.manifest("a.yaml", EIP % "pool" + "---" + EIP.replace("/24", "/99") % "bad")
    place.manifest(
        "b.yaml", "kind: [\n---" + EIP % "pool" + "---" + EIP.replace("spec: {", "spec: {x: 1, ") % "odd"
    )
    loaded = load(place.manifests, own_node=Node(meta=Meta(name="node1")))
    assert loaded.snapshot.eips.keys() == {"pool", "odd"}
    assert loaded.snapshot.nodes.keys() == {"node1"}
    assert [str(problem).split(":", 3)[:2] for problem in loaded.problems] == [
        ["b.yaml", "2"],
        ["b.yaml", "3"],
    ]
    assert [(one.ref, loaded.locations[one.ref]) for one in loaded.invalid] == [
        (ref(Kind.EIP, "bad"), Location("a.yaml", 7))
    ]
    assert [(of, [defect.path for defect in defects]) for of, defects in loaded.warnings] == [
        (ref(Kind.EIP, "odd"), ["spec.x"])
    ]


async def test_a_folder_read_once_has_the_statuses_of_a_state_that_is_named(place: Place) -> None:
    place.manifest("a.yaml", SERVICE)
    await place.committed(given("192.0.2.7"))
    service = load(place.manifests, state=place.state).snapshot.services[Key("default", "web")]
    assert [str(address) for address in service.addresses] == ["192.0.2.7"]
