"""Who has an address of the LAN, from three sides: what speakers report, who answers on the wire, and what
the clients' kernels believe.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.asking import ask
from lab.lab import Lab
from lab.neighbours import neighbours
from lab.steps.step import await_value
from openelb_bgp.model.meta import Kind
from openelb_bgp.vip.model import PREEMPT_SECONDS

ASKING_AT = "gateway"
"""Nobody there sends requests, so what it learns by asking disturbs no measurement."""

Holders = Mapping[str, tuple[str, ...]]
"""By address: the names of nodes, sorted."""
_MASTERS = PREEMPT_SECONDS + 90.0
"""Seconds within which every master is the first by priority, on a machine with other things to do."""


@dataclass(frozen=True, slots=True)
class Mode:
    """One of the two ways of announcing on a LAN, and where a Speaker reports what it has."""

    name: str
    reported: Callable[[Mapping[str, Any]], Iterable[str]]


LAYER2 = Mode("layer2", lambda status: (one["address"] for one in status.get("layer2", {}).get("owned", ())))
VIP = Mode("vip", lambda status: status.get("vip", {}).get("master", ()))


def reported(lab: Lab, mode: Mode, addresses: Collection[str]) -> Holders:
    """The nodes whose Speakers say that they have an address."""
    found: dict[str, list[str]] = {address: [] for address in addresses}
    for speaker in lab.desk.objects(Kind.SPEAKER):
        for address in mode.reported(speaker.get("status", {})):
            if address in found:
                found[address].append(speaker["metadata"]["name"])
    return {address: tuple(sorted(nodes)) for address, nodes in found.items()}


def answering(lab: Lab, addresses: Collection[str], *, at: str = ASKING_AT, within: float = 0.4) -> Holders:
    """The nodes that answer for an address when everybody is asked; a MAC of nobody's stands for itself."""
    heard = ask(lab.space(at), addresses, within=within)
    return {address: _nodes(lab, macs) for address, macs in heard.items()}


def believed(lab: Lab, client: str, addresses: Collection[str]) -> Holders:
    """The node that a client sends to for an address; none where its table has no entry."""
    table = neighbours(lab.space(client))
    return {address: _nodes(lab, [table[address]] if address in table else []) for address in addresses}


def await_one_each(
    lab: Lab, mode: Mode, addresses: Collection[str], *, among: Collection[str] = ()
) -> Mapping[str, str]:
    """Wait until each address is answered by exactly one node, which also reports it; that node by address.

    `among` are the nodes that may have it; all, where it is empty.
    """
    nodes, seen = set(among or lab.nodes), dict[str, tuple[str, ...]]()

    def odd() -> Mapping[str, str]:
        seen.update(answering(lab, addresses))
        said = reported(lab, mode, addresses)
        return {
            address: f"answered by {' '.join(holders) or 'nobody'}, reported by {' '.join(said[address])}"
            for address, holders in seen.items()
            if len(holders) != 1 or holders != said[address] or holders[0] not in nodes
        }

    await_value(
        odd,
        lambda found: not found,
        expected=f"one of {' '.join(sorted(nodes))} answers for each address, and reports it",
    )
    return {address: holders[0] for address, holders in seen.items()}


def await_first_each(
    lab: Lab, mode: Mode, addresses: Collection[str], *, among: Collection[str] = ()
) -> Mapping[str, str]:
    """As `await_one_each`, but for vip not before each is on the node of first priority.

    Until then somebody else serves, and that node takes over without being asked once it has listened for
    `preempt_delay`. That breaks connections (not so in layer2, whose owners hand over).
    """
    if mode is VIP:
        _await_masters(lab, addresses)
    return await_one_each(lab, mode, addresses, among=among)


def _await_masters(lab: Lab, addresses: Collection[str]) -> None:
    """Wait until the Speakers report each address where `openelb-bgp vip` has the first priority."""
    first = _first(lab)
    wanted = {address: (first.get(address, ""),) for address in addresses}

    def elsewhere() -> Mapping[str, str]:
        said = reported(lab, VIP, addresses)
        return {
            address: f"reported by {' '.join(said[address])}, first is {' '.join(nodes)}"
            for address, nodes in wanted.items()
            if said[address] != nodes
        }

    await_value(
        elsewhere,
        lambda found: not found,
        expected="each address on the node of first priority, see `openelb-bgp vip`",
        within=_MASTERS,
    )


def _first(lab: Lab) -> Mapping[str, str]:
    """Who shall have each address of vip, as `openelb-bgp vip` shows it."""
    rows = json.loads(lab.look("vip", "-o", "json"))
    return {row["address"]: next(iter(row["priorities"]), "") for row in rows}


def _nodes(lab: Lab, macs: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({lab.node_by_mac.get(mac, mac) for mac in macs}))
