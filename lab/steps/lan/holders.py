"""Who has which address, seen from three sides, and how a hundred of them spread."""

from collections import Counter
from collections.abc import Collection, Mapping

from lab.lab import Lab
from lab.steps.lan.crowd import Crowd, addresses_of, assemble
from lab.steps.lan.look import Mode, await_one_each, believed
from lab.steps.step import Finding, await_value, expect, expect_none_lost
from lab.traffic import Tally, requests

_STEADY = 180.0
"""Seconds until nodes that came late have proven steady: 30, after all have started on a busy machine."""


def who_has_what(lab: Lab, mode: Mode, services: Collection[str]) -> Finding:
    """Each address is answered by one node; its Speaker says so, and the clients send there."""
    by_service = {name: addresses_of(lab, name) for name in services}
    every = [address for pair in by_service.values() for address in pair]
    held = await_one_each(lab, mode, every)
    tally = _asked_by_all(lab, every)
    expect_none_lost(tally)
    tables = _tables(lab, held)
    return Finding(
        f"Each of {len(every)} addresses is answered by one node, by which all reach it.",
        ("Service", "address", "answered and reported by", *(f"{client} sends to" for client in tables)),
        [
            ("" if row else name, address, held[address], *(table[address] for table in tables.values()))
            for name, addresses in by_service.items()
            for row, address in enumerate(addresses)
        ],
        tally,
    )


def spread(lab: Lab, crowd: Crowd, *, fewest: int) -> Finding:
    """The crowd's addresses are spread over all nodes, each with at least `fewest`; all can be reached.

    Nodes that came late take theirs only when they have proven steady.
    """
    held = await_value(
        lambda: assemble(lab, crowd),
        lambda held: all(list(held.values()).count(node) >= fewest for node in lab.nodes),
        expected=f"at least {fewest} of the addresses on each node",
        within=_STEADY,
    )
    counts = Counter(held.values())
    tally = _asked_by_all(lab, list(held))
    expect_none_lost(tally)
    _tables(lab, held)
    families = {
        version: Counter(node for address, node in held.items() if (":" in address) == (version == 6))
        for version in (4, 6)
    }
    return Finding(
        f"{len(held)} addresses: every node has some, and both clients reach all of them.",
        ("node", "IPv4", "IPv6", "addresses", ""),
        [
            (node, families[4][node], families[6][node], counts[node], "▇" * counts[node])
            for node in lab.nodes
        ],
        tally,
    )


def _asked_by_all(lab: Lab, addresses: Collection[str], *, each: int = 2) -> Tally:
    """Requests of every client to every address."""
    tallies = (requests(client, *addresses, count=each * len(addresses)) for client in lab.clients)
    return sum(tallies, start=Tally(()))


def _tables(lab: Lab, held: Mapping[str, str]) -> Mapping[str, Mapping[str, str]]:
    """The clients' neighbour tables, by name; StepFailed unless they agree with who has the addresses."""
    names = [node.name for node in lab.topology.in_group("client")]
    tables = {
        name: {address: " ".join(nodes) for address, nodes in believed(lab, name, held).items()}
        for name in names
    }
    wrong = {
        (name, address): node
        for name, table in tables.items()
        for address, node in table.items()
        if node != held[address]
    }
    expect(not wrong, expected="the clients send to the node that has the address", seen=wrong)
    return tables
