"""What two OPEN messages mean together (RFC 5492): from named capabilities to what a peer can do.

Pure. How an API packs capabilities is in `v3` and `v4`; they hand over (name, message) with the names of
the members of 4.x's `Capability`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from openelb_bgp.bgp.gobgp._pb import gobgp4_pb2 as pb4
from openelb_bgp.bgp.gobgp.peers import AFI, families_of, family_of
from openelb_bgp.bgp.model import ObservedPeer, PeerCapabilities
from openelb_bgp.model.addresses import Family

Named = Sequence[tuple[str, Any]]

# Numbers of the add-path mode (RFC 7911, 4), the same in both APIs.
_RECEIVE, _SEND, _BOTH = 1, 2, 3


def read_capabilities(named: Named) -> PeerCapabilities:
    """What one OPEN announced; the empty value where there was none."""
    single: dict[str, Any] = {}
    protocols: list[pb4.Family] = []
    for name, message in named:
        if name == "multi_protocol":
            protocols.append(message.family)
        else:
            single[name] = message
    if not protocols and not single:
        return PeerCapabilities()
    restart = single.get("graceful_restart")
    return PeerCapabilities(
        # Without any multiprotocol capability a session carries IPv4 unicast (RFC 4760, 8).
        families=families_of(protocols) or (Family.IPV4,),
        add_path_receive=_add_path(single, _RECEIVE),
        graceful_restart=restart is not None,
        restart_time=restart.time if restart is not None else 0,
        graceful_families=_tuple_families(single, "graceful_restart"),
        long_lived_families=_tuple_families(single, "long_lived_graceful_restart"),
        extended_next_hop=_takes_ipv6_next_hops(single),
        four_octet_asn="four_octet_asn" in single,
    )


def with_capabilities(peer: ObservedPeer, *, local: Named, remote: Named) -> ObservedPeer:
    """The peer with what both OPENs of its current or last session agreed on."""
    ours = dict(local)
    theirs = read_capabilities(remote)
    sends = _add_path(ours, _SEND)
    return msgspec.structs.replace(
        peer,
        remote=theirs,
        families=tuple(family for family in read_capabilities(local).families if family in theirs.families),
        add_path_send=tuple(family for family in sends if family in theirs.add_path_receive),
    )


def _add_path(single: Mapping[str, Any], mode: int) -> tuple[Family, ...]:
    capability = single.get("add_path")
    if capability is None:
        return ()
    return families_of(entry.family for entry in capability.tuples if entry.mode in (mode, _BOTH))


def _tuple_families(single: Mapping[str, Any], name: str) -> tuple[Family, ...]:
    capability = single.get(name)
    return () if capability is None else families_of(entry.family for entry in capability.tuples)


def _takes_ipv6_next_hops(single: Mapping[str, Any]) -> bool:
    capability = single.get("extended_nexthop")
    return capability is not None and any(
        family_of(entry.nlri_family) is Family.IPV4 and entry.nexthop_family.afi == AFI[Family.IPV6]
        for entry in capability.tuples
    )
