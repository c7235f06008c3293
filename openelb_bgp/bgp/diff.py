"""What separates the gobgpd that runs from the one that is wanted, as changes in the order to apply.

Pure: two configurations in, changes out, so that `apply(diff(desired, actual), actual) == desired`. What
"actual" is, is the announcer's matter: paths and policies are read back from gobgpd, peers are the last
message that was applied (ListPeer shows defaults and live state, and an echo of it resets the session).
What one edited peer takes, `session_effect` knows.
"""

import enum
from collections.abc import Collection, Mapping

import msgspec

from openelb_bgp.model.meta import EMPTY

from .model import AddressFamily, GlobalConf, Path, PathAttrs, PathKey, PeerConf, RoutingPolicy


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that we configure in one gobgpd; `peers` is keyed by neighbour address."""

    global_conf: GlobalConf | None = None
    routing: RoutingPolicy = RoutingPolicy()
    peers: Mapping[str, PeerConf] = EMPTY
    paths: Mapping[PathKey, PathAttrs] = EMPTY


def silent(actual: Configuration) -> Configuration:
    """The same gobgpd with nothing announced and nobody spoken to."""
    return Configuration(global_conf=actual.global_conf, routing=actual.routing)


class SessionEffect(enum.Enum):
    """What an edit of a peer does to its session.

    NONE: gobgpd need not be told. STORED: told by UpdatePeer, in force from the next session on, or at once
    without a reset. RESET: cannot be done within the session; UpdatePeer would reset it with a NOTIFICATION,
    for which the peer forgets our routes, or would ignore the edit in silence. GOODBYE: the session shall
    end, and the peer shall forget our routes.
    """

    NONE = "none"
    STORED = "stored"
    RESET = "reset"
    GOODBYE = "goodbye"


class PeerEdit(msgspec.Struct, frozen=True, kw_only=True):
    """One peer as it was applied last, as it shall be, and what that takes."""

    old: PeerConf
    new: PeerConf
    effect: SessionEffect


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """In the order to apply: policies, new paths, old paths, peers away, peers edited, peers new.

    `restart` says that the global part differs, which needs a new gobgpd; everything else then holds for
    the new one. New paths precede old ones, so that a path under a new identifier never leaves a gap, and
    peers come last, so that the first UPDATEs precede End-of-RIB (RFC 4724, 4.1).
    """

    restart: bool = False
    global_conf: GlobalConf | None = None
    routing: RoutingPolicy | None = None
    add: tuple[Path, ...] = ()
    delete: tuple[PathKey, ...] = ()
    peers_gone: tuple[PeerConf, ...] = ()
    peers_edited: tuple[PeerEdit, ...] = ()
    peers_new: tuple[PeerConf, ...] = ()

    def __bool__(self) -> bool:
        return self != _NO_CHANGES


_NO_CHANGES = Changes()


def diff(
    desired: Configuration, actual: Configuration, *, touched: Collection[PathKey] | None = None
) -> Changes:
    """The changes that make `actual` equal to `desired`.

    `touched` holds every key under which the paths may differ, None where all have to be compared.
    """
    if desired.global_conf is not None and desired.global_conf != actual.global_conf:
        return _from_nothing(desired, restart=needs_restart(desired, actual))
    add, delete = path_changes(desired.paths, actual.paths, touched=touched)
    edits = (
        PeerEdit(
            old=actual.peers[address],
            new=peer,
            effect=session_effect(actual.peers[address], peer),
        )
        for address, peer in sorted(desired.peers.items())
        if address in actual.peers and actual.peers[address] != peer
    )
    return Changes(
        routing=desired.routing if desired.routing != actual.routing else None,
        add=add,
        delete=delete,
        peers_gone=tuple(
            actual.peers[address] for address in sorted(actual.peers.keys() - desired.peers.keys())
        ),
        peers_edited=tuple(edits),
        peers_new=tuple(
            desired.peers[address] for address in sorted(desired.peers.keys() - actual.peers.keys())
        ),
    )


def needs_restart(desired: Configuration, actual: Configuration) -> bool:
    """Whether the global part of a gobgpd that runs differs: it cannot be edited (GoBGP has no such call)."""
    return (
        desired.global_conf is not None
        and actual.global_conf is not None
        and desired.global_conf != actual.global_conf
    )


def path_changes(
    desired: Mapping[PathKey, PathAttrs],
    actual: Mapping[PathKey, PathAttrs],
    *,
    touched: Collection[PathKey] | None = None,
) -> tuple[tuple[Path, ...], tuple[PathKey, ...]]:
    """Paths to add or to replace in place, and keys to delete; `touched` as in `diff`."""
    if touched is not None:
        # The order of the plan does not matter to gobgpd, but what leaves the process is sorted.
        keys = sorted(touched, key=_order)
        desired = {key: attrs for key in keys if (attrs := desired.get(key)) is not None}
        actual = {key: attrs for key in keys if (attrs := actual.get(key)) is not None}
    add = tuple(
        Path(key, attrs)
        for key, attrs in desired.items()
        # Identity first: between two plans nearly all attributes are the same objects.
        if (running := actual.get(key)) is not attrs and running != attrs
    )
    delete = tuple(key for key in actual if key not in desired)
    return add, delete


def _order(key: PathKey) -> tuple[int, int, int, int]:
    return key.prefix.version, int(key.prefix.network_address), key.prefix.prefixlen, key.identifier


def apply(changes: Changes, actual: Configuration) -> Configuration:
    """The configuration that results when all changes succeed."""
    if changes.restart or changes.global_conf is not None:
        actual = Configuration()
    gone = {peer.neighbor_address for peer in changes.peers_gone}
    peers = {address: peer for address, peer in actual.peers.items() if address not in gone}
    peers |= {edit.new.neighbor_address: edit.new for edit in changes.peers_edited}
    peers |= {peer.neighbor_address: peer for peer in changes.peers_new}
    removed = frozenset(changes.delete)
    paths = {key: attrs for key, attrs in actual.paths.items() if key not in removed}
    paths |= {path.key: path.attrs for path in changes.add}
    return Configuration(
        global_conf=changes.global_conf or actual.global_conf,
        routing=actual.routing if changes.routing is None else changes.routing,
        peers=peers,
        paths=paths,
    )


def _from_nothing(desired: Configuration, *, restart: bool) -> Changes:
    return Changes(
        restart=restart,
        global_conf=desired.global_conf,
        routing=desired.routing,
        add=tuple(Path(key, attrs) for key, attrs in desired.paths.items()),
        peers_new=tuple(desired.peers[address] for address in sorted(desired.peers)),
    )


# Of nobody's concern but ours: gobgpd is not told a description, a new one would reset the session.
_UNTOLD = frozenset({"name", "description", "send_community"})
# What UpdatePeer takes without a reset (seen on GoBGP 3.10 and 4.8; of BFD, that it begins); anything else
# needs a new session.
_STORED = frozenset({"timers", "bfd"})


def session_effect(old: PeerConf, new: PeerConf) -> SessionEffect:
    """What it takes to turn one applied peer into another."""
    if new.admin_down and not old.admin_down:
        return SessionEffect.GOODBYE
    fields = {field for field in PeerConf.__struct_fields__ if getattr(old, field) != getattr(new, field)}
    if fields <= _UNTOLD:
        return SessionEffect.NONE
    if _opened(old.afi_safis) == _opened(new.afi_safis):
        fields.discard("afi_safis")
    if "bfd" in fields and old.bfd is not None:
        # gobgpd needs no reset, but a router whose BFD session ends takes us for dead and deletes our routes,
        # unless the BGP session was lost first (seen on FRR 8.4).
        return SessionEffect.RESET
    return SessionEffect.STORED if fields <= _UNTOLD | _STORED else SessionEffect.RESET


def _opened(families: tuple[AddressFamily, ...]) -> list[AddressFamily]:
    # What resets: all of a family but its prefix limit and long-lived restart time, which are read later.
    return [
        msgspec.structs.replace(one, prefix_limit=None, llgr_restart_time=None)
        for one in sorted(families, key=lambda one: one.family.value)
    ]
