"""Reads back what one gobgpd runs, as a Configuration to compare with.

Paths and policies come from gobgpd itself. Of its global part and its peers gobgpd shows live state mixed
with defaults, so what was applied last counts (`memory`), as long as gobgpd shows that it is still there.
"""

from openelb_bgp.model.addresses import Family

from .diff import Configuration
from .memory import Memory
from .model import GlobalConf, ObservedGlobal, ObservedPeer, PathAttrs, PathKey, PeerConf
from .planned import BgpPlan
from .port import Gobgp


async def observe(gobgp: Gobgp, plan: BgpPlan, *, memory: Memory) -> Configuration:
    """What runs now; the empty Configuration before StartBgp. Raises GobgpError."""
    running = await gobgp.global_conf()
    if running is None:
        return Configuration()
    remembered = memory.recall(plan.peers)
    return Configuration(
        global_conf=_global(running, (memory.recall_global(), plan.global_conf)),
        routing=await gobgp.routing_policy(),
        peers={
            address: remembered.get(address) or plan.peers.get(address) or _stranger(peer)
            for peer in await gobgp.peers()
            if (address := peer.neighbor_address)
        },
        paths=await local_paths(gobgp),
    )


async def local_paths(gobgp: Gobgp) -> dict[PathKey, PathAttrs]:
    """The paths originated here, of both families; learned ones are nobody's business."""
    # One with attributes that we have no word for is not ours; seen without them it differs, and is replaced.
    return {path.key: path.attrs for family in Family for path in await gobgp.paths(family)}


def _global(running: ObservedGlobal, candidates: tuple[GlobalConf | None, ...]) -> GlobalConf:
    """The first candidate that is what runs; else what gobgpd shows."""
    for conf in candidates:
        if conf is not None and _is(conf, running):
            return conf
    return GlobalConf(
        asn=running.asn,
        router_id=running.router_id,
        listen_port=running.listen_port,
        listen_addresses=running.listen_addresses,
        use_multiple_paths=running.use_multiple_paths,
    )


def _is(conf: GlobalConf, running: ObservedGlobal) -> bool:
    same = (conf.asn, conf.router_id, conf.use_multiple_paths) == (
        running.asn,
        running.router_id,
        running.use_multiple_paths,
    )
    # An empty list and port 0 are gobgpd's to fill in.
    return (
        same
        and (conf.listen_port or running.listen_port) == running.listen_port
        and (not conf.listen_addresses or set(conf.listen_addresses) == set(running.listen_addresses))
    )


def _stranger(peer: ObservedPeer) -> PeerConf:
    """A peer that somebody else added: enough of it to delete it."""
    return PeerConf(
        name="",
        neighbor_address=peer.neighbor_address,
        neighbor_interface=peer.neighbor_interface,
        peer_asn=peer.peer_asn,
        local_asn=peer.local_asn,
    )
