"""On which NIC of this node an address is to be answered for, and if on none, why: `Eip.spec.interface`.

Pure, and shared by the announcers that serve a LAN (layer2, vip). Which node does it is their own matter.
"""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import msgspec

from .lib.words import some
from .model.addresses import Address, Interface, parse_address
from .model.facts import NOT_NICS, Facts, Link
from .model.pools import Eip
from .model.reasons import Reason, Refused
from .model.snapshot import Snapshot

_CAN_REACH = "can_reach:"


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What a pool's `interface` comes to on this node; ask it for each address.

    `links` are the NICs that it names, up or not; all of them where it names none. `refused` says why there
    is none. `any_subnet` lets an address be answered for outside the NIC's subnets. `own` are the addresses
    of this node, `gateways` the NICs of its default routes by IP version.
    """

    pool: str
    node: str
    links: tuple[Link, ...] = ()
    named: bool = False
    any_subnet: bool = False
    refused: Refused | None = None
    own: frozenset[Address] = frozenset()
    gateways: Mapping[int, frozenset[str]] = {}

    def of(self, address: Address) -> tuple[Link, ...] | Refused:
        """The links to answer for the address on, by name and up; at least one, else the Refused."""
        if self.refused is not None:
            return self.refused
        if address in self.own:
            return Refused(
                Reason.ADDRESS_OF_NODE,
                f"{address} is an address of node {self.node} itself; exclude it from Eip {self.pool}",
            )
        fitting = self._fitting(address)
        if not fitting:
            return self._outside(address)
        up = tuple(link for link in fitting if link.up)
        if up:
            return up
        return Refused(
            Reason.INTERFACE_DOWN,
            f"{some([link.name for link in fitting])} of node {self.node} is down or has no carrier; "
            "look at its cable and its switch port",
        )

    def _fitting(self, address: Address) -> list[Link]:
        inside = [link for link in self.links if holds(link, address)]
        if inside or not self.any_subnet:
            return inside
        if self.named:
            return list(self.links)
        leading = self.gateways.get(address.version, frozenset())
        return [link for link in self.links if link.name in leading]

    def _outside(self, address: Address) -> Refused:
        if self.any_subnet:
            return Refused(
                Reason.NO_INTERFACE,
                f"node {self.node} has no default route for {address} to find a NIC by; name one in "
                f"spec.interface of Eip {self.pool}",
            )
        where = some([f"{link.name} has {', '.join(link.subnets) or 'none'}" for link in self.links])
        return Refused(
            Reason.NO_SUBNET,
            f"{address} lies in no subnet of node {self.node} ({where or 'it has no NIC'}); choose addresses "
            f"of the LAN, or set spec.layer2.anySubnet of Eip {self.pool}",
        )


def holds(link: Link, address: Address) -> bool:
    """Whether the address lies in a subnet of the link; a single address of its own is none."""
    return any(
        one.version == address.version and is_subnet(one) and address in one.network for one in link.addresses
    )


def is_subnet(interface: Interface) -> bool:
    """Whether an interface's address comes with a network, and is not one that somebody added singly."""
    return interface.network.prefixlen < interface.max_prefixlen


def choose(pool: Eip, facts: Facts, snapshot: Snapshot) -> Choice:
    """What the pool's `interface` comes to on this node; `snapshot` says what can_reach must not name."""
    nics = _nics(facts)
    found = _named(pool, nics, facts, snapshot) if pool.interfaces else nics
    gateways: dict[int, set[str]] = {}
    for one in facts.gateways:
        gateways.setdefault(one.version, set()).add(one.interface)
    return Choice(
        pool=pool.name,
        node=facts.node,
        links=() if isinstance(found, Refused) else found,
        named=bool(pool.interfaces),
        any_subnet=pool.layer2.any_subnet,
        refused=found if isinstance(found, Refused) else None,
        own=own_addresses(facts),
        gateways={version: frozenset(names) for version, names in gateways.items()},
    )


def own_addresses(facts: Facts) -> frozenset[Address]:
    """The addresses of this node's NICs that lie in a subnet of theirs; what others add singly is theirs."""
    return frozenset(
        one.ip
        for link in facts.links
        if link.name not in NOT_NICS
        for one in link.addresses
        if is_subnet(one)
    )


def targets(pools: Iterable[Eip]) -> frozenset[Address]:
    """The addresses that these pools name by `can_reach:`, for whoever looks for the routes to them."""
    texts = (text for pool in pools for text in pool.interfaces if text.startswith(_CAN_REACH))
    return frozenset(parse_address(text.removeprefix(_CAN_REACH)) for text in texts)


def _nics(facts: Facts) -> tuple[Link, ...]:
    usable = (link for link in facts.links if link.name not in NOT_NICS)
    return tuple(sorted(usable, key=lambda link: link.name))


def _named(pool: Eip, nics: tuple[Link, ...], facts: Facts, snapshot: Snapshot) -> tuple[Link, ...] | Refused:
    first = pool.interfaces[0]
    if first.startswith(_CAN_REACH):
        return _reaching(parse_address(first.removeprefix(_CAN_REACH)), nics, facts, snapshot)
    found = tuple(link for link in nics if any(fnmatchcase(link.name, text) for text in pool.interfaces))
    if found:
        return found
    return Refused(
        Reason.NO_INTERFACE,
        f"node {facts.node} has no interface {', '.join(pool.interfaces)}; it has "
        f"{some([link.name for link in nics]) or 'none'}: correct spec.interface of Eip {pool.name}",
    )


def _reaching(
    target: Address, nics: tuple[Link, ...], facts: Facts, snapshot: Snapshot
) -> tuple[Link, ...] | Refused:
    remedy = "write an address that the NIC reaches, such as the router's"
    owner = snapshot.owner_of(target)
    if owner:
        return Refused(Reason.NO_INTERFACE, f"{_CAN_REACH}{target} names an address of {owner}; {remedy}")
    if target not in facts.routes:
        return Refused(Reason.WAITING_FOR_SYNC, f"the route to {target} is being looked for")
    name = facts.routes[target]
    found = tuple(link for link in nics if link.name == name)
    if found:
        return found
    if name:
        return Refused(
            Reason.NO_INTERFACE, f"node {facts.node} reaches {target} by {name}, which is no NIC; {remedy}"
        )
    return Refused(Reason.NO_INTERFACE, f"node {facts.node} has no route to {target}; add one, or {remedy}")
