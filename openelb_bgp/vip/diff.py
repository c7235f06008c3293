"""What has to be done to bring a node's keepalived from what it runs to what it shall run.

Pure. keepalived takes a configuration whole, and leaves alone what is the same in both; so there is one
change at most, and beside it what lies on interfaces and belongs to nobody.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache

import msgspec

from openelb_bgp.model.addresses import Address, parse_address
from openelb_bgp.model.facts import Link
from openelb_bgp.model.pools import Eip

from .model import Instance

_ENTRY = re.compile(r"^\s+(\S+)/(?:32|128) dev (\S+)", re.MULTILINE)


class Spot(msgspec.Struct, frozen=True, order=True):
    """An address on an interface."""

    interface: str
    address: Address

    def __str__(self) -> str:
        return f"{self.interface} {self.address}/{self.address.max_prefixlen}"


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What is there: the configuration that keepalived was last told, and single addresses of the NICs."""

    config: str = ""
    spots: frozenset[Spot] = frozenset()


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What to do. `config` None: nothing. `remove` are addresses that nobody keeps."""

    config: str | None = None
    remove: tuple[Spot, ...] = ()


def diff(desired: str, observed: Observed, pools: Collection[Eip]) -> Change:
    """From the text that should count; strays are addresses of the pools that neither text has."""
    known = spots_of(desired) | spots_of(observed.config)
    strays = {spot for spot in observed.spots - known if any(spot.address in pool for pool in pools)}
    return Change(
        config=None if desired == observed.config else desired,
        remove=tuple(sorted(strays)),
    )


@lru_cache(maxsize=4)
def spots_of(config: str) -> frozenset[Spot]:
    """Every address that a configuration of ours sets, and where."""
    return frozenset(Spot(interface, parse_address(text)) for text, interface in _ENTRY.findall(config))


def single_addresses(links: Iterable[Link]) -> frozenset[Spot]:
    """The addresses of NICs that lie in no subnet of theirs, as keepalived sets them."""
    return frozenset(
        Spot(link.name, one.ip)
        for link in links
        for one in link.addresses
        if one.network.prefixlen == one.max_prefixlen
    )


def mastered(instances: Iterable[Instance], spots: frozenset[Spot]) -> Mapping[str, Instance]:
    """The instances, by name, whose carrier is on its interface: there this node is master."""
    return {one.name: one for one in instances if Spot(one.interface, parse_address(one.carrier)) in spots}
