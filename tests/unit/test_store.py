"""The store: what a batch makes of a Snapshot, and what it leaves untouched."""

from typing import Any

import msgspec

from openelb_bgp.model.addresses import AddressRange
from openelb_bgp.model.cluster import Namespace, Node
from openelb_bgp.model.errors import Defect, InvalidResource
from openelb_bgp.model.meta import Key, Kind, Meta, ref
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.services import Endpoint, EndpointSlice, Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import SpeakerStatus
from openelb_bgp.ports import Changed, Gone, Listed, Spoilt, Unseen
from openelb_bgp.runtime.store import Store

DEFECT = Defect(path="spec.address", value="x", problem="is no address", remedy="write 192.0.2.0/24")


def eip(name: str = "pool", *, priority: int = 0) -> Eip:
    return Eip(meta=Meta(name=name), ranges=(AddressRange(4, 1, 9),), priority=priority)


def service(name: str = "web", **fields: Any) -> Service:
    return Service(meta=Meta(name=name, namespace="default"), **fields)


def slice_of(service: str, name: str, *nodes: str) -> EndpointSlice:
    meta = Meta(name=name, namespace="default")
    return EndpointSlice(
        meta=meta, service=service, family=None, endpoints=tuple(Endpoint(node) for node in nodes)
    )


def broken(name: str = "pool") -> InvalidResource:
    return InvalidResource(ref(Kind.EIP, name), (DEFECT,))


def test_objects_are_found_by_name_or_by_key_as_their_kind_has_it() -> None:
    store = Store()
    node = Node(meta=Meta(name="node1"))
    namespace = Namespace(Meta(name="default"))
    store.apply([Changed(eip()), Changed(service()), Changed(node), Changed(namespace)])
    assert store.snapshot == Snapshot(
        eips={"pool": eip()},
        services={Key("default", "web"): service()},
        nodes={"node1": node},
        namespaces={"default": namespace},
    )


def test_a_batch_leaves_the_earlier_snapshot_and_untouched_objects_as_they_were() -> None:
    store = Store()
    store.apply([Changed(eip()), Changed(service("web")), Changed(service("other"))])
    before = store.snapshot
    store.apply([Changed(service("web", local=True))])
    assert before.services[Key("default", "web")] == service("web")
    assert store.snapshot.services is not before.services
    assert store.snapshot.eips is before.eips
    other = Key("default", "other")
    assert store.snapshot.services[other] is before.services[other]


def test_a_batch_that_says_nothing_new_changes_nothing_and_wakes_nobody() -> None:
    store = Store()
    woken: list[str] = []
    store.subscribe(lambda: woken.append("woken"))
    batch = [Listed(Kind.EIP, (eip(),), (broken("bad"),), {ref(Kind.EIP, "pool"): (DEFECT,)})]
    assert store.apply(batch)
    before = store.snapshot
    assert not store.apply([*batch, Changed(eip(), (DEFECT,)), Spoilt(broken("bad"))])
    assert store.snapshot is before
    assert woken == ["woken"]


def test_that_objects_may_be_unseen_is_told_until_it_is_taken_back() -> None:
    store = Store()
    told = [store.apply([Unseen(why)]) for why in ("", "a.yaml does not parse", "a.yaml does not parse")]
    assert (told, store.snapshot.unseen) == ([False, True, False], "a.yaml does not parse")
    store.apply([Unseen("")])
    assert store.snapshot.unseen == ""


def test_slices_are_kept_by_service_and_in_the_order_of_their_names() -> None:
    store = Store()
    first, second = slice_of("web", "a", "node1"), slice_of("web", "b", "node2")
    store.apply([Changed(second), Changed(first)])
    assert store.snapshot.slices == {Key("default", "web"): (first, second)}


def test_a_slice_that_moves_to_another_service_leaves_the_first_one() -> None:
    store = Store()
    store.apply([Changed(slice_of("web", "a", "node1"))])
    moved = slice_of("api", "a", "node1")
    store.apply([Changed(moved)])
    assert store.snapshot.slices == {Key("default", "api"): (moved,)}


def test_a_slice_without_a_service_serves_nobody() -> None:
    store = Store()
    store.apply([Changed(slice_of("web", "a", "node1"))])
    store.apply([Changed(slice_of("", "a", "node1"))])
    assert store.snapshot.slices == {}


def test_only_the_slices_of_the_changed_service_are_new() -> None:
    store = Store()
    store.apply([Changed(slice_of("web", "a")), Changed(slice_of("web", "b")), Changed(slice_of("api", "c"))])
    before = store.snapshot.slices
    store.apply([Changed(slice_of("web", "a", "node1"))])
    after = store.snapshot.slices
    assert after[Key("default", "api")] is before[Key("default", "api")]
    assert after[Key("default", "web")][1] is before[Key("default", "web")][1]


def test_a_deleted_slice_takes_its_service_out_of_the_index_when_it_was_the_last() -> None:
    store = Store()
    store.apply([Changed(slice_of("web", "a")), Changed(slice_of("web", "b"))])
    store.apply([Gone(ref(Kind.ENDPOINT_SLICE, "a", namespace="default"))])
    assert store.snapshot.slices == {Key("default", "web"): (slice_of("web", "b"),)}
    store.apply([Gone(ref(Kind.ENDPOINT_SLICE, "b", namespace="default"))])
    assert store.snapshot.slices == {}


def test_a_listed_kind_is_replaced_whole_so_that_a_missed_deletion_heals() -> None:
    store = Store()
    store.apply([Changed(eip("old")), Changed(service()), Changed(slice_of("web", "a"))])
    store.apply([Listed(Kind.EIP, (eip("new"),)), Listed(Kind.ENDPOINT_SLICE, (slice_of("api", "b"),))])
    assert store.snapshot == Snapshot(
        eips={"new": eip("new")},
        services={Key("default", "web"): service()},
        slices={Key("default", "api"): (slice_of("api", "b"),)},
        listed=frozenset({Kind.EIP, Kind.ENDPOINT_SLICE}),
    )


def test_an_object_that_becomes_invalid_keeps_its_last_good_version_and_says_so() -> None:
    store = Store()
    store.apply([Changed(eip())])
    store.apply([Spoilt(broken())])
    assert store.snapshot.eips == {"pool": eip()}
    assert store.snapshot.invalid == {ref(Kind.EIP, "pool"): broken()}


def test_an_object_listed_as_invalid_keeps_its_last_good_version_too() -> None:
    store = Store()
    store.apply([Listed(Kind.EIP, (eip(), eip("other")))])
    store.apply([Listed(Kind.EIP, (), (broken(),))])
    assert store.snapshot.eips == {"pool": eip()}
    assert store.snapshot.invalid == {ref(Kind.EIP, "pool"): broken()}


def test_a_new_object_that_is_invalid_is_only_reported() -> None:
    store = Store()
    store.apply([Spoilt(broken())])
    assert store.snapshot.eips == {}
    assert store.snapshot.invalid == {ref(Kind.EIP, "pool"): broken()}


def test_an_object_that_is_good_again_is_no_longer_reported() -> None:
    store = Store()
    store.apply([Spoilt(broken()), Changed(eip("other"), (DEFECT,))])
    store.apply([Changed(eip()), Changed(eip("other"))])
    assert (store.snapshot.invalid, store.snapshot.warnings) == ({}, {})


def test_a_list_replaces_what_was_reported_of_its_kind_and_of_no_other() -> None:
    store = Store()
    node = InvalidResource(ref(Kind.NODE, "node1"), (DEFECT,))
    store.apply([Spoilt(broken("gone")), Spoilt(node), Changed(eip(), (DEFECT,))])
    store.apply([Listed(Kind.EIP, (eip(),))])
    assert store.snapshot.invalid == {node.ref: node}
    assert store.snapshot.warnings == {}


def test_a_deleted_object_leaves_nothing_behind() -> None:
    store = Store()
    store.apply([Changed(eip(), (DEFECT,)), Spoilt(broken())])
    store.apply([Gone(ref(Kind.EIP, "pool"))])
    assert store.snapshot == Snapshot()


def test_the_revision_is_the_highest_seen_and_no_speaker_counts() -> None:
    store = Store()
    meta = Meta(name="web", namespace="default", resource_version="41")
    store.apply([Changed(Service(meta=meta)), Changed(eip())])
    speaker = Speaker(Meta(name="node1", resource_version="99"), SpeakerStatus())
    store.apply([Changed(speaker), Changed(msgspec.structs.replace(eip(), priority=1))])
    assert store.snapshot.revision == 41


def test_a_kind_that_is_listed_again_counts_anew() -> None:
    def at(name: str, version: str) -> Service:
        return Service(meta=Meta(name=name, namespace="default", resource_version=version))

    store = Store()
    pool = Eip(meta=Meta(name="pool", resource_version="30"), ranges=(AddressRange(4, 1, 9),))
    store.apply([Listed(Kind.EIP, (pool,)), Listed(Kind.SERVICE, (at("web", "50"), at("other", "20")))])
    assert store.snapshot.revision == 50
    # An older etcd was restored.
    store.apply([Listed(Kind.SERVICE, (at("other", "20"),))])
    assert store.snapshot.revision == 30
    store.apply([Changed(at("web", "31"))])
    assert store.snapshot.revision == 31


def test_a_kind_counts_as_listed_once_it_was_listed() -> None:
    store = Store()
    store.apply([Changed(eip())])
    assert not store.snapshot.has_listed(Kind.EIP)
    assert store.apply([Listed(Kind.EIP, (eip(),)), Listed(Kind.NODE, ())])
    assert store.snapshot.has_listed(Kind.EIP, Kind.NODE)
