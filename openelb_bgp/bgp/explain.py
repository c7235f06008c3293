"""A plan in words that people read: what goes to whom with which attributes, and why the rest does not.

Pure, and values only: the command `plan` prints them. Nothing is decided here.
"""

import msgspec

from openelb_bgp.model.addresses import Address, Network
from openelb_bgp.model.meta import Key, ObjectRef
from openelb_bgp.model.reasons import Refused
from openelb_bgp.model.statuses import PoolStatus, Problem

from .model import GlobalConf, PathAttrs, PathKey, PeerConf
from .planned import BgpPlan
from .resolve import Entry
from .variants import Attrs


class Advertised(msgspec.Struct, frozen=True, kw_only=True):
    """What one neighbour sees of a path. `next_hop` is "self" where the session's own address goes out.

    `attributes` are texts such as `community 65535:0` or `med 10`, in a fixed order.
    """

    peer: str
    neighbour: str
    next_hop: str
    attributes: tuple[str, ...]


class ExplainedPath(msgspec.Struct, frozen=True, kw_only=True):
    """One path: whose next hop it is, for which Services, and what each neighbour sees of it."""

    prefix: Network
    identifier: int
    node: str
    services: tuple[Key, ...]
    to: tuple[Advertised, ...]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A whole plan, sorted. `peers` carry no password that could be shown."""

    node: str
    complete: bool
    global_conf: GlobalConf | None
    peers: tuple[PeerConf, ...]
    paths: tuple[ExplainedPath, ...]
    left_out: tuple[tuple[ObjectRef, Refused], ...]
    pools: tuple[PoolStatus, ...]
    problems: tuple[Problem, ...]


def explain(plan: BgpPlan) -> Explanation:
    """Everything that the plan does, and everything that it does not do with the reason."""
    return Explanation(
        node=plan.node,
        complete=plan.complete,
        global_conf=plan.global_conf,
        peers=tuple(plan.peers[address] for address in sorted(plan.peers)),
        paths=_paths(plan),
        left_out=tuple(sorted(plan.left_out.items())),
        pools=plan.pools,
        problems=plan.problems,
    )


def _paths(plan: BgpPlan) -> tuple[ExplainedPath, ...]:
    book = None if plan.memory is None else plan.memory.book
    if book is None:
        return ()
    owners = book.owners()
    found: list[ExplainedPath] = []
    for key in sorted(plan.paths, key=_order):
        entry = book.entry(key)
        if entry is not None:
            found.append(
                ExplainedPath(
                    prefix=key.prefix,
                    identifier=key.identifier,
                    node=entry.node,
                    services=tuple(owners[key.prefix]),
                    to=_advertised(plan, entry),
                )
            )
    return tuple(found)


def _order(key: PathKey) -> tuple[int, int, int, int]:
    prefix = key.prefix
    return prefix.version, int(prefix.network_address), prefix.prefixlen, key.identifier


def _advertised(plan: BgpPlan, entry: Entry) -> tuple[Advertised, ...]:
    return tuple(
        Advertised(
            peer=plan.peers[neighbour].name,
            neighbour=neighbour,
            next_hop=_next_hop(attrs.next_hop or entry.attrs.next_hop),
            attributes=_texts(attrs, entry.attrs),
        )
        for neighbour, attrs in entry.variant.seen
    )


def _next_hop(address: Address | None) -> str:
    return "self" if address is None else str(address)


def _texts(attrs: Attrs, path: PathAttrs) -> tuple[str, ...]:
    texts = [f"community {value >> 16}:{value & 0xFFFF}" for value in attrs.communities]
    texts += [f"large-community {':'.join(map(str, value))}" for value in attrs.large_communities]
    if attrs.local_pref is not None:
        texts.append(f"local-pref {attrs.local_pref}")
    if attrs.med is not None:
        texts.append(f"med {attrs.med}")
    if attrs.prepend:
        texts.append(f"as-path-prepend {' '.join(map(str, attrs.prepend))}")
    if path.link_bandwidth is not None:
        texts.append(f"link-bandwidth {path.link_bandwidth.bytes_per_second:.0f}")
    return tuple(texts)
