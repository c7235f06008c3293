"""How an address goes from one living node to another without a gap, and without going back and forth. Pure.

Plans change a moment apart, as news arrive; what a node announces is what it does now. So who loses an
address answers for it until the new owner is heard announcing it, for a moment at most. An owner that is not
heard has had it all along, on the other side of a partition: it is told that somebody else still has it, and
announces it. Who would take one that another has only just announced waits for news that are newer. And of
two who hear each other's heartbeats the one that comes first does not insist at once: perhaps only it does
not know yet.
"""

from collections.abc import Mapping
from typing import NamedTuple

from openelb_bgp.model.facts import Facts

from .contention import is_heard
from .owned import Ownership, Spot
from .planned import Layer2Plan

MOMENT = 2.0
"""Seconds for which an announcement is newer than any report, and for which a new owner is waited for."""
PATIENCE = 1.0
"""Seconds after which an address is announced again that a node which comes later has announced."""
_SOON = 0.3
"""Seconds after which an owner that has not been heard is told."""


class _Claim(NamedTuple):
    node: str
    at: float


class _Leaving(NamedTuple):
    how: Ownership
    owner: str
    since: float
    is_told: bool = False


class Handover:
    """What this node hands over, and whom it has heard. `now` is in monotonic seconds."""

    def __init__(self) -> None:
        self._claims: dict[Spot, _Claim] = {}
        self._leaving: dict[Spot, _Leaving] = {}
        self._insisting: dict[Spot, float] = {}
        self._held_off: dict[Spot, float] = {}

    @property
    def leaving(self) -> dict[Spot, Ownership]:
        """What is answered for, and announced no more."""
        return {spot: one.how for spot, one in self._leaving.items()}

    def heard(self, spot: Spot, node: str, *, now: float) -> bool:
        """Another node announces what this one holds or leaves. Returns whether it was being left."""
        self._claims[spot] = _Claim(node, now)
        return self._leaving.pop(spot, None) is not None

    def is_taken(self, spot: Spot, facts: Facts, *, now: float) -> bool:
        """Whether a node that stays has announced it just now: what says that it is ours is older."""
        claim = self._claims.get(spot)
        if claim is None or now >= claim.at + MOMENT or not _stays(claim.node, facts):
            return False
        self._held_off[spot] = claim.at + MOMENT
        return True

    def insist(self, spot: Spot, *, now: float) -> None:
        """It is to be announced again, unless news come before."""
        self._insisting.setdefault(spot, now + PATIENCE)

    def due(self, now: float) -> list[Spot]:
        """What is to be announced again now."""
        found = [spot for spot, at in self._insisting.items() if now >= at]
        for spot in found:
            del self._insisting[spot]
        return found

    def to_tell(self, facts: Facts, *, now: float) -> list[tuple[Spot, str]]:
        """What is left to owners that have not been heard, with the MAC of each; once only."""
        late = {s: one for s, one in self._leaving.items() if not one.is_told and now >= one.since + _SOON}
        self._leaving |= {spot: one._replace(is_told=True) for spot, one in late.items()}
        members = facts.members.others
        return [
            (spot, link.mac)
            for spot, one in late.items()
            if one.owner in members
            for link in members[one.owner].interfaces.values()
            if link.alive and link.mac
        ]

    def is_over(self, now: float) -> bool:
        """Whether somebody has been waited for long enough: then it is to be reviewed what is held."""
        instants = (*self._held_off.values(), *(one.since + MOMENT for one in self._leaving.values()))
        return any(now >= at for at in instants)

    def review(
        self,
        held: Mapping[Spot, Ownership],
        before: Mapping[Spot, Ownership],
        plan: Layer2Plan,
        facts: Facts,
        *,
        now: float,
    ) -> None:
        """This is held from now on; what was held before and goes to a living node is left to it."""
        self._claims = {spot: one for spot, one in self._claims.items() if now < one.at + MOMENT}
        self._insisting = {spot: at for spot, at in self._insisting.items() if spot in held}
        self._held_off = {spot: at for spot, at in self._held_off.items() if now < at}
        leaving: dict[Spot, _Leaving] = {}
        for spot in (before.keys() | self._leaving.keys()) - held.keys():
            owner = self._owner_to_wait_for(spot, plan, facts)
            known = self._leaving.get(spot) or _Leaving(before[spot], owner, now)
            if owner and now < known.since + MOMENT:
                leaving[spot] = known._replace(owner=owner)
        self._leaving = leaving

    def _owner_to_wait_for(self, spot: Spot, plan: Layer2Plan, facts: Facts) -> str:
        """The node that it goes to, empty if nobody is to be waited for."""
        placement = plan.placements.get(spot.address)
        if placement is None or placement.owner in ("", facts.node) or facts.members.void:
            return ""
        claim = self._claims.get(spot)
        has_been_heard = claim is not None and claim.node == placement.owner
        return placement.owner if _stays(placement.owner, facts) and not has_been_heard else ""


def _stays(node: str, facts: Facts) -> bool:
    """Whether it is heard, and neither starts nor ends."""
    member = facts.members.others.get(node)
    return member is not None and not member.void and not member.leaving and is_heard(node, facts)
