"""Node, Pod, Namespace, ConfigMap and Secret, cut down to what decisions use."""

from collections.abc import Mapping

import msgspec

from . import keys
from .addresses import Address, Family
from .meta import EMPTY, Key, Kind, Meta, ObjectRef


class Taint(msgspec.Struct, frozen=True):
    """A node's taint."""

    key: str
    effect: str
    value: str = ""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A node. `ready` is None where no Ready condition is written (with files: counts as ready).

    `shutting_down` is what its own kubelet says, before it ends the pods.
    """

    meta: Meta
    addresses: tuple[Address, ...] = ()
    ready: bool | None = None
    network_unavailable: bool = False
    unschedulable: bool = False
    shutting_down: bool = False
    taints: tuple[Taint, ...] = ()
    boot_id: str = ""

    @property
    def name(self) -> str:
        """The node's name."""
        return self.meta.name

    @property
    def ref(self) -> ObjectRef:
        """Its reference."""
        return ObjectRef(Kind.NODE, Key("", self.meta.name))

    @property
    def rack(self) -> str:
        """Its rack; nodes without the label form one rack of their own, the empty name."""
        return self.meta.labels.get(keys.RACK_LABEL, "")

    def address(self, family: Family) -> Address | None:
        """Its first InternalIP of the family."""
        return next((one for one in self.addresses if one.version == family.value), None)


class Pod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod of a speaker: on which node it is, and whether kubelet finds it ready."""

    meta: Meta
    node: str = ""
    ready: bool = False


class Namespace(msgspec.Struct, frozen=True):
    """A namespace and its labels."""

    meta: Meta


class ConfigMap(msgspec.Struct, frozen=True):
    """A ConfigMap's text data."""

    meta: Meta
    data: Mapping[str, str] = EMPTY


class Secret(msgspec.Struct, frozen=True):
    """A Secret's data, decoded from base64. Its values never reach a repr, a log or a status."""

    meta: Meta
    data: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"Secret({self.meta.key}, keys={sorted(self.data)})"
