"""The kinds that `get` shows, under kubectl's names, and objects made fit to be seen.

Secrets are not among them, and no password leaves here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind

HIDDEN = "<hidden>"
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

Object = Mapping[str, Any]


class ShownKind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of object: its plural and other names, all lower case, and its API group."""

    kind: str
    plural: str
    short: tuple[str, ...] = ()
    group: str = ""
    namespaced: bool = False

    @property
    def singular(self) -> str:
        """The name of one."""
        return self.kind.lower()

    @property
    def resource(self) -> str:
        """`eips.network.kubesphere.io`, as kubectl names the type in errors."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def name_of(self, one: Object) -> str:
        """`eip.network.kubesphere.io/NAME`, as kubectl prints names."""
        prefix = f"{self.singular}.{self.group}" if self.group else self.singular
        return f"{prefix}/{one['metadata']['name']}"


SHOWN = (
    ShownKind(kind=Kind.EIP, plural="eips", group=keys.GROUP),
    ShownKind(kind=Kind.BGP_CONF, plural="bgpconfs", group=keys.GROUP),
    ShownKind(kind=Kind.BGP_PEER, plural="bgppeers", group=keys.GROUP),
    ShownKind(kind=Kind.SPEAKER, plural="speakers", group=keys.GROUP),
    ShownKind(kind=Kind.SERVICE, plural="services", short=("svc",), namespaced=True),
    ShownKind(kind=Kind.ENDPOINT_SLICE, plural="endpointslices", group="discovery.k8s.io", namespaced=True),
    ShownKind(kind=Kind.NODE, plural="nodes", short=("no",)),
    ShownKind(kind=Kind.NAMESPACE, plural="namespaces", short=("ns",)),
    ShownKind(kind=Kind.CONFIG_MAP, plural="configmaps", short=("cm",), namespaced=True),
    ShownKind(kind="Event", plural="events", short=("ev",), namespaced=True),
)
_BY_NAME = {name: one for one in SHOWN for name in (one.plural, one.singular, one.resource, *one.short)}


class UnknownKind(Exception):
    """A name that is no kind; the text is one line with those that are."""


def kinds_named(text: str) -> tuple[ShownKind, ...]:
    """The kinds of a comma list. Raises UnknownKind."""
    found = []
    for name in text.lower().split(","):
        if name not in _BY_NAME:
            known = ", ".join(one.plural for one in SHOWN)
            raise UnknownKind(f"there is no kind {name!r} to show; name some of {known}")
        found.append(_BY_NAME[name])
    return tuple(dict.fromkeys(found))


def chosen(objects: Iterable[Object], *, names: Iterable[str], namespace: str | None) -> list[Object]:
    """Those of the names (all when none is given) in the namespace (any when None)."""
    wanted = frozenset(names)
    return [
        one
        for one in objects
        if (not wanted or one["metadata"]["name"] in wanted)
        and (namespace is None or one["metadata"].get("namespace", "default") == namespace)
    ]


def fit_to_show(one: Object) -> dict[str, Any]:
    """The object without a password, neither in its spec nor in what kubectl remembers of it."""
    if one.get("kind") != Kind.BGP_PEER:
        return dict(one)
    shown = {**one, "metadata": _without_memory(one.get("metadata"))}
    spec = one.get("spec")
    conf = spec.get("conf") if isinstance(spec, Mapping) else None
    if isinstance(spec, Mapping) and isinstance(conf, Mapping) and "authPassword" in conf:
        shown["spec"] = {**spec, "conf": {**conf, "authPassword": HIDDEN}}
    return shown


def _without_memory(metadata: Any) -> Any:
    if not isinstance(metadata, Mapping) or not isinstance(metadata.get("annotations"), Mapping):
        return metadata
    kept = {key: value for key, value in metadata["annotations"].items() if key != _LAST_APPLIED}
    return {**metadata, "annotations": kept}
