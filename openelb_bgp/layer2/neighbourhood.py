"""Which nodes can answer for an address, as far as their links and their speakers go. Pure.

Of this node the links themselves tell, of all others their heartbeats: what a speaker says of its
interfaces all others hear alike, so all come to the same answer. Endpoints, labels and drains are
`eligibility`'s matter.
"""

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase

import msgspec

from openelb_bgp.interfaces import Choice, choose, is_subnet
from openelb_bgp.model.addresses import Address, Interface, Network
from openelb_bgp.model.facts import Facts, Link
from openelb_bgp.model.members import Member, MemberInterface
from openelb_bgp.model.meta import EMPTY
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot

_CAN_REACH = "can_reach:"


class Ground(msgspec.Struct, frozen=True, kw_only=True):
    """Where the nodes can answer for some addresses of a pool, all of which lie in the same subnets.

    `interfaces` are by node, and of each by name; a node that cannot is in `refused`. `stable_since` says
    from when on a node of `interfaces` has served there without a break.
    """

    interfaces: Mapping[str, tuple[str, ...]] = EMPTY
    refused: Mapping[str, Refused] = EMPTY
    stable_since: Mapping[str, float] = EMPTY


class Neighbourhood:
    """The links of all nodes whose speakers are heard of, this one included. Asked for each address."""

    def __init__(self, snapshot: Snapshot, facts: Facts, pools: Mapping[str, Eip]) -> None:
        self._facts = facts
        self._members = facts.members.others
        self._own = {name: choose(pool, facts, snapshot) for name, pool in pools.items()}
        self._others = {
            name: {node: _choice_of(member, pool) for node, member in self._members.items()}
            for name, pool in pools.items()
        }
        self._networks, self._taken = _subnets(facts)
        self._known: dict[tuple[str, int, object], Ground] = {}

    def ground(self, pool: str, address: Address) -> Ground:
        """Where its nodes can answer for that address of the pool."""
        key = (pool, address.version, self.signature(address))
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._ground(pool, address)
        return known

    def own(self, pool: str) -> Choice:
        """What the pool's interface comes to on this node."""
        return self._own[pool]

    @property
    def subnets(self) -> object:
        """What signatures depend on; equal where they are."""
        return self._networks, self._taken

    def signature(self, address: Address) -> object:
        """What of the address decides: the subnets that it lies in, or itself where a node has it."""
        if address in self._taken:
            return address
        return tuple([address in network for network in self._networks[address.version]])

    def _ground(self, pool: str, address: Address) -> Ground:
        interfaces: dict[str, tuple[str, ...]] = {}
        refused: dict[str, Refused] = {}
        stable: dict[str, float] = {}
        answers = {self._facts.node: self._own_interfaces(pool, address)}
        answers.update((node, self._interfaces_of(node, pool, address)) for node in self._members)
        for node, found in answers.items():
            if isinstance(found, Refused):
                refused[node] = found
                continue
            interfaces[node] = tuple(one.name for one in found)
            known = [one.stable_since for one in found if one.stable_since is not None]
            stable[node] = min(known, default=self._facts.now)
        return Ground(interfaces=interfaces, refused=refused, stable_since=stable)

    def _own_interfaces(self, pool: str, address: Address) -> tuple[MemberInterface, ...] | Refused:
        facts = self._facts
        if facts.forwarding.refused is not None:
            return facts.forwarding.refused
        links = self._own[pool].of(address)
        if isinstance(links, Refused):
            return links
        known = [facts.members.own.get(link.name) for link in links]
        alive = tuple(one for one in known if one is not None and one.alive)
        return alive or Refused(
            Reason.NODE_SILENT,
            f"the other speakers get no answer from node {facts.node} on "
            f"{', '.join(link.name for link in links)}; see docs/layer2.md, Membership",
        )

    def _interfaces_of(self, node: str, pool: str, address: Address) -> tuple[MemberInterface, ...] | Refused:
        member = self._members[node]
        if member.leaving:
            return Refused(
                Reason.NODE_LEAVING, f"the speaker of node {node} has said goodbye; it is stopping"
            )
        if member.void:
            return Refused(
                Reason.OWNERSHIP_VOID, f"the speaker of node {node} has just started; this lasts a moment"
            )
        found = self._others[pool][node].of(address)
        if isinstance(found, Refused):
            return _silent(node, member) if found.reason is Reason.INTERFACE_DOWN else found
        return tuple(member.interfaces[link.name] for link in found)


def _silent(node: str, member: Member) -> Refused:
    names = ", ".join(sorted(member.interfaces))
    return Refused(
        Reason.NODE_SILENT, f"nothing is heard of node {node} on {names}; look at the node and its link"
    )


def _choice_of(member: Member, pool: Eip) -> Choice:
    """What the pool's interface comes to there, as far as can be told from here: not where routes lead."""
    wanted = tuple(one for one in pool.interfaces if not one.startswith(_CAN_REACH))
    links = tuple(
        Link(name=one.name, index=0, mac=one.mac, up=one.alive, addresses=one.addresses)
        for _, one in sorted(member.interfaces.items())
        if not wanted or any(fnmatchcase(one.name, text) for text in wanted)
    )
    refused = None
    if not links:
        refused = Refused(
            Reason.NO_INTERFACE,
            f"node {member.node} serves no interface {', '.join(pool.interfaces) or 'at all'}; "
            "see its Speaker",
        )
    # Whoever runs heartbeats there has found that its default route leads there, or that it is named.
    return Choice(
        pool=pool.name,
        node=member.node,
        links=links,
        named=True,
        any_subnet=pool.layer2.any_subnet,
        refused=refused,
        own=frozenset(one.ip for link in links for one in link.addresses if is_subnet(one)),
    )


def _subnets(facts: Facts) -> tuple[dict[int, list[Network]], frozenset[Address]]:
    """The subnets of all nodes by IP version, and the addresses that nodes have."""
    found: dict[int, set[Network]] = {4: set(), 6: set()}
    taken: set[Address] = set()
    for one in _all_addresses(facts):
        if is_subnet(one):
            found[one.version].add(one.network)
            taken.add(one.ip)
    return {version: sorted(networks, key=str) for version, networks in found.items()}, frozenset(taken)


def _all_addresses(facts: Facts) -> Iterator[Interface]:
    for link in facts.links:
        yield from link.addresses
    for member in facts.members.others.values():
        for one in member.interfaces.values():
            yield from one.addresses
