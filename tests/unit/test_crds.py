"""The CustomResourceDefinitions as files: made from the model, and in OpenELB's place."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from openelb_bgp.kube import rules, texts
from openelb_bgp.kube.crds import as_yaml, definitions
from openelb_bgp.report.columns import COLUMNS

CRDS = Path(__file__).parents[2] / "manifests" / "crds"


def _schema(plural: str) -> dict[str, Any]:
    document = definitions()[f"network.kubesphere.io_{plural}.yaml"]
    schema: dict[str, Any] = document["spec"]["versions"][-1]["schema"]["openAPIV3Schema"]
    return schema


def _all_parts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield schema
    inner = list(schema.get("properties", {}).values())
    inner += [schema[key] for key in ("items", "additionalProperties") if key in schema]
    for one in inner:
        yield from _all_parts(one)


def test_the_files_are_what_the_model_gives() -> None:
    written = {file.name: file.read_text() for file in CRDS.glob("*_*.yaml")}
    assert written == {name: as_yaml(document) for name, document in definitions().items()}, "run `make crds`"


def test_a_file_reads_back_as_the_definition() -> None:
    for document in definitions().values():
        assert yaml.safe_load(as_yaml(document)) == document


def test_names_scope_and_versions_are_those_of_openelb() -> None:
    eip = definitions()["network.kubesphere.io_eips.yaml"]["spec"]
    assert eip["group"] == "network.kubesphere.io"
    assert eip["scope"] == "Cluster"
    assert eip["names"] == {
        "categories": ["networking"],
        "kind": "Eip",
        "listKind": "EipList",
        "plural": "eips",
        "singular": "eip",
    }
    for plural in ("eips", "bgpconfs", "bgppeers"):
        versions = definitions()[f"network.kubesphere.io_{plural}.yaml"]["spec"]["versions"]
        assert [(one["name"], one["served"], one["storage"]) for one in versions] == [
            ("v1alpha1", False, False),
            ("v1alpha2", True, True),
        ]
        assert versions[1]["subresources"] == {"status": {}}


def test_the_eips_columns_are_openelbs_and_ours_only_when_wide() -> None:
    columns = definitions()["network.kubesphere.io_eips.yaml"]["spec"]["versions"][1][
        "additionalPrinterColumns"
    ]
    assert [(one["name"], one["jsonPath"]) for one in columns if not one.get("priority")] == [
        ("cidr", ".spec.address"),
        ("usage", ".status.usage"),
        ("total", ".status.poolSize"),
    ]


@pytest.mark.parametrize("kind", ["Eip", "BgpConf", "BgpPeer", "Speaker"])
def test_kubectl_shows_the_columns_that_our_own_get_shows(kind: str) -> None:
    stored = definitions()[f"network.kubesphere.io_{kind.lower()}s.yaml"]["spec"]["versions"][-1]
    titles = ["NAME", *(one["name"].upper() for one in stored["additionalPrinterColumns"])]
    # Ours puts the address or the discovery into one column, which a path cannot.
    assert [one for one in titles if one != "DISCOVERY"] == [column.title for column in COLUMNS[kind]]


def test_no_schema_has_a_default() -> None:
    for plural in ("eips", "bgpconfs", "bgppeers", "speakers"):
        assert all("default" not in part for part in _all_parts(_schema(plural)))


def test_every_rule_says_what_to_write_instead() -> None:
    remedies = re.compile(r"(write|keep|add|remove|turn|agree) ")
    found = [
        rule
        for plural in ("eips", "bgpconfs", "bgppeers")
        for part in _all_parts(_schema(plural))
        for rule in part.get("x-kubernetes-validations", ())
    ]
    assert len(found) > 60
    assert [rule for rule in found if not remedies.match(rule["message"])] == []


def test_rules_call_only_what_the_oldest_supported_api_server_knows_in_new_ones() -> None:
    """Kubernetes 1.30 takes what 1.29 knew: no ip(), cidr() or format."""
    called = {
        name
        for plural in ("eips", "bgpconfs", "bgppeers")
        for part in _all_parts(_schema(plural))
        for rule in part.get("x-kubernetes-validations", ())
        for name in re.findall(r"(\w+)\(", re.sub(r"r'[^']*'", "", rule["rule"]))
    }
    assert called == {"bytes", "contains", "exists", "has", "matches", "size"}


def test_no_rule_stands_where_writing_a_status_would_meet_it() -> None:
    for plural in ("eips", "bgpconfs", "bgppeers", "speakers"):
        schema = _schema(plural)
        assert "x-kubernetes-validations" not in schema
        assert all(
            "x-kubernetes-validations" not in part for part in _all_parts(schema["properties"]["status"])
        )


@pytest.mark.parametrize(("owner", "field"), sorted(rules.FIELDS, key=str))
def test_what_is_checked_is_a_field(owner: type[msgspec.Struct], field: str) -> None:
    info = msgspec.inspect.type_info(owner)
    assert isinstance(info, msgspec.inspect.StructType)
    assert field in {one.encode_name for one in info.fields}


def test_a_password_that_openelb_wrote_into_a_status_is_not_kept() -> None:
    nodes = _schema("bgppeers")["properties"]["status"]["properties"]["nodesPeerStatus"]
    assert "authPassword" not in nodes["additionalProperties"]["properties"]["peerState"]["properties"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " , ",
        "192.0.2",
        "192.0.2.300",
        "192.0.2.0/33",
        "2001:db8::/129",
        "192.0.2.1-2001:db8::1",
        "web",
        "1-2",
    ],
)
def test_the_rule_refuses_what_is_no_address(text: str) -> None:
    assert not re.search(texts.RANGES, text)
