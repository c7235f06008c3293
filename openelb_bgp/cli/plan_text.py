"""A plan as a document (for YAML and JSON) and as tables (for people). No password is in either."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from openelb_bgp.bgp.explain import Advertised, ExplainedPath
from openelb_bgp.bgp.model import GlobalConf, PeerConf

from .whatif import Answer


class Section(msgspec.Struct, frozen=True):
    """A titled table. Without rows it says `nothing`."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    nothing: str = ""


def document(answer: Answer) -> dict[str, Any]:
    """The whole answer as plain values, in the order in which people read it."""
    told = answer.explanation
    return {
        "node": told.node,
        "global": None if told.global_conf is None else _global(told.global_conf),
        "peers": [_peer(one) for one in told.peers],
        "pools": [msgspec.to_builtins(one) for one in told.pools],
        "paths": [_path(one) for one in told.paths],
        "leftOut": [
            {"object": str(ref), "reason": refused.reason.value, "message": refused.message}
            for ref, refused in answer.left_out
        ],
        "problems": [msgspec.to_builtins(one) for one in answer.problems],
    }


def headline(answer: Answer) -> str:
    """One line about the speaker itself."""
    told = answer.explanation
    conf = told.global_conf
    if conf is None:
        return f"Node {told.node} runs no BGP."
    listens = f"listens on port {conf.listen_port}" if conf.listen_port > 0 else "does not listen"
    return f"Node {told.node}: AS {conf.asn}, router id {conf.router_id}, {listens}."


def sections(answer: Answer) -> tuple[Section, ...]:
    """The tables, in the order in which people read them."""
    told = answer.explanation
    return (
        Section(
            "Peers",
            ("PEER", "NEIGHBOR", "AS", "FAMILIES", "HOLD", "KEEPALIVE", "PASSWORD"),
            tuple(_peer_row(one) for one in told.peers),
            "No peer.",
        ),
        Section(
            "Announced",
            ("PREFIX", "NEXT-HOP", "NODE", "TO", "ATTRIBUTES", "SERVICES"),
            tuple(row for path in told.paths for row in _path_rows(path)),
            "Nothing is announced.",
        ),
        Section(
            "Not announced, or not wholly",
            ("OBJECT", "REASON", "MESSAGE"),
            tuple((str(ref), refused.reason.value, refused.message) for ref, refused in answer.left_out),
        ),
        Section(
            "Problems",
            ("OBJECT", "REASON", "MESSAGE"),
            tuple((one.object, one.reason, one.message) for one in answer.problems),
        ),
    )


def _global(conf: GlobalConf) -> dict[str, Any]:
    return {
        "as": conf.asn,
        "routerId": conf.router_id,
        "listenPort": conf.listen_port,
        "listenAddresses": list(conf.listen_addresses),
        "useMultiplePaths": conf.use_multiple_paths,
    }


def _peer(peer: PeerConf) -> dict[str, Any]:
    return {
        "name": peer.name,
        "neighborAddress": peer.neighbor_address,
        "peerAs": peer.peer_asn,
        "localAs": peer.local_asn,
        "families": [
            {"family": str(one.family), "sendMax": one.add_paths_send_max}
            for one in peer.afi_safis
            if one.enabled
        ],
        "holdTime": peer.timers.hold_time,
        "keepaliveInterval": peer.timers.keepalive_interval,
        "gracefulRestart": peer.graceful_restart is not None and peer.graceful_restart.enabled,
        "bfd": peer.bfd is not None and peer.bfd.enabled,
        "password": peer.auth_password is not None,
    }


def _path(path: ExplainedPath) -> dict[str, Any]:
    return {
        "prefix": str(path.prefix),
        "node": path.node,
        "services": [str(key) for key in path.services],
        "to": [
            {
                "peer": one.peer,
                "neighborAddress": one.neighbour,
                "nextHop": one.next_hop,
                "attributes": list(one.attributes),
            }
            for one in path.to
        ],
    }


def _peer_row(peer: PeerConf) -> tuple[str, ...]:
    families = ",".join(str(one.family) for one in peer.afi_safis if one.enabled)
    return (
        peer.name,
        peer.neighbor_address,
        str(peer.peer_asn or "any"),
        families,
        f"{peer.timers.hold_time}s" if peer.timers.hold_time else "",
        f"{peer.timers.keepalive_interval}s" if peer.timers.keepalive_interval else "",
        "yes" if peer.auth_password is not None else "no",
    )


def _path_rows(path: ExplainedPath) -> Iterable[tuple[str, ...]]:
    """A row for each set of peers that see the same."""
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for one in path.to:
        alike.setdefault((one.next_hop, one.attributes), []).append(_receiver(one, path.to))
    services = ",".join(map(str, path.services))
    for (next_hop, attributes), peers in alike.items():
        yield str(path.prefix), next_hop, path.node, ",".join(peers), "; ".join(attributes), services


def _receiver(one: Advertised, all_: Sequence[Advertised]) -> str:
    several = sum(other.peer == one.peer for other in all_) > 1
    return f"{one.peer} ({one.neighbour})" if several else one.peer
