"""Table columns for each kind, as `kubectl get` prints them: a title and what stands under it.

They work on objects in Kubernetes' JSON shape, so that they show what was written and reported, nothing that
we would make of it. For OpenELB's kinds they are the printer columns of the CRDs; Speaker's are ours. How a
table is set is the CLI's matter.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind
from openelb_bgp.model.statuses import ESTABLISHED

from . import times

Object = Mapping[str, Any]
Cell = Callable[[Object, float], str]

EVENT = "Event"
"""The one kind here that is no object of the model."""

_NONE = "<none>"
_PENDING = "<pending>"
_ROLE = "node-role.kubernetes.io/"


class Column(msgspec.Struct, frozen=True):
    """A column; `cell` takes the object and now (seconds since the epoch). `wide`: only with -o wide."""

    title: str
    cell: Cell
    wide: bool = False


class Table(msgspec.Struct, frozen=True):
    """Titles and rows of equal length."""

    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def table(kind: str, objects: Iterable[Object], *, now: float, wide: bool, namespaces: bool = False) -> Table:
    """The rows of objects of a kind, in the order given; `namespaces` puts the namespace in front.

    Raises KeyError for a kind that is not in COLUMNS.
    """
    columns = [column for column in COLUMNS[kind] if wide or not column.wide]
    if namespaces:
        columns = [Column("NAMESPACE", _path("metadata", "namespace")), *columns]
    return Table(
        titles=tuple(column.title for column in columns),
        rows=tuple(tuple(column.cell(one, now) for column in columns) for one in objects),
    )


def at(value: Any, *path: str) -> Any:
    """What stands at the path of an object in JSON shape, None where nothing does."""
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _path(*path: str, otherwise: str = "") -> Cell:
    def cell(one: Object, now: float) -> str:
        return _text(at(one, *path), otherwise)

    return cell


def _text(value: Any, otherwise: str = "") -> str:
    if value is None or value == "":
        return otherwise
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(str(one) for one in value) if isinstance(value, list) else str(value)


def _age(*path: str) -> Cell:
    def cell(one: Object, now: float) -> str:
        born = times.epoch(_text(at(one, *path)))
        return "<unknown>" if born is None else times.age(now - born)

    return cell


def _condition(type_: str, field: str) -> Cell:
    def cell(one: Object, now: float) -> str:
        found = at(one, "status", "conditions") or []
        return next((_text(at(each, field)) for each in found if at(each, "type") == type_), "")

    return cell


def _annotation(key: str) -> Cell:
    return _path("metadata", "annotations", key)


def _neighbor(one: Object, now: float) -> str:
    conf = at(one, "spec", "conf")
    return _text(at(conf, "neighborAddress")) or _text(at(conf, "neighborDiscovery"))


def _sessions(one: Object, now: float) -> str:
    sessions = at(one, "status", "sessions") or []
    up = sum(at(session, "peerState", "sessionState") == ESTABLISHED for session in sessions)
    return f"{up}/{len(sessions)}"


def _routes(one: Object, now: float) -> str:
    routes = at(one, "status", "routes")
    return f"{at(routes, 'announced') or 0}/{at(routes, 'desired') or 0}"


def _problems(one: Object, now: float) -> str:
    return str(len(at(one, "status", "problems") or []))


def _ingress(one: Object) -> list[str]:
    entries = at(one, "status", "loadBalancer", "ingress") or []
    shown = {_text(at(entry, "ip")) or _text(at(entry, "hostname")) for entry in entries}
    return sorted(shown - {""})


def _external_ip(one: Object, now: float) -> str:
    external = list(at(one, "spec", "externalIPs") or [])
    match at(one, "spec", "type"):
        case "LoadBalancer":
            return ",".join(_ingress(one) + external) or _PENDING
        case "ExternalName":
            return _text(at(one, "spec", "externalName"), _NONE)
        case _:
            return ",".join(external) or _NONE


def _ports(one: Object, now: float) -> str:
    shown = []
    for port in at(one, "spec", "ports") or []:
        node_port = f":{port['nodePort']}" if at(port, "nodePort") else ""
        shown.append(f"{_text(at(port, 'port'))}{node_port}/{_text(at(port, 'protocol'), 'TCP')}")
    return ",".join(shown) or _NONE


def _labels(*path: str) -> Cell:
    def cell(one: Object, now: float) -> str:
        pairs = at(one, *path) or {}
        return ",".join(f"{key}={value}" for key, value in sorted(pairs.items())) or _NONE

    return cell


def _node_status(one: Object, now: float) -> str:
    ready = _condition("Ready", "status")(one, now)
    # A Node in a manifest carries no conditions; such a one counts as ready.
    shown = {"True": "Ready", "": "Ready", "False": "NotReady"}.get(ready, "NotReady")
    return f"{shown},SchedulingDisabled" if at(one, "spec", "unschedulable") else shown


def _node_roles(one: Object, now: float) -> str:
    labels = at(one, "metadata", "labels") or {}
    roles = sorted(label.removeprefix(_ROLE) for label in labels if label.startswith(_ROLE))
    return ",".join(roles) or _NONE


def _node_address(one: Object, now: float) -> str:
    entries = at(one, "status", "addresses") or []
    found = [_text(at(entry, "address")) for entry in entries if at(entry, "type") == "InternalIP"]
    return ",".join(found) or _NONE


def _slice_ports(one: Object, now: float) -> str:
    return ",".join(_text(at(port, "port"), "*") for port in at(one, "ports") or []) or "<unset>"


def _slice_endpoints(one: Object, now: float) -> str:
    found = [address for entry in at(one, "endpoints") or [] for address in at(entry, "addresses") or []]
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more or "<unset>"


def _involved(one: Object, now: float) -> str:
    involved = at(one, "involvedObject")
    return f"{_text(at(involved, 'kind')).lower()}/{_text(at(involved, 'name'))}"


_NAME = Column("NAME", _path("metadata", "name"))
_CREATED = Column("AGE", _age("metadata", "creationTimestamp"))
_READY = (
    Column("READY", _condition("Ready", "status")),
    Column("REASON", _condition("Ready", "reason")),
)

COLUMNS: Mapping[str, tuple[Column, ...]] = {
    Kind.EIP: (
        _NAME,
        Column("CIDR", _path("spec", "address")),
        Column("USAGE", _path("status", "usage")),
        Column("TOTAL", _path("status", "poolSize")),
        Column("PROTOCOL", _path("spec", "protocol"), wide=True),
        Column("DEFAULT", _annotation(keys.DEFAULT_EIP_ANNOTATION), wide=True),
        Column("DISABLED", _path("spec", "disable"), wide=True),
        Column("ANNOUNCED-BY", _path("status", "announcedBy"), wide=True),
    ),
    Kind.BGP_CONF: (
        _NAME,
        Column("AS", _path("spec", "as")),
        *_READY,
        _CREATED,
        Column("PORT", _path("spec", "listenPort"), wide=True),
        Column("NEXT-HOPS", _path("spec", "nextHops"), wide=True),
        Column("MESSAGE", _condition("Ready", "message"), wide=True),
    ),
    Kind.BGP_PEER: (
        _NAME,
        Column("NEIGHBOR", _neighbor),
        Column("AS", _path("spec", "conf", "peerAs")),
        *_READY,
        _CREATED,
        Column("MESSAGE", _condition("Ready", "message"), wide=True),
    ),
    Kind.SPEAKER: (
        _NAME,
        Column("AS", _path("status", "gobgp", "as")),
        Column("SESSIONS", _sessions),
        Column("ROUTES", _routes),
        Column("PROBLEMS", _problems),
        Column("AGE", _age("status", "startedAt")),
        Column("ROUTER-ID", _path("status", "gobgp", "routerId"), wide=True),
        Column("GOBGP", _path("status", "gobgp", "version"), wide=True),
        Column("STANDING-IN-FOR", _path("status", "standingInFor"), wide=True),
        Column("DRAINING", _path("status", "draining"), wide=True),
        Column("REVISION", _path("status", "appliedRevision"), wide=True),
    ),
    Kind.SERVICE: (
        _NAME,
        Column("TYPE", _path("spec", "type", otherwise="ClusterIP")),
        Column("CLUSTER-IP", _path("spec", "clusterIP", otherwise=_NONE)),
        Column("EXTERNAL-IP", _external_ip),
        Column("PORT(S)", _ports),
        _CREATED,
        Column("SELECTOR", _labels("spec", "selector"), wide=True),
        Column("POOL", _path("metadata", "labels", keys.EIP_LABEL), wide=True),
        Column("ANNOUNCED", _condition(keys.ANNOUNCED_CONDITION, "message"), wide=True),
    ),
    Kind.ENDPOINT_SLICE: (
        _NAME,
        Column("ADDRESSTYPE", _path("addressType")),
        Column("PORTS", _slice_ports),
        Column("ENDPOINTS", _slice_endpoints),
        _CREATED,
    ),
    Kind.NODE: (
        _NAME,
        Column("STATUS", _node_status),
        Column("ROLES", _node_roles),
        _CREATED,
        Column("VERSION", _path("status", "nodeInfo", "kubeletVersion")),
        Column("INTERNAL-IP", _node_address, wide=True),
        Column("RACK", _path("metadata", "labels", keys.RACK_LABEL), wide=True),
    ),
    Kind.NAMESPACE: (_NAME, Column("STATUS", _path("status", "phase", otherwise="Active")), _CREATED),
    Kind.CONFIG_MAP: (_NAME, Column("DATA", lambda one, now: str(len(at(one, "data") or {}))), _CREATED),
    EVENT: (
        Column("LAST SEEN", _age("lastTimestamp")),
        Column("TYPE", _path("type")),
        Column("REASON", _path("reason")),
        Column("OBJECT", _involved),
        Column("COUNT", _path("count"), wide=True),
        Column("FIRST SEEN", _age("firstTimestamp"), wide=True),
        Column("MESSAGE", _path("message")),
    ),
}
