"""The CustomResourceDefinitions of Eip, BgpConf, BgpPeer and Speaker, made from the wire types. Pure.

Names, versions and the Eip's columns are OpenELB's, so that ours replace theirs. v1alpha1 stays listed, not
served: an API server refuses a definition that drops a version in which objects may be stored. `make crds`
writes them to manifests/crds.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import yaml

from openelb_bgp.decode.wire import bgp_conf, bgp_peer, eip
from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind
from openelb_bgp.model.statuses import BgpConfStatus, BgpPeerStatus, EipStatus, SpeakerStatus

from . import schema

Document = dict[str, Any]

STORED = keys.VERSION
_HEAD = "# Made by `make crds` from openelb_bgp/decode/wire and openelb_bgp/kube/rules.py: edit those."
LISTED = "v1alpha1"
"""The version of OpenELB 0.3, which later ones listed too."""


class _Column(msgspec.Struct, frozen=True):
    """A printer column; `wide` ones show with -o wide."""

    name: str
    path: str
    type: str = "string"
    wide: bool = False

    def document(self) -> Document:
        priority = {"priority": 1} if self.wide else {}
        return {"name": self.name, "type": self.type, "jsonPath": self.path, **priority}


class _Definition(msgspec.Struct, frozen=True):
    kind: Kind
    description: str
    status: type[msgspec.Struct]
    columns: tuple[_Column, ...]
    spec: type[msgspec.Struct] | None = None
    categories: tuple[str, ...] = ()
    listed: bool = True

    @property
    def plural(self) -> str:
        return f"{self.kind.lower()}s"

    @property
    def name(self) -> str:
        return f"{self.plural}.{keys.GROUP}"


def _ready(field: str) -> str:
    return f'.status.conditions[?(@.type=="Ready")].{field}'


def _annotation(key: str) -> str:
    return ".metadata.annotations." + key.replace(".", r"\.")


_AGE = _Column("age", ".metadata.creationTimestamp", "date")
_READY = (_Column("ready", _ready("status")), _Column("reason", _ready("reason")))
_MESSAGE = _Column("message", _ready("message"), wide=True)

_DEFINITIONS = (
    _Definition(
        Kind.EIP,
        "A pool of addresses for Services of type LoadBalancer, and how they are announced.",
        spec=eip.EipSpec,
        status=EipStatus,
        categories=("networking",),
        columns=(
            _Column("cidr", ".spec.address"),
            _Column("usage", ".status.usage", "integer"),
            _Column("total", ".status.poolSize", "integer"),
            _Column("protocol", ".spec.protocol", wide=True),
            _Column("default", _annotation(keys.DEFAULT_EIP_ANNOTATION), wide=True),
            _Column("disabled", ".spec.disable", "boolean", wide=True),
            _Column("announced-by", ".status.announcedBy", wide=True),
        ),
    ),
    _Definition(
        Kind.BGP_CONF,
        "BGP settings of all speakers; only the one named default counts.",
        spec=bgp_conf.BgpConfSpec,
        status=BgpConfStatus,
        columns=(
            _Column("as", ".spec.as", "integer"),
            *_READY,
            _AGE,
            _Column("port", ".spec.listenPort", "integer", wide=True),
            _Column("next-hops", ".spec.nextHops", wide=True),
            _MESSAGE,
        ),
    ),
    _Definition(
        Kind.BGP_PEER,
        "A BGP neighbour of the nodes.",
        spec=bgp_peer.BgpPeerSpec,
        status=BgpPeerStatus,
        columns=(
            _Column("neighbor", ".spec.conf.neighborAddress"),
            _Column("as", ".spec.conf.peerAs", "integer"),
            *_READY,
            _AGE,
            _Column("discovery", ".spec.conf.neighborDiscovery", wide=True),
            _MESSAGE,
        ),
    ),
    _Definition(
        Kind.SPEAKER,
        "What the speaker of one node does and observes; named after the node, written by that speaker only.",
        status=SpeakerStatus,
        listed=False,
        columns=(
            _Column("as", ".status.gobgp.as", "integer"),
            _Column("sessions", ".status.summary.sessions"),
            _Column("routes", ".status.summary.routes"),
            _Column("problems", ".status.summary.problems", "integer"),
            _Column("age", ".status.startedAt", "date"),
            _Column("router-id", ".status.gobgp.routerId", wide=True),
            _Column("gobgp", ".status.gobgp.version", wide=True),
            _Column("standing-in-for", ".status.standingInFor", wide=True),
            _Column("draining", ".status.draining", "boolean", wide=True),
            _Column("revision", ".status.appliedRevision", "integer", wide=True),
        ),
    ),
)


def definitions() -> Mapping[str, Document]:
    """The four definitions, each by the name of its file."""
    return {f"{keys.GROUP}_{one.plural}.yaml": _document(one) for one in _DEFINITIONS}


def as_yaml(document: Document) -> str:
    """One definition as it is written to a file."""
    text = yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=110, allow_unicode=True)
    return f"{_HEAD}\n{text}"


class _Dumper(yaml.SafeDumper):
    """Writes every part out: aliases would save lines and cost readers."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _document(one: _Definition) -> Document:
    categories = {"categories": list(one.categories)} if one.categories else {}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": one.name},
        "spec": {
            "group": keys.GROUP,
            "names": {
                **categories,
                "kind": one.kind.value,
                "listKind": f"{one.kind}List",
                "plural": one.plural,
                "singular": one.kind.lower(),
            },
            "scope": "Cluster",
            "versions": [*([_listed()] if one.listed else []), _stored(one)],
        },
    }


def _listed() -> Document:
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {"name": LISTED, "served": False, "storage": False, "schema": {"openAPIV3Schema": anything}}


def _stored(one: _Definition) -> Document:
    spec = {"spec": schema.of_spec(one.spec)} if one.spec else {}
    return {
        "name": STORED,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.document() for column in one.columns],
        "schema": {
            "openAPIV3Schema": {
                "description": one.description,
                "type": "object",
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                    **spec,
                    "status": schema.of_status(one.status),
                },
            }
        },
    }
