"""JSON of an API server, read in one go: what comes of it is what the slower way makes of it."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from openelb_bgp.decode import decode, decode_change, decode_json
from openelb_bgp.model.meta import Kind

SLICE: dict[str, Any] = {
    "apiVersion": "discovery.k8s.io/v1",
    "kind": "EndpointSlice",
    "metadata": {
        "name": "web-abcde",
        "namespace": "shop",
        "resourceVersion": "41",
        "labels": {"kubernetes.io/service-name": "web"},
        "managedFields": [{"manager": "others"}],
    },
    "addressType": "IPv4",
    "endpoints": [
        {"addresses": ["10.244.0.1"], "nodeName": "node1", "conditions": {"ready": True}},
        {"addresses": ["10.244.0.2"], "nodeName": "node2", "conditions": {"ready": False}},
    ],
}
SAMPLES = Path(__file__).parents[2] / "manifests" / "samples"
_KINDS = {kind.value: kind for kind in Kind}
DOCUMENTS = [
    SLICE,
    *(
        document
        for file in sorted(SAMPLES.glob("*/*.yaml"))
        for document in yaml.safe_load_all(file.read_text())
        if document["kind"] in _KINDS
    ),
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda one: f"{one['kind']} {one['metadata']['name']}")
def test_an_object_reads_the_same_with_and_without_its_kind_and_in_a_watch(document: dict[str, Any]) -> None:
    kind, expected = _KINDS[document["kind"]], decode(document)
    bare = {key: value for key, value in document.items() if key not in ("apiVersion", "kind")}
    assert decode_json(msgspec.json.encode(document), kind) == expected
    assert decode_json(msgspec.json.encode(bare), kind) == expected
    line = msgspec.json.encode({"type": "MODIFIED", "object": document})
    assert decode_change(line, kind) in (expected, None)


def test_of_the_many_a_line_is_read_in_one_go() -> None:
    line = msgspec.json.encode({"type": "ADDED", "object": SLICE})
    assert decode_change(line, Kind.ENDPOINT_SLICE) == decode(SLICE)


@pytest.mark.parametrize("type_", ["DELETED", "BOOKMARK", "ERROR"])
def test_a_line_that_says_anything_else_is_left_to_the_reader(type_: str) -> None:
    line = msgspec.json.encode({"type": type_, "object": SLICE})
    assert decode_change(line, Kind.ENDPOINT_SLICE) is None


def test_what_does_not_fit_is_read_the_slow_way_and_said() -> None:
    spoilt = {**SLICE, "endpoints": [{"nodeName": 7}]}
    assert (
        decode_change(msgspec.json.encode({"type": "ADDED", "object": spoilt}), Kind.ENDPOINT_SLICE) is None
    )
    assert decode_json(msgspec.json.encode(spoilt), Kind.ENDPOINT_SLICE) == decode(spoilt)
