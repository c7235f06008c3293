"""What kube-proxy does in a node, for the lab: nftables rules for the Services' load-balancer addresses.

`services` reads manifests, `render` writes a node's whole rule set (both pure), `program` puts it into a
namespace in one transaction. Followed: readiness, terminating endpoints, Cluster and Local policy, both
families, TCP and UDP. Not followed: cluster IPs, node ports, session affinity, traffic from the nodes and
pods themselves. Source: Kubernetes, "Virtual IPs and Service Proxies" and KEP-1669 (terminating endpoints).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.namespaces import Namespace

TABLE = "oelb_kubeproxy"
_MASQUERADE = "0x4000"


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """A pod behind a port."""

    address: str
    port: int
    node: str
    ready: bool = True
    serving: bool = True
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class Exposed:
    """One address and port of a Service, with all endpoints of its family."""

    service: str
    address: str
    protocol: str
    port: int
    local: bool
    endpoints: tuple[Endpoint, ...]

    def chosen(self, node: str) -> tuple[Endpoint, ...]:
        """Where this node sends connections: ready ones, else those that serve while terminating.

        For a Local Service, else those that are only starting: no route leads here yet, and when one does,
        the rules are there already. In a cluster the health check node port sees to that order.
        """
        candidates = [e for e in self.endpoints if e.node == node] if self.local else list(self.endpoints)
        ready = [e for e in candidates if e.ready]
        leaving = [e for e in candidates if e.serving and e.terminating]
        starting = [e for e in candidates if self.local and not e.terminating]
        return tuple(sorted(ready or leaving or starting))


def services(
    objects: Iterable[Mapping[str, Any]], addresses: Mapping[str, Iterable[str]]
) -> tuple[Exposed, ...]:
    """What the Services of the manifests expose at their `addresses` (by `namespace/name`)."""
    by_kind: dict[str, list[Mapping[str, Any]]] = {}
    for item in objects:
        by_kind.setdefault(item["kind"], []).append(item)
    return tuple(
        Exposed(
            service=name,
            address=address,
            protocol=port.get("protocol", "TCP").lower(),
            port=port["port"],
            local=service["spec"].get("externalTrafficPolicy") == "Local",
            endpoints=_endpoints(by_kind.get("EndpointSlice", []), name, port.get("name", ""), address),
        )
        for service in by_kind.get("Service", [])
        for name in [key_of(service)]
        for address in addresses.get(name, ())
        for port in service["spec"].get("ports") or ()
    )


def render(exposed: Iterable[Exposed], *, node: str) -> str:
    """The rules of one node, as input for `nft -f`; replaces what was there in one transaction."""
    nat: list[str] = []
    refused: list[str] = []
    for item in sorted(exposed, key=lambda e: (e.address, e.protocol, e.port)):
        match = f"{_family(item.address)} daddr {item.address} {item.protocol} dport {item.port}"
        chosen = item.chosen(node)
        if not chosen:
            # As kube-proxy: silence where another node would have answered, a refusal where nobody could.
            refused.append(f"{match} {'drop' if item.local else 'reject'}")
        else:
            mark = "" if item.local else f"meta mark set {_MASQUERADE} "
            nat.append(f"{match} {mark}dnat {_family(item.address)} to {_target(chosen)}")
    return f"""table inet {TABLE}
delete table inet {TABLE}
table inet {TABLE} {{
 chain prerouting {{
  type nat hook prerouting priority dstnat; policy accept;
  {_lines(nat)}
 }}
 chain forward {{
  type filter hook forward priority filter; policy accept;
  {_lines(refused)}
 }}
 chain postrouting {{
  type nat hook postrouting priority srcnat; policy accept;
  meta mark {_MASQUERADE} masquerade fully-random
 }}
}}
"""


def key_of(item: Mapping[str, Any]) -> str:
    """`namespace/name` of an object."""
    return _key(item, item["metadata"]["name"])


def ingress_of(service: Mapping[str, Any]) -> tuple[str, ...]:
    """The load-balancer addresses in a Service's status, IPv4 first."""
    # Any of them may be written as null.
    balancer = (service.get("status") or {}).get("loadBalancer") or {}
    ingress = balancer.get("ingress") or []
    return tuple(sorted((entry["ip"] for entry in ingress), key=lambda ip: (":" in ip, ip)))


def program(space: Namespace, rules: str) -> None:
    """Put a node's rules in force; established connections go on as they were."""
    space.run("nft", "-f", "-", stdin=rules)


def _endpoints(
    slices: Iterable[Mapping[str, Any]], service: str, port_name: str, address: str
) -> tuple[Endpoint, ...]:
    wanted = "IPv6" if ":" in address else "IPv4"
    return tuple(
        Endpoint(
            address=endpoint["addresses"][0],
            port=port["port"],
            node=endpoint.get("nodeName", ""),
            ready=conditions.get("ready", True),
            serving=conditions.get("serving", conditions.get("ready", True)),
            terminating=conditions.get("terminating", False),
        )
        for item in slices
        if item["addressType"] == wanted
        and _key(item, item["metadata"].get("labels", {}).get("kubernetes.io/service-name", "")) == service
        for port in item.get("ports", [])
        if port.get("name", "") == port_name
        for endpoint in item.get("endpoints") or []
        for conditions in [endpoint.get("conditions", {})]
    )


def _key(item: Mapping[str, Any], name: str) -> str:
    return f"{item['metadata'].get('namespace', 'default')}/{name}"


def _family(address: str) -> str:
    return "ip6" if ":" in address else "ip"


def _target(chosen: tuple[Endpoint, ...]) -> str:
    if len(chosen) == 1:
        only = chosen[0]
        return f"[{only.address}]:{only.port}" if ":" in only.address else f"{only.address}:{only.port}"
    legs = ", ".join(f"{n} : {e.address} . {e.port}" for n, e in enumerate(chosen))
    return f"numgen random mod {len(chosen)} map {{ {legs} }}"


def _lines(rules: list[str]) -> str:
    return "\n  ".join(rules)
