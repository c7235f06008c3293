"""What the routers of the ECMP lab must hold, worked out from manifests alone: the judge of the random walk.

Pure, and on purpose independent of the package: documents in, routes and sessions out, nothing of
`openelb_bgp` in between. It knows only what `chaos.py` draws.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from typing import Any, NamedTuple

Object = dict[str, Any]
Routes = dict[str, dict[str, frozenset[str]]]
"""Router → prefix → the nodes that are its next hops."""

ROUTERS = {
    "10.10.0.1": ("leaf1", 4),
    "10.10.0.2": ("leaf2", 4),
    "fd00:10::1": ("leaf1", 6),
    "fd00:10::2": ("leaf2", 6),
}
EXCLUDE = "node.kubernetes.io/exclude-from-external-load-balancers"
RACK = "openelb.kubesphere.io/rack"
DRAIN = "openelb.kubesphere.io/drain"


class Node(NamedTuple):
    """What of a node counts."""

    labels: Mapping[str, str]
    usable: bool
    draining: bool

    @property
    def rack(self) -> str:
        return self.labels.get(RACK, "")


class Truth:
    """Everything that follows from the objects, by `Kind/name`, and from who holds which address.

    `allocated` maps a Service's name to address → pool.
    """

    def __init__(self, objects: Mapping[str, Object], allocated: Mapping[str, Mapping[str, str]]) -> None:
        self._by_kind: dict[str, dict[str, Object]] = {}
        for key, one in objects.items():
            kind, _, name = key.partition("/")
            self._by_kind.setdefault(kind, {})[name] = one
        self._allocated = allocated
        self._mode = self._of("BgpConf")["default"]["spec"].get("nextHops", "Auto")
        self.nodes = _nodes(self._of("Node"))

    def sessions(self) -> dict[tuple[str, int], frozenset[str]]:
        """(router, IP version) → the nodes that have a session with it."""
        found: dict[tuple[str, int], frozenset[str]] = {key: frozenset() for key in ROUTERS.values()}
        for peer in self._of("BgpPeer").values():
            chooses = peer["spec"].get("nodeSelector")
            found[_router(peer)] = frozenset(
                name for name, node in self.nodes.items() if _chooses(chooses, node)
            )
        return found

    def announcing(self, service: str, pool: str) -> dict[tuple[str, int], frozenset[str]]:
        """(router, IP version) → the nodes that announce a Service of that pool there themselves."""
        one, eip = self._of("Service")[service], self._of("Eip")[pool]
        return {key: nodes & self._announcing(one, key[1], eip) for key, nodes in self.sessions().items()}

    def routes(self) -> Routes:
        """What each router's kernel must hold."""
        found: Routes = {"leaf1": {}, "leaf2": {}}
        for service, addresses in self._allocated.items():
            for address, pool in addresses.items():
                if pool in self._of("Eip") and service in self._of("Service"):
                    self._add(found, self._of("Service")[service], address, self._of("Eip")[pool])
        return {
            router: {prefix: self._preferred(nodes) for prefix, nodes in held.items()}
            for router, held in found.items()
        }

    def _add(self, found: Routes, service: Object, address: str, pool: Object) -> None:
        """Add what the routers hold for one address of a Service."""
        version = 6 if ":" in address else 4
        announcing = self._announcing(service, version, pool)
        sessions = self.sessions()
        peers = {_router(peer): name for name, peer in self._of("BgpPeer").items()}
        for one in pool["spec"].get("bgp", {}).get("advertisements") or [{}]:
            prefix = _prefix(address, one, pool)
            chosen = {name for name in announcing if _chooses(one.get("nodeSelector"), self.nodes[name])}
            for key, name in peers.items():
                nodes = chosen & self._hops(sessions[key])
                if key[1] == version and prefix and nodes and name in one.get("peers", peers.values()):
                    held = found[key[0]]
                    held[prefix] = held.get(prefix, frozenset()) | nodes

    def _preferred(self, nodes: frozenset[str]) -> frozenset[str]:
        """What a router takes of these: nodes that drain only while there is no other (RFC 8326)."""
        return frozenset(name for name in nodes if not self.nodes[name].draining) or nodes

    def _announcing(self, service: Object, version: int, pool: Object) -> frozenset[str]:
        """The nodes that may announce an address of the Service."""
        holders = self._holders(service["metadata"]["name"], version)
        if not holders:
            return frozenset()
        local = service["spec"].get("externalTrafficPolicy") == "Local"
        found = {
            name
            for name, node in self.nodes.items()
            if node.usable
            and _chooses(pool["spec"].get("nodeSelector"), node)
            and (not local or name in holders)
        }
        staying = frozenset(name for name in found if not self.nodes[name].draining)
        return staying or frozenset(found)

    def _holders(self, service: str, version: int) -> set[str]:
        """The nodes of ready endpoints or, while there are none, of those that serve while they leave."""
        endpoints = [
            endpoint
            for one in self._of("EndpointSlice").values()
            if one["metadata"]["labels"]["kubernetes.io/service-name"] == service
            and one["addressType"] == f"IPv{version}"
            for endpoint in one["endpoints"]
        ]
        ready = {one["nodeName"] for one in endpoints if one["conditions"]["ready"]}
        leaving = {one["nodeName"] for one in endpoints if one["conditions"].get("terminating")}
        return ready or leaving

    def _hops(self, sessions: Iterable[str]) -> frozenset[str]:
        """The nodes that those with a session may bring to the router as next hops."""
        own = frozenset(sessions)
        if self._mode == "Self":
            return own
        racks = {self.nodes[name].rack for name in own}
        brought = {
            name
            for name, node in self.nodes.items()
            if node.usable and node.rack in racks and (self._mode == "Rack" or not node.draining)
        }
        return own | brought

    def _of(self, kind: str) -> Mapping[str, Object]:
        return self._by_kind.get(kind, {})


def _router(peer: Object) -> tuple[str, int]:
    return ROUTERS[peer["spec"]["conf"]["neighborAddress"]]


def _nodes(nodes: Mapping[str, Object]) -> dict[str, Node]:
    silent = {name for name, one in nodes.items() if _condition(one, "Ready") == "False"}
    believed = silent if len(silent) * 2 <= len(nodes) else set()
    excluded = {name for name, one in nodes.items() if EXCLUDE in one["metadata"]["labels"]}
    if len(excluded) == len(nodes):
        excluded = set()
    return {
        name: Node(
            labels=one["metadata"]["labels"],
            usable=name not in believed | excluded and _condition(one, "NetworkUnavailable") != "True",
            draining=one["metadata"].get("annotations", {}).get(DRAIN) == "true",
        )
        for name, one in nodes.items()
    }


def _condition(node: Object, wanted: str) -> str:
    found = node["status"].get("conditions", [])
    return next((str(one["status"]) for one in found if one["type"] == wanted), "")


def _chooses(selector: Mapping[str, Any] | None, node: Node) -> bool:
    wanted = (selector or {}).get("matchLabels", {})
    return all(node.labels.get(key) == value for key, value in wanted.items())


def _prefix(address: str, advertisement: Mapping[str, Any], pool: Object) -> str | None:
    """The prefix as `ip route` prints it; None for an aggregate that the pool does not hold whole."""
    if ":" in address:
        length, whole = advertisement.get("aggregationLengthV6", 128), 128
    else:
        length, whole = advertisement.get("aggregationLength", 32), 32
    if length == whole:
        return address
    prefix = ip_network(f"{address}/{length}", strict=False)
    ranges = [ip_network(text) for text in pool["spec"]["address"].split(",")]
    inside = any(one.version == prefix.version and prefix.subnet_of(one) for one in ranges)  # type: ignore[arg-type]
    return str(prefix) if inside else None
