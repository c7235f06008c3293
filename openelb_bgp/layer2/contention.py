"""What follows when somebody else says on the wire that he has an address which this node holds. Pure.

Two of our nodes that both believe in their ownership (a partition that has just healed, a memory that
differs) settle it here, before any news has gone round: the one that comes later by rank yields. Among
nodes that hear each other's heartbeats the plan decides, and the wire only helps a memory. A stranger is
reported and not fought.
"""

import enum
from collections.abc import Container, Mapping
from typing import NamedTuple

import msgspec

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot

from .owned import Spot
from .owners import recent_moves
from .placing import SILENCE
from .planned import Layer2Plan, Placement
from .ranks import rank


class Verdict(enum.Enum):
    """What this node does."""

    DEFEND = "announce it again: the other comes later, and will yield"
    YIELD = "leave it to the other, whose heartbeats are not heard yet"
    ADOPT = "the other owns it from now on, as every plan says that has forgotten how often it moved"
    BY_NODE = "another node answers that does not own it: report it"
    BY_GATEWAY = "a gateway answers for it, as a proxy: report it"
    FOREIGN = "a host that is none of our nodes has it: report it"


def judge(placement: Placement, rival: str | None, facts: Facts, *, is_gateway: bool = False) -> Verdict:
    """What to do about a node (None for a stranger) that says it has an address of ours."""
    if rival is None:
        return Verdict.BY_GATEWAY if is_gateway else Verdict.FOREIGN
    own, address = facts.node, placement.address
    comes_first = rank(rival, address) < rank(own, address)
    if rival in placement.among.able:
        settled = placement.among.settled
        # Whoever faltered gives in to who did not, whatever their ranks; and whoever only keeps what has
        # moved too often, to the heir, who remembers less of it.
        is_first = (comes_first or own not in settled) and not placement.pinned
        adopts = rival in settled and (is_first or rival == placement.heir)
        return Verdict.ADOPT if adopts else Verdict.DEFEND
    if is_heard(rival, facts):
        return Verdict.BY_NODE
    return Verdict.YIELD if comes_first else Verdict.DEFEND


class Yielded(NamedTuple):
    """To which node an address is left whose heartbeats are not heard, and since when."""

    node: str
    at: float


def still_yielded(
    yielded: Mapping[Spot, Yielded], held: Container[Spot], facts: Facts
) -> dict[Spot, Yielded]:
    """Those that go on being left: while the other is heard answering, and no heartbeats of it are.

    So a node that has gone, or is cut off, leaves nothing unanswered for longer than SILENCE.
    """
    first = witnesses(yielded)
    return {
        spot: one
        for spot, one in yielded.items()
        if spot in held
        and not is_heard(one.node, facts)
        and (facts.now < one.at + SILENCE or first[one.node].address in facts.answering)
    }


def witnesses(yielded: Mapping[Spot, Yielded]) -> dict[str, Spot]:
    """By node the address that was left to it first: whether that is answered for tells of all of them."""
    first: dict[str, Spot] = {}
    for spot, one in sorted(yielded.items(), key=lambda item: (item[1].at, str(item[0]))):
        first.setdefault(one.node, spot)
    return first


def is_heard(node: str, facts: Facts) -> bool:
    """Whether its heartbeats are heard on any LAN: then it plans from the same facts."""
    member = facts.members.others.get(node)
    return member is not None and any(one.alive for one in member.interfaces.values())


def nodes_by_mac(snapshot: Snapshot, facts: Facts) -> dict[str, str]:
    """The nodes by the MACs of their interfaces, as their heartbeats and their Speakers tell."""
    found = {
        nic.mac: name for name, speaker in snapshot.speakers.items() for nic in speaker.status.interfaces
    }
    for name, member in facts.members.others.items():
        found.update((one.mac, name) for one in member.interfaces.values())
    found.update((link.mac, facts.node) for link in facts.links)
    found.pop("", None)
    return found


def adopted(plan: Layer2Plan, address: Address, owner: str, *, now: float) -> Layer2Plan:
    """The plan with another owner of an address, for the next one to remember."""
    one = plan.placements[address]
    moved = msgspec.structs.replace(
        one,
        owner=owner,
        since=now,
        moves=(*recent_moves(one.moves, now=now), now),
        before=one.owner,
        why=Refused(Reason.NOT_OWNER, f"node {owner} announces it, and comes first by hash"),
        pinned=False,
        heir="",
        awaited=None,
    )
    return msgspec.structs.replace(
        plan,
        placements={**plan.placements, address: moved},
        held={spot: how for spot, how in plan.held.items() if spot.address != address},
    )
