"""What a namespace's kernel holds: routes and their next hops, carrier, and the switches that break things.

Reading and breaking only; the topology is made in `namespaces.py`.
"""

import json
from dataclasses import dataclass
from typing import Any

from lab.namespaces import Namespace

_SILENCE = "oelb_silence"
_FIREWALL = "oelb_firewall"


@dataclass(frozen=True, slots=True, order=True)
class NextHop:
    """One leg of a route."""

    via: str
    interface: str
    weight: int


def next_hops(space: Namespace, prefix: str) -> tuple[NextHop, ...]:
    """The legs of the route to exactly this prefix, sorted; empty when there is none.

    `prefix` is an address or address/length, of either family.
    """
    family = "-6" if ":" in prefix else "-4"
    routes = json.loads(space.run("ip", family, "-json", "route", "show", "exact", prefix) or "[]")
    return tuple(sorted(hop for route in routes for hop in _legs(route)))


def _legs(route: dict[str, Any]) -> list[NextHop]:
    legs = route.get("nexthops", [route])
    return [
        NextHop(via=leg["gateway"], interface=leg["dev"], weight=leg.get("weight", 1))
        for leg in legs
        if "gateway" in leg
    ]


def set_link(space: Namespace, interface: str, *, up: bool) -> None:
    """Pull the plug of an interface, which its peer sees as carrier loss, or put it back."""
    space.run("ip", "link", "set", interface, "up" if up else "down")


def silence(space: Namespace, *interfaces: str) -> None:
    """Drop every frame that goes in or out there, ARP too, while the carrier stays: a node that hangs."""
    chains = "".join(
        f"chain {hook}_{name} {{ type filter hook {hook} device {name} priority -500; policy drop; }}\n"
        for name in interfaces
        for hook in ("ingress", "egress")
    )
    space.run("nft", "-f", "-", stdin=f"table netdev {_SILENCE} {{\n{chains}}}\n")


def unsilence(space: Namespace) -> None:
    """Undo `silence`; harmless when nothing is silent."""
    space.run("nft", "-f", "-", stdin=f"table netdev {_SILENCE}\ndelete table netdev {_SILENCE}\n")


def firewall(space: Namespace, *, tcp_port: int) -> None:
    """Drop what goes to or comes from a TCP port of either side, as a firewall does; all else passes."""
    chains = "".join(
        f"chain {hook} {{ type filter hook {hook} priority -500; policy accept; "
        f"tcp dport {tcp_port} drop; tcp sport {tcp_port} drop; }}\n"
        for hook in ("input", "output")
    )
    space.run("nft", "-f", "-", stdin=f"table inet {_FIREWALL} {{\n{chains}}}\n")


def unfirewall(space: Namespace) -> None:
    """Undo `firewall`; harmless when nothing is dropped."""
    space.run("nft", "-f", "-", stdin=f"table inet {_FIREWALL}\ndelete table inet {_FIREWALL}\n")
