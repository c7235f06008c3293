"""Manifests and state together: what is delivered, and how a status reads over a manifest."""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address
from typing import Any

import msgspec
import pytest

from openelb_bgp.files.documents import documents
from openelb_bgp.files.errors import DamagedState
from openelb_bgp.files.manifests import Manifests, content
from openelb_bgp.files.objects import Objects
from openelb_bgp.files.rows import Row
from openelb_bgp.model import keys
from openelb_bgp.model.cluster import Namespace, Node
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import Key, Kind, Meta, ObjectRef, ref
from openelb_bgp.model.services import Ingress, Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import SpeakerStatus
from openelb_bgp.ports import Changed, Delivery, Gone, Listed, Spoilt
from openelb_bgp.runtime.store import Store

WEB = ref(Kind.SERVICE, "web", namespace="default")
SERVICE = """
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: default
  labels: {app: web}
  finalizers: [finalizer.lb.kubesphere.io/v1alpha1, theirs]
spec: {type: LoadBalancer}
status: {loadBalancer: {ingress: [{ip: 192.0.2.7}]}}
"""
EIP = """
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {name: pool}
spec: {address: %s}
"""


class World:
    """Files and rows as a test puts them, and the store that their deliveries end in."""

    def __init__(self, **files: str) -> None:
        self.manifests = Manifests()
        self.objects = Objects(self.manifests)
        self.store = Store()
        for name, text in files.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> set[ObjectRef]:
        file = f"{name}.yaml"
        return self.manifests.put(file, content(file, documents(text.encode(), is_json=False)))

    def start(self, *rows: Row) -> Snapshot:
        self.objects.take_all_rows(rows)
        self.store.apply(self.objects.list_all())
        return self.store.snapshot

    def deliver(self, touched: set[ObjectRef]) -> Sequence[Delivery]:
        batch = self.objects.deliver(touched)
        self.store.apply(batch)
        return batch

    def service(self) -> Service:
        return self.store.snapshot.services[Key("default", "web")]


def row(
    of: ObjectRef,
    status: Any,
    *,
    revision: int = 1,
    labels: Mapping[str, str | None] | None = None,
    finalizers: tuple[str, ...] = (),
) -> Row:
    encoded = None if status is None else msgspec.json.encode(status)
    return Row(of, encoded, labels or {}, {}, finalizers, revision)


def given(address: str, **fields: Any) -> Row:
    return row(WEB, {"loadBalancer": {"ingress": [{"ip": address}]}}, **fields)


def test_every_kind_is_listed_even_where_there_is_none() -> None:
    world = World(a=EIP % "192.0.2.0/24")
    snapshot = world.start()
    assert snapshot.listed == frozenset(Kind)
    assert snapshot.eips.keys() == {"pool"}


def test_a_status_in_a_manifest_counts_while_the_state_has_none() -> None:
    world = World(a=SERVICE)
    world.start()
    assert world.service().addresses == (IPv4Address("192.0.2.7"),)


def test_a_status_in_the_state_wins_over_the_manifest_s_even_when_it_is_empty() -> None:
    world = World(a=SERVICE)
    world.start(given("192.0.2.9", revision=41))
    assert world.service().addresses == (IPv4Address("192.0.2.9"),)
    assert world.service().meta.resource_version == "41"
    world.deliver(world.objects.take_rows([row(WEB, {"loadBalancer": {}}, revision=42)]))
    assert world.service().addresses == ()


def test_labels_annotations_conditions_and_finalizers_of_ours_read_over_the_manifest() -> None:
    world = World(a=SERVICE)
    condition = {"type": keys.ALLOCATED_CONDITION, "status": "True", "reason": "Allocated"}
    status = {"loadBalancer": {"ingress": [{"ip": "192.0.2.9", "ipMode": "VIP"}]}, "conditions": [condition]}
    world.start(
        row(
            WEB,
            status,
            labels={keys.EIP_LABEL: "pool", "app": None},
            finalizers=("finalizer.lb.kubesphere.io/v1alpha1",),
        )
    )
    assert world.service() == Service(
        meta=Meta(
            name="web",
            namespace="default",
            labels={keys.EIP_LABEL: "pool"},
            finalizers=("theirs",),
            resource_version="1",
        ),
        type="LoadBalancer",
        ingress=(Ingress(IPv4Address("192.0.2.9"), "", "VIP"),),
        conditions=(Condition(type=keys.ALLOCATED_CONDITION, status="True", reason="Allocated"),),
    )


def test_an_edited_manifest_keeps_the_status_of_the_state() -> None:
    world = World(a=SERVICE)
    world.start(given("192.0.2.9"))
    world.deliver(world.write("a", SERVICE.replace("app: web", "app: api")))
    assert world.service().meta.labels == {"app": "api"}
    assert world.service().addresses == (IPv4Address("192.0.2.9"),)


def test_the_status_of_a_pool_leaves_the_pool_the_same_object() -> None:
    world = World(a=EIP % "192.0.2.0/24")
    before = world.start().eips["pool"]
    assert world.deliver(world.objects.take_rows([row(ref(Kind.EIP, "pool"), {"usage": 1})])) == ()
    assert world.store.snapshot.eips["pool"] is before


def test_what_reads_the_same_is_not_delivered() -> None:
    world = World(a=SERVICE)
    world.start(given("192.0.2.9"))
    touched = world.write("a", SERVICE.replace("192.0.2.7", "192.0.2.8"))
    assert touched == {WEB}
    assert world.deliver(touched) == ()


def test_an_object_that_becomes_invalid_is_spoilt_and_used_as_it_was_until_it_is_repaired() -> None:
    world = World(a=EIP % "192.0.2.0/24")
    world.start()
    [spoilt] = world.deliver(world.write("a", EIP % "192.0.2.0/99"))
    assert isinstance(spoilt, Spoilt)
    assert world.store.snapshot.eips["pool"].size == 256
    [changed] = world.deliver(world.write("a", EIP % "192.0.2.0/24"))
    assert isinstance(changed, Changed)
    assert world.store.snapshot.invalid == {}


def test_a_status_that_comes_while_an_object_is_invalid_does_not_make_it_valid() -> None:
    world = World(a=SERVICE)
    world.start()
    world.deliver(world.write("a", SERVICE.replace("apiVersion: v1", "apiVersion: v9")))
    world.deliver(world.objects.take_rows([given("192.0.2.9")]))
    assert world.service().addresses == (IPv4Address("192.0.2.9"),)
    assert world.store.snapshot.invalid.keys() == {WEB}


def test_an_object_that_is_deleted_is_gone_once() -> None:
    world = World(a=EIP % "192.0.2.0/24", b=SERVICE)
    world.start()
    assert world.deliver(world.manifests.drop("a.yaml")) == (Gone(ref(Kind.EIP, "pool")),)
    assert world.deliver({ref(Kind.EIP, "pool")}) == ()


def test_an_invalid_object_that_is_deleted_is_gone_too() -> None:
    world = World(a=EIP % "192.0.2.0/99")
    assert world.start().invalid.keys() == {ref(Kind.EIP, "pool")}
    world.deliver(world.manifests.drop("a.yaml"))
    assert world.store.snapshot.invalid == {}


def test_warnings_come_and_go_with_the_field_that_causes_them() -> None:
    world = World(a=EIP % "192.0.2.0/24, colour: red")
    assert [defect.path for defect in world.start().warnings[ref(Kind.EIP, "pool")]] == ["spec.colour"]
    world.deliver(world.write("a", EIP % "192.0.2.0/24"))
    assert world.store.snapshot.warnings == {}


def test_a_namespace_that_is_only_mentioned_exists_while_it_is() -> None:
    world = World(a=SERVICE)
    implied = Namespace(Meta(name="default", labels={"kubernetes.io/metadata.name": "default"}))
    assert world.start().namespaces == {"default": implied}
    written = "apiVersion: v1\nkind: Namespace\nmetadata: {name: default, labels: {team: a}}\n"
    world.deliver(world.write("n", written))
    labels = {"team": "a", "kubernetes.io/metadata.name": "default"}
    assert world.store.snapshot.namespaces["default"].meta.labels == labels
    world.deliver(world.manifests.drop("n.yaml"))
    assert world.store.snapshot.namespaces == {"default": implied}
    world.deliver(world.manifests.drop("a.yaml"))
    assert world.store.snapshot.namespaces == {}


def test_the_own_node_is_there_unless_a_manifest_names_it() -> None:
    world = World()
    own = Node(meta=Meta(name="node1"), addresses=(IPv4Address("192.0.2.1"),))
    world.objects.set_own_node(own)
    assert world.start().nodes == {"node1": own}
    world.deliver(world.write("a", "apiVersion: v1\nkind: Node\nmetadata: {name: node1, labels: {a: b}}\n"))
    assert world.store.snapshot.nodes["node1"].meta.labels == {"a": "b"}
    world.deliver(world.manifests.drop("a.yaml"))
    assert world.store.snapshot.nodes == {"node1": own}
    renumbered = msgspec.structs.replace(own, addresses=())
    world.deliver(world.objects.set_own_node(renumbered))
    assert world.store.snapshot.nodes == {"node1": renumbered}


def test_speakers_come_from_the_state_and_are_ready_while_their_process_answers() -> None:
    world = World()
    node1 = ref(Kind.SPEAKER, "node1")
    status = SpeakerStatus(started_at="2026-01-01T00:00:00Z")
    snapshot = world.start(row(node1, status, revision=7))
    assert snapshot.speakers == {"node1": Speaker(Meta(name="node1", resource_version="7"), status)}
    world.deliver(world.objects.set_silent(["node1"]))
    assert [one.ready for one in world.store.snapshot.speakers.values()] == [False]
    world.deliver(world.objects.set_silent([]))
    assert [one.ready for one in world.store.snapshot.speakers.values()] == [True]
    assert world.deliver(world.objects.take_rows([row(node1, None)])) == (Gone(node1),)


def test_rows_read_anew_drop_what_is_no_longer_among_them() -> None:
    world = World(a=SERVICE)
    world.start(given("192.0.2.9"), row(ref(Kind.SPEAKER, "node1"), SpeakerStatus()))
    world.deliver(world.objects.take_all_rows([]))
    assert world.service().addresses == (IPv4Address("192.0.2.7"),)
    assert world.store.snapshot.speakers == {}


def test_a_service_whose_file_cannot_be_read_at_the_start_keeps_its_address_for_itself() -> None:
    world = World(a="kind: [")
    world.start(given("192.0.2.9", labels={keys.EIP_LABEL: "pool"}))
    service = world.service()
    assert service.addresses == (IPv4Address("192.0.2.9"),)
    assert service.meta.annotations == {keys.MANAGED_ANNOTATION: "openelb"}
    assert service.meta.labels == {keys.EIP_LABEL: "pool"}
    world.deliver(world.write("a", SERVICE))
    assert world.service().meta.labels == {"app": "web", keys.EIP_LABEL: "pool"}
    assert world.deliver(world.objects.stop_remembering()) == ()


def test_a_service_that_is_invalid_at_the_start_keeps_its_address_and_is_reported() -> None:
    world = World(a=SERVICE.replace("apiVersion: v1", "apiVersion: v9"))
    snapshot = world.start(given("192.0.2.9"))
    assert world.service().addresses == (IPv4Address("192.0.2.9"),)
    assert snapshot.invalid.keys() == {WEB}
    assert world.deliver(world.objects.stop_remembering()) == ()


def test_what_was_remembered_goes_when_the_repaired_files_do_not_name_it() -> None:
    world = World(a="kind: [")
    world.start(given("192.0.2.9"))
    world.deliver(world.write("a", EIP % "192.0.2.0/24"))
    assert world.service().addresses == (IPv4Address("192.0.2.9"),)
    batch = world.deliver(world.objects.stop_remembering())
    assert set(batch) == {Gone(WEB), Gone(ref(Kind.NAMESPACE, "default"))}
    assert world.objects.unmentioned == (WEB,)


def test_what_no_manifest_names_is_not_remembered_when_all_of_them_can_be_read() -> None:
    world = World(a=EIP % "192.0.2.0/24")
    assert world.start(given("192.0.2.9")).services == {}
    assert world.objects.unmentioned == (WEB,)


def test_a_status_that_cannot_be_read_is_damage_and_names_the_object() -> None:
    with pytest.raises(DamagedState, match="Service default/web"):
        World(a=SERVICE).start(row(WEB, {"conditions": 5}))


def test_lists_hold_each_kind_s_own_objects_and_defects() -> None:
    world = World(a=EIP % "192.0.2.0/99", b=SERVICE)
    world.objects.take_all_rows([])
    listed: dict[Kind, Listed] = {one.kind: one for one in world.objects.list_all()}
    assert [one.meta.name for one in listed[Kind.SERVICE].resources] == ["web"]
    assert [invalid.ref for invalid in listed[Kind.EIP].invalid] == [ref(Kind.EIP, "pool")]
    assert listed[Kind.SERVICE].invalid == ()
