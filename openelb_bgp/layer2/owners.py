"""Who owns an address: of the nodes that can answer for it the first by rank, unless that would unsettle it.

Pure. Every node comes to the same answer from the same facts: the ranks are the same everywhere, and how long
a node has served without a break every member is told alike. Memory decides in one thing only, how often an
address has moved. A node that remembers less takes an address too early, and that is settled on the wire by
rank; one that remembered more than the holder would leave it to a holder that does not hold it, so only such
moves count as both have seen, and only as long as the holder is heard to answer (`placing`).
"""

from collections.abc import Collection, Mapping

import msgspec

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.reasons import Reason, Refused

from .planned import Contest, Placement
from .ranks import Ranking

STABLE_SECONDS = 30.0
"""How long a node that came back serves without a break before it takes addresses from others."""
TOGETHER_SECONDS = 5.0
"""Nodes that began within so many seconds share at once, as on the first day.

Up to twice as late they wait for the longer. No two nodes know such a difference to the millisecond: were it
to decide between now and half a minute, those that take it differently would disagree for so long.
"""
MOVES_WINDOW, MOST_MOVES = 180.0, 3
"""An address moves so often in so many seconds; at five, EVPN fabrics take it for a loop (RFC 7432, 15.1)."""


def contest(able: Collection[str], stable_since: Mapping[str, float], *, now: float) -> Contest:
    """The contest among these nodes."""
    eldest = min((stable_since[node] for node in able), default=now)
    settles = {node: stable_since[node] + _wait(stable_since[node] - eldest) for node in able}
    young = {node: at for node, at in settles.items() if now < at}
    everybody = frozenset(able)
    return Contest(
        able=everybody, settled=frozenset(everybody - young.keys()), until=min(young.values(), default=None)
    )


def _wait(behind: float) -> float:
    """Seconds for which a node serves before it is settled that began so long after the eldest."""
    share = (behind - TOGETHER_SECONDS) / TOGETHER_SECONDS
    return STABLE_SECONDS * min(1.0, max(0.0, share))


class Choice(msgspec.Struct, frozen=True):
    """The owner of an address, why it is not the one before, and when time alone may change that.

    `heir` is who would own it, had it not moved so often; empty where that did not matter.
    """

    owner: str
    pinned: bool = False
    why: Refused | None = None
    until: float | None = None
    heir: str = ""


def choose_owner(
    address: Address,
    among: Contest,
    *,
    preferred: str,
    before: Placement | None,
    seen_since: float,
    ranking: Ranking,
    now: float,
) -> Choice:
    """The owner; empty where nobody can answer. `before` is where the address was in the last plan.

    Moves before `seen_since` do not count against a further one.
    """
    pinned = preferred in among.settled
    if pinned:
        wanted, why = preferred, Refused(Reason.NOT_PREFERRED, f"the Service asks for node {preferred}")
    else:
        wanted = ranking.first(among.settled, address)
        why = Refused(Reason.NOT_OWNER, f"node {wanted} comes first by hash and has served long enough")
    if before is None or before.owner in ("", wanted) or before.owner not in among.able:
        return Choice(wanted, pinned, until=among.until)
    recent = tuple(at for at in recent_moves(before.moves, now=now) if at >= seen_since)
    if len(recent) >= MOST_MOVES:
        return Choice(before.owner, until=recent[-MOST_MOVES] + MOVES_WINDOW, heir=wanted)
    return Choice(wanted, pinned, why, among.until)


def recent_moves(moves: tuple[float, ...], *, now: float) -> tuple[float, ...]:
    """Those that still count."""
    if not moves or moves[0] > now - MOVES_WINDOW:
        return moves
    return tuple(at for at in moves if at > now - MOVES_WINDOW)
