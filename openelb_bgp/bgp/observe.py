"""Reads back what one gobgpd runs, and turns it into a Configuration to compare with.

Paths and policies come from gobgpd itself. Of its global part and its peers gobgpd shows live state mixed
with defaults, so what was applied last counts (`memory`), as long as gobgpd shows that it is still there.
"""

from collections.abc import Mapping

import msgspec

from openelb_bgp.model.addresses import Family

from .diff import Configuration
from .memory import Applied
from .model import (
    GlobalConf,
    ObservedGlobal,
    ObservedPeer,
    PathAttrs,
    PathKey,
    PeerConf,
    RoutingPolicy,
)
from .port import Gobgp

Paths = Mapping[PathKey, PathAttrs]

_NOT_OURS = PathAttrs(local_pref=-1)
"""Stands for attributes that we have no word for: it equals nothing that any plan holds."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What gobgpd itself shows. `running` None: before StartBgp, and then everything else is empty.

    `paths` are those originated here; of learned ones, which are nobody's business, only `learned` says how
    many there are in each family.
    """

    running: ObservedGlobal | None = None
    routing: RoutingPolicy = RoutingPolicy()
    peers: tuple[ObservedPeer, ...] = ()
    paths: Paths = {}
    learned: Mapping[Family, int] = {}


async def read(gobgp: Gobgp, *, last: Reading | None = None) -> Reading:
    """What runs now. Raises GobgpError.

    Listing 10,000 paths takes half a second of CPU, counting them nothing: where `last` is given (the last
    reading, its paths brought up to date with what was applied since) and the counts bear it out, the paths
    are not listed.
    """
    running = await gobgp.global_conf()
    if running is None:
        return Reading()
    counts = {family: (await gobgp.count(family)).paths for family in Family}
    if last is not None and counts == _totals(last):
        paths, learned = last.paths, last.learned
    else:
        paths = await _local_paths(gobgp)
        local = _number(paths)
        # Counted before they were listed: what came in between is no reason to trust a lower count later.
        learned = {family: max(0, counts[family] - local[family]) for family in Family}
    return Reading(
        running=running,
        routing=await gobgp.routing_policy(),
        peers=await gobgp.peers(),
        paths=paths,
        learned=learned,
    )


def _totals(reading: Reading) -> dict[Family, int]:
    local = _number(reading.paths)
    return {family: local[family] + reading.learned.get(family, 0) for family in Family}


def _number(paths: Paths) -> dict[Family, int]:
    ipv4 = sum(key.prefix.version == 4 for key in paths)
    return {Family.IPV4: ipv4, Family.IPV6: len(paths) - ipv4}


def configuration(reading: Reading, applied: Applied, wanted: Configuration) -> Configuration:
    """What runs, in the words of what was applied last, or of what is wanted where that is not known."""
    if reading.running is None:
        return Configuration()
    return Configuration(
        global_conf=_global(reading.running, (applied.global_conf, wanted.global_conf)),
        routing=reading.routing,
        peers={
            address: applied.peers.get(address) or wanted.peers.get(address) or _stranger(peer)
            for peer in reading.peers
            if (address := peer.neighbor_address)
        },
        paths=reading.paths,
    )


async def _local_paths(gobgp: Gobgp) -> dict[PathKey, PathAttrs]:
    return {
        path.key: _NOT_OURS if path.foreign else path.attrs
        for family in Family
        for path in await gobgp.paths(family)
    }


def _global(running: ObservedGlobal, candidates: tuple[GlobalConf | None, ...]) -> GlobalConf:
    """The first candidate that is what runs; else what gobgpd shows."""
    for conf in candidates:
        # Port 0 is gobgpd's to fill in.
        if conf is not None and set(running.differs_from(conf)) <= _unsaid(conf):
            return conf
    return GlobalConf(
        asn=running.asn,
        router_id=running.router_id,
        listen_port=running.listen_port,
        listen_addresses=running.listen_addresses,
        use_multiple_paths=running.use_multiple_paths,
    )


def _unsaid(conf: GlobalConf) -> set[str]:
    return set() if conf.listen_port else {"listen_port"}


def _stranger(peer: ObservedPeer) -> PeerConf:
    """A peer that somebody else added: enough of it to delete it."""
    return PeerConf(
        name="",
        neighbor_address=peer.neighbor_address,
        neighbor_interface=peer.neighbor_interface,
        peer_asn=peer.peer_asn,
        local_asn=peer.local_asn,
    )
