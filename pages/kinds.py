"""The pages about Eip, BgpConf, BgpPeer and Speaker: what is written and what is reported, by field. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import yaml
from msgspec import inspect

from openelb_bgp.kube import rules
from openelb_bgp.kube.crds import definitions
from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind

from .fields import SPECS, Described, fields_of
from .tables import cell, table

_SMALLEST: Mapping[Kind, dict[str, Any]] = {
    Kind.EIP: {"metadata": {"name": "public"}, "spec": {"address": "198.51.100.0/28"}},
    Kind.BGP_CONF: {"metadata": {"name": keys.BGP_CONF_NAME}, "spec": {"as": 65000}},
    Kind.BGP_PEER: {
        "metadata": {"name": "tor"},
        "spec": {"conf": {"neighborAddress": "192.0.2.1", "peerAs": 65001}},
    },
}


def page(kind: Kind) -> str:
    """The whole page of one kind."""
    return "\n".join(_page(kind)).rstrip("\n") + "\n"


def _page(kind: Kind) -> Iterator[str]:
    schema = _schema(kind)
    yield f"# {kind}"
    yield ""
    yield f"{schema['description']} Cluster-scoped, `{keys.API_VERSION}`."
    yield ""
    if kind in SPECS:
        yield from _spec(kind)
    yield "## What is reported"
    yield ""
    yield "Fields of `status`. They say what was observed; writing there does nothing."
    yield ""
    yield from table(("field", "type", "what it says"), _reported("", schema["properties"]["status"]))


def _spec(kind: Kind) -> Iterator[str]:
    fields = fields_of(kind)
    yield from _yaml({"apiVersion": keys.API_VERSION, "kind": str(kind), **_SMALLEST[kind]})
    yield "Nothing has a default in the schema: what is applied comes back unchanged. Fields that OpenELB"
    yield "does not have are marked *ours*."
    yield ""
    yield from table(
        ("field", "what it is", "where absent"),
        ((f"[`{one.path}`](#{_anchor(one.path)})", one.description, one.default) for one in fields),
    )
    yield from _together(fields, kind)
    for one in fields:
        yield from _section(one)


def _together(fields: Iterable[Described], kind: Kind) -> Iterator[str]:
    """What holds between fields, by the object that they are in."""
    found = list(_struct_rules(SPECS[kind].type, "spec"))
    if found:
        yield "## Between fields"
        yield ""
        yield from (f"- `{path}`: {message}." for path, message in found)
        yield ""
    yield "## Field by field"
    yield ""


def _struct_rules(type_: type[msgspec.Struct], path: str) -> Iterator[tuple[str, str]]:
    yield from ((path, rule.message) for rule in rules.of_struct(type_))
    info = inspect.type_info(type_)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        for struct in _structs(field.type):
            yield from _struct_rules(struct, f"{path}.{field.encode_name}")


def _structs(info: inspect.Type) -> Iterator[type[msgspec.Struct]]:
    match info:
        case inspect.Metadata():
            yield from _structs(info.type)
        case inspect.UnionType():
            for one in info.types:
                yield from _structs(one)
        case inspect.VarTupleType():
            yield from _structs(info.item_type)
        case inspect.StructType():
            yield info.cls


def _section(one: Described) -> Iterator[str]:
    yield f"### `{one.path}`"
    yield ""
    yield one.description + (" *Ours.*" if one.is_ours else "")
    yield ""
    if one.is_object:
        return
    yield from table(
        ("", ""),
        (
            ("type", one.type),
            ("where absent", one.default),
            ("rule", one.rule),
            ("modes", ", ".join(one.modes)),
            ("an edit", one.edit or ""),
        ),
    )
    yield from _yaml(one.written())


def _anchor(path: str) -> str:
    """As the site's slugs and those of code hosts have it."""
    return "".join(char for char in path.lower() if char.isalnum() or char in "-_")


def _yaml(document: Mapping[str, Any]) -> Iterator[str]:
    yield "```yaml"
    yield yaml.safe_dump(document, sort_keys=False, allow_unicode=True).rstrip("\n")
    yield "```"
    yield ""


def _schema(kind: Kind) -> dict[str, Any]:
    document = definitions()[f"{keys.GROUP}_{kind.lower()}s.yaml"]
    schema: dict[str, Any] = document["spec"]["versions"][-1]["schema"]["openAPIV3Schema"]
    return schema


def _reported(path: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, inner in schema.get("properties", {}).items():
        here = f"{path}{name}"
        below = inner.get("additionalProperties") or inner.get("items") or inner
        mark = "[NODE]" if "additionalProperties" in inner and "properties" in below else ""
        mark = "[]" if "items" in inner else mark
        yield f"`{here}{mark}`", _type_of(inner), cell(inner.get("description", ""))
        # A condition is Kubernetes' own, and the same everywhere.
        if name != "conditions":
            yield from _reported(f"{here}{mark}.", below)


def _type_of(schema: Mapping[str, Any]) -> str:
    if "items" in schema:
        return f"list of {_type_of(schema['items'])}"
    if "additionalProperties" in schema:
        return f"map to {_type_of(schema['additionalProperties'])}"
    return str(schema.get("type", "integer or text")).replace("string", "text")
