"""Whether the LAN lets others hear what a node announces: another node asks for one of its addresses. Pure.

Port security, dynamic ARP inspection and hypervisors drop what a node sends from an address that they do not
know, all of it or nothing: one address of each owner tells. Of the nodes on its LAN one asks, so that the
cost does not grow.
"""

from collections.abc import Collection, Mapping

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Facts, ProbeTarget
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.statuses import Problem

from .planned import Layer2Plan, Placement
from .ranks import ordered

PATIENCE, WINDOW = 6.0, 30.0
"""Seconds after a win by which the address must have answered, and for how long it is asked for."""


def to_check(
    placements: Mapping[Address, Placement], facts: Facts, *, silent: Collection[Address]
) -> dict[ProbeTarget, Placement]:
    """The addresses of others that this node asks for now: of each owner the newest, while it is new.

    Those that were found `silent` are asked for until they answer.
    """
    newest: dict[tuple[str, int], Placement] = {}
    since = facts.now - WINDOW
    # Of ten thousand most have been where they are for long.
    due = [one for one in placements.values() if one.since > since]
    for one in (*due, *(placements[address] for address in silent if address in placements)):
        if one.owner not in ("", facts.node):
            key = (one.owner, one.address.version)
            known = newest.get(key)
            if known is None or (one.since, int(one.address)) > (known.since, int(known.address)):
                newest[key] = one
    return {
        target: one
        for one in newest.values()
        if (target := _target(one, facts)) is not None and _asks(one, facts.node)
    }


def awaited(plan: Layer2Plan, facts: Facts) -> frozenset[ProbeTarget]:
    """Where this node asks for the addresses that it leaves to others as long as these answer."""
    targets = (_target(plan.placements[address], facts) for address in plan.awaited)
    return frozenset(target for target in targets if target is not None)


def ends_at(checks: Mapping[ProbeTarget, Placement], *, now: float) -> float | None:
    """When the next check has an answer, or is over."""
    instants = [one.since + wait for one in checks.values() for wait in (PATIENCE, WINDOW)]
    return min((at for at in instants if at > now), default=None)


def not_heard(checks: Mapping[ProbeTarget, Placement], facts: Facts) -> list[Problem]:
    """What to say of addresses that have had their time and do not answer."""
    return [
        Problem.of(
            ref(Kind.SERVICE, one.services[0].name, namespace=one.services[0].namespace),
            Reason.NOT_HEARD,
            f"node {facts.node} gets no answer for {one.address} on {target.interface}, which node "
            f"{one.owner} announces: let the switch port or the hypervisor of that node pass ARP and NDP for "
            "addresses that are not the NIC's own (port security, ARP inspection, spoofing guards)",
        )
        for target, one in _unanswered(checks, facts)
    ]


def silent(checks: Mapping[ProbeTarget, Placement], facts: Facts) -> frozenset[Address]:
    """The addresses that have had their time and do not answer."""
    return frozenset(one.address for _, one in _unanswered(checks, facts))


def _unanswered(checks: Mapping[ProbeTarget, Placement], facts: Facts) -> list[tuple[ProbeTarget, Placement]]:
    return [
        (target, one)
        for target, one in sorted(checks.items(), key=str)
        if facts.now >= one.since + PATIENCE and one.address not in facts.answering
    ]


def _asks(one: Placement, node: str) -> bool:
    """Whether it falls to this node to ask."""
    return next(iter(ordered(one.among.able - {one.owner}, one.address)), "") == node


def _target(one: Placement, facts: Facts) -> ProbeTarget | None:
    """By which interface this node asks."""
    own = facts.members.own.values()
    names = sorted(link.name for link in own if link.alive and link.on_link(one.address))
    return ProbeTarget(names[0], one.address) if names else None
