"""What every object has: kind, name, labels, annotations; and the selectors over labels.

Values of which a cluster has tens of thousands are made with `gc=False`: frozen and built from the leaves up,
they can be in no cycle, and the collector need not know them.
"""

import enum
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, cast

import msgspec

EMPTY: Mapping[Any, Any] = MappingProxyType({})
"""The default of fields that are mappings: it can be shared, because nobody can change it."""


Patch = Mapping[str, str | None]
"""Labels or annotations to be set; None takes one away."""


class Kind(enum.StrEnum):
    """The kinds that we read or write; the value is the Kubernetes kind."""

    # Enum's own hash is computed in Python, and references are looked up all the time.
    __hash__ = str.__hash__

    EIP = "Eip"
    BGP_CONF = "BgpConf"
    BGP_PEER = "BgpPeer"
    SPEAKER = "Speaker"
    SERVICE = "Service"
    ENDPOINT_SLICE = "EndpointSlice"
    NODE = "Node"
    NAMESPACE = "Namespace"
    CONFIG_MAP = "ConfigMap"
    SECRET = "Secret"
    POD = "Pod"

    @property
    def namespaced(self) -> bool:
        """Whether objects of this kind live in a namespace."""
        return self in _NAMESPACED


_NAMESPACED = frozenset({Kind.SERVICE, Kind.ENDPOINT_SLICE, Kind.CONFIG_MAP, Kind.SECRET, Kind.POD})


class Key(NamedTuple):
    """Namespace and name; the namespace is empty for cluster-scoped kinds. Orders as kubectl lists."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class ObjectRef(NamedTuple):
    """Names one object of one kind."""

    kind: Kind
    key: Key

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"


def ref(kind: Kind, name: str, *, namespace: str = "") -> ObjectRef:
    """The reference to an object by its names."""
    return ObjectRef(kind, Key(namespace, name))


class Meta(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Metadata that decisions use.

    `created` is seconds since the epoch (0.0 when unknown): of two holders of one address the earlier
    keeps it. `resource_version` is the revision that a write must carry, empty where there is none.
    """

    name: str
    namespace: str = ""
    labels: Mapping[str, str] = EMPTY
    annotations: Mapping[str, str] = EMPTY
    uid: str = ""
    created: float = 0.0
    deleting: bool = False
    finalizers: tuple[str, ...] = ()
    resource_version: str = ""
    generation: int = 0

    @property
    def key(self) -> Key:
        """Namespace and name."""
        return Key(self.namespace, self.name)


def patched(values: Mapping[str, str], patch: Patch) -> Mapping[str, str]:
    """Labels or annotations with a patch applied; the same mapping where it changes nothing."""
    laid = {**values, **patch}
    if None in laid.values():
        laid = {key: value for key, value in laid.items() if value is not None}
    return values if laid == values else cast(Mapping[str, str], laid)


class Requirement(msgspec.Struct, frozen=True):
    """One expression of a LabelSelector; `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy it (Kubernetes API, LabelSelectorRequirement)."""
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case _:
                return self.key not in labels


class LabelSelector(msgspec.Struct, frozen=True):
    """A Kubernetes LabelSelector: everything in it must hold; the empty one matches all."""

    match_labels: tuple[tuple[str, str], ...] = ()
    match_expressions: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy every label and expression."""
        return all(labels.get(key) == value for key, value in self.match_labels) and all(
            requirement.matches(labels) for requirement in self.match_expressions
        )
