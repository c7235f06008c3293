"""What a plan says beside who owns what: pools, interfaces to be heard on, and what other speakers have said.

Pure. The sentences about single addresses are made where they are decided.
"""

from collections.abc import Mapping

from openelb_bgp.eligibility import NodeState
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address, parse_address
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.facts import Facts, Link
from openelb_bgp.model.meta import Key, Kind
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import PoolStatus

from .claims import ClaimBook
from .neighbourhood import Neighbourhood
from .owned import Ownership, Spot
from .planned import Layer2Plan, Placement

_SERVICE = f"{Kind.SERVICE} "


def held_elsewhere(snapshot: Snapshot, *, own: str) -> dict[Key, frozenset[str]]:
    """The Services that other nodes say they must not announce yet, each with those nodes."""
    found: dict[Key, frozenset[str]] = {}
    for name, speaker in snapshot.speakers.items():
        if name == own:
            continue
        for problem in speaker.status.problems:
            if problem.reason == Reason.NOT_PROVEN and problem.object.startswith(_SERVICE):
                namespace, _, service = problem.object.removeprefix(_SERVICE).partition("/")
                key = Key(namespace, service)
                found[key] = found.get(key, frozenset()) | {name}
    return found


def reported_owners(snapshot: Snapshot) -> dict[Address, str]:
    """Who answers for each address, as Speakers have reported it."""
    found: dict[Address, str] = {}
    for name, speaker in sorted(snapshot.speakers.items()):
        for one in speaker.status.layer2.owned:
            found[parse_address(one.address)] = name
    return found


def first_of_all(
    held: Mapping[Spot, Ownership],
    placements: Mapping[Address, Placement],
    book: ClaimBook,
    snapshot: Snapshot,
    *,
    before: Layer2Plan,
) -> frozenset[Spot]:
    """The holdings that nobody has ever been seen to announce: only these are probed, never at a failover.

    An address has been announced if a Speaker reports it, if a Service's condition Announced is true, or if
    this process has known another owner. One that nobody has announced for a while may be asked for again:
    nobody is waiting for a failover then.
    """
    new = {spot for spot in held if spot not in before.held or spot in before.first}
    if not new:
        return frozenset()
    reported = reported_owners(snapshot)
    return frozenset(
        spot
        for spot in new
        if spot.address not in reported
        and not placements[spot.address].before
        and not any(
            _was_announced(book.services[key].conditions) for key in placements[spot.address].services
        )
    )


def _was_announced(conditions: tuple[Condition, ...]) -> bool:
    shown = next((one for one in conditions if one.type == keys.ANNOUNCED_CONDITION), None)
    return shown is not None and shown.status == "True"


def heartbeats(
    pools: Mapping[str, Eip],
    near: Neighbourhood,
    facts: Facts,
    me: NodeState | None,
) -> frozenset[str]:
    """The interfaces of this node that serve a pool: there it has to be known who is alive.

    A node that may announce nothing yet, or none of the pools, is not heard of there.
    """
    if me is None or facts.forwarding.refused is not None:
        return frozenset()
    found: set[str] = set()
    for pool in pools.values():
        if pool.node_selector is None or pool.node_selector.matches(me.labels):
            found.update(link.name for link in _serving(pool, near) if link.addresses)
    return frozenset(found)


def _serving(pool: Eip, near: Neighbourhood) -> tuple[Link, ...]:
    choice = near.own(pool.name)
    if choice.named:
        return choice.links
    return tuple(
        link
        for link in choice.links
        if _holds_any(link, pool)
        or (pool.layer2.any_subnet and any(link.name in names for names in choice.gateways.values()))
    )


def _holds_any(link: Link, pool: Eip) -> bool:
    return any(
        one.version == part.version
        and int(one.network.network_address) <= part.last
        and part.first <= int(one.network.broadcast_address)
        for one in link.addresses
        for part in pool.ranges
        if one.network.prefixlen < one.max_prefixlen
    )


def pool_statuses(
    pools: Mapping[str, Eip], near: Neighbourhood, facts: Facts, me: NodeState | None
) -> tuple[PoolStatus, ...]:
    """Of each pool, whether this node has what it takes to answer for its addresses."""
    return tuple(
        PoolStatus(name=name, ready=refused is None, reason="" if refused is None else refused.reason.value)
        for name, pool in pools.items()
        for refused in [pool_refusal(pool, near, facts, me)]
    )


def pool_refusal(pool: Eip, near: Neighbourhood, facts: Facts, me: NodeState | None) -> Refused | None:
    """Why this node answers for no address of the pool; None if it may."""
    if me is None:
        return Refused(Reason.NODE_UNKNOWN, f"there is no Node {facts.node}; register it")
    if facts.forwarding.refused is not None:
        return facts.forwarding.refused
    if pool.node_selector is not None and not pool.node_selector.matches(me.labels):
        return Refused(
            Reason.NODE_NOT_SELECTED,
            f"the pool's nodeSelector does not choose node {facts.node}; label the node or change it",
        )
    choice = near.own(pool.name)
    if choice.refused is not None:
        return choice.refused
    fitting = [link for link in choice.links if pool.layer2.any_subnet or _holds_any(link, pool)]
    if any(link.up for link in fitting):
        return None
    first = pool.ranges[0]
    found = choice.of(first.family.address(first.first))
    return found if isinstance(found, Refused) else None
