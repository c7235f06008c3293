"""What every step is made of: its result, its checks, and the few questions that all of them ask of a lab."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from lab import kernel
from lab.errors import StepFailed
from lab.lab import Lab
from lab.traffic import Tally
from openelb_bgp.model.meta import Kind

T = TypeVar("T")

SETTLED = 60.0
"""Seconds within which sessions and routes must be there after a start or a failure."""
_LOOK_EVERY = 0.04


@dataclass(frozen=True, slots=True)
class Finding:
    """What a step saw: one sentence, a table or a text, and what became of its requests if it sent any."""

    sentence: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    tally: Tally | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Heading:
    """What is said before a step: its title, and what it is about to do."""

    title: str
    does: str


@dataclass(frozen=True, slots=True)
class Step(Heading):
    """A step: its heading, and the doing."""

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
    began = time.monotonic()
    while not wanted(seen := look()):
        now = time.monotonic()
        expect(now < deadline, expected=f"{expected} within {within:g} s", seen=seen)
        # On a busy machine a look takes long: what is waited for needs the processors, too.
        time.sleep(max(_LOOK_EVERY, now - began))
        began = time.monotonic()
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
    )
    return found[0], found[1]


def hops(lab: Lab, prefix: str) -> Mapping[str, tuple[str, ...]]:
    """The nodes that each router's kernel sends a prefix to, sorted, by router."""
    owners = lab.node_by_address
    return {
        name: tuple(
            sorted(owners.get(hop.via, hop.via) for hop in kernel.next_hops(router.namespace, prefix))
        )
        for name, router in lab.routers.items()
    }


def await_hops(
    lab: Lab, prefix: str, nodes: Iterable[str], *, within: float = SETTLED
) -> Mapping[str, tuple[str, ...]]:
    """Wait until every router's kernel has exactly these nodes as next hops of a prefix."""
    wanted = {name: tuple(sorted(nodes)) for name in lab.routers}
    return await_value(
        lambda: hops(lab, prefix),
        lambda seen: seen == wanted,
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


def started_at(lab: Lab, node: str) -> str:
    """When a node's speaker says that it was started; empty before it has said anything."""
    speakers = {item["metadata"]["name"]: item.get("status", {}) for item in lab.desk.objects(Kind.SPEAKER)}
    return str(speakers.get(node, {}).get("startedAt", ""))


def expect_none_lost(tally: Tally) -> None:
    """StepFailed if a request got no answer; one that was sent again got one."""
    lost = tally.lost
    expect(
        not lost and tally.sent > 0,
        expected=f"none of {tally.sent} requests lost",
        seen=f"{len(lost)} lost over {tally.outage:.1f} s: {sorted({answer.error for answer in lost})}, to "
        + ", ".join(sorted({answer.address for answer in lost})),
    )


def expect_undisturbed(tally: Tally) -> None:
    """StepFailed if a request got no answer, or only at its second try: no next hop may have changed."""
    expect_none_lost(tally)
    expect(
        not tally.retried,
        expected=f"no connection of {tally.sent} reset",
        seen=f"{len(tally.retried)} were reset",
    )


def moved(tally: Tally) -> str:
    """What to say of the requests that had to be sent again; empty if there is none."""
    if not tally.retried:
        return ""
    return f" {len(tally.retried)} had a connection open at a change, and were sent twice."


def _down(lab: Lab) -> list[tuple[str, str, str]]:
    # Whoever waits for sessions waits in vain for a daemon that could not start.
    lab.expect_alive()
    return [
        (name, session.peer, session.state)
        for name, router in lab.routers.items()
        for session in router.sessions().values()
        if session.state != "Established"
    ]
