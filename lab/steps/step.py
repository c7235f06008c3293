"""What every step is made of: its result, its checks, and the few questions that all of them ask of a lab."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lab import kernel
from lab.errors import StepFailed
from lab.lab import Lab
from lab.traffic import Tally

T = TypeVar("T")

SETTLED = 60.0
"""Seconds within which sessions and routes must be there after a start or a failure."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a step saw: one sentence, and a table."""

    sentence: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]


@dataclass(frozen=True, slots=True)
class Step:
    """A step and its heading."""

    title: str
    run: Callable[[Lab], Finding]


def expect(holds: bool, *, expected: str, seen: object) -> None:
    """Raise StepFailed unless something holds."""
    if not holds:
        raise StepFailed(f"expected: {expected}\nsaw: {seen}")


def await_value(
    look: Callable[[], T], wanted: Callable[[T], bool], *, expected: str, within: float = SETTLED
) -> T:
    """Look until the value is as wanted and return it; StepFailed tells what was seen last."""
    deadline = time.monotonic() + within
    while not wanted(seen := look()):
        expect(time.monotonic() < deadline, expected=f"{expected} within {within:g} s", seen=seen)
        time.sleep(0.02)
    return seen


def addresses(lab: Lab, service: str) -> tuple[str, str]:
    """The IPv4 and IPv6 address of a Service in `default`, once every node forwards both."""

    def given() -> tuple[str, ...]:
        return lab.addresses().get(f"default/{service}", ())

    found = await_value(given, lambda ips: len(ips) == 2, expected=f"an address per family for {service}")
    await_value(
        lambda: [node for node in lab.nodes if not lab.forwards(node, found)],
        lambda missing: not missing,
        expected="kube-proxy's rules for it in every node; these have none",
        within=15.0,
    )
    return found[0], found[1]


def hops(lab: Lab, prefix: str) -> Mapping[str, tuple[str, ...]]:
    """The nodes that each router's kernel sends a prefix to, by router."""
    owners = lab.node_by_address()
    return {
        name: tuple(owners.get(hop.via, hop.via) for hop in kernel.next_hops(router.namespace, prefix))
        for name, router in lab.routers.items()
    }


def await_hops(
    lab: Lab, prefix: str, nodes: Iterable[str], *, within: float = SETTLED
) -> Mapping[str, tuple[str, ...]]:
    """Wait until every router's kernel has exactly these nodes as next hops of a prefix."""
    wanted = {name: tuple(sorted(nodes)) for name in lab.routers}
    return await_value(
        lambda: hops(lab, prefix),
        lambda seen: {name: tuple(sorted(legs)) for name, legs in seen.items()} == wanted,
        expected=f"next hops of {prefix} are {wanted}",
        within=within,
    )


def await_sessions(lab: Lab, *, within: float = SETTLED) -> Mapping[str, int]:
    """Wait until every session that a router is configured for is up; how many, by router."""
    await_value(
        lambda: [f"{name}: {peer} is {state}" for name, peer, state in _down(lab)],
        lambda down: not down,
        expected="every session of every router is up",
        within=within,
    )
    return {name: len(router.established()) for name, router in lab.routers.items()}


def resets(lab: Lab) -> Mapping[str, int]:
    """How many established sessions each router has lost so far."""
    return {
        name: sum(session.resets for session in router.sessions().values())
        for name, router in lab.routers.items()
    }


def expect_none_lost(tally: Tally) -> None:
    """StepFailed if a request got no answer."""
    lost = tally.lost
    expect(
        not lost and tally.sent > 0,
        expected=f"none of {tally.sent} requests lost",
        seen=f"{len(lost)} lost over {tally.outage:.1f} s: {sorted({answer.error for answer in lost})}",
    )


def _down(lab: Lab) -> list[tuple[str, str, str]]:
    return [
        (name, session.peer, session.state)
        for name, router in lab.routers.items()
        for session in router.sessions().values()
        if session.state != "Established"
    ]
