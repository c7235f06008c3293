"""A container's interfaces made those of its node in the topology.

An engine hands out interfaces in an order of its own and addresses of one family; which of them is which is
known by the address that the topology gives to it. It is renamed, emptied, and configured by the node's
`exec`.
"""

import json
from collections.abc import Mapping
from ipaddress import ip_address

from lab.errors import LabError
from lab.namespaces import Namespace, configure
from lab.topology import Node

_PASSING = "wiring"


def wire(node: Node, space: Namespace) -> None:
    """Do so; doing it again changes nothing. Raises LabError."""
    found = _interfaces(space)
    wanted = interface_by_address(node)
    missing = set(wanted) - set(found)
    if missing:
        raise LabError(
            f"{node.name} has no interface with {', '.join(sorted(missing))}; it has {sorted(found)}"
        )
    names = {found[address]: interface for address, interface in wanted.items()}
    # By way of names that nobody has: two interfaces may have to change theirs with each other.
    for number, old in enumerate(names):
        _ip(space, f"link set {old} down")
        _ip(space, f"link set {old} name {_PASSING}{number}")
    for number, new in enumerate(names.values()):
        _ip(space, f"link set {_PASSING}{number} name {new}")
        _ip(space, f"address flush dev {new}")
        _ip(space, f"link set {new} up")
    _flush_rules(space)
    configure(node, space)


def interface_by_address(node: Node) -> Mapping[str, str]:
    """The IPv4 addresses that a node's `exec` gives, and the interface of each."""
    given: dict[str, str] = {}
    for line in node.exec:
        match line.split():
            case ["ip", "address", "add", prefix, "dev", interface, *_]:
                address, _, _ = prefix.partition("/")
                if ip_address(address).version == 4:
                    given[address] = interface
    return given


def _interfaces(space: Namespace) -> Mapping[str, str]:
    links = json.loads(space.run("ip", "-4", "-json", "address", "show"))
    return {entry["local"]: link["ifname"] for link in links for entry in link["addr_info"]}


def _flush_rules(space: Namespace) -> None:
    """Routing rules of a former wiring, of the main tables' own none."""
    for family in ("-4", "-6"):
        for rule in json.loads(space.run("ip", family, "-json", "rule", "show") or "[]"):
            if str(rule.get("table")) not in ("local", "main", "default"):
                space.run("ip", family, "rule", "delete", "priority", str(rule["priority"]))


def _ip(space: Namespace, arguments: str) -> None:
    space.run("ip", *arguments.split())
