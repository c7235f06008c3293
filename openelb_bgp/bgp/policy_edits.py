"""Puts an edited routing policy in force, with what was advertised under the old one put right.

gobgpd looks at what it has advertised only at a soft reset, and then withdraws what is newly rejected from
neither an add-path peer nor, before 4.6, any other. So such a path is withdrawn by deleting it, while a
stand-in under another identifier keeps it with those peers that still accept it.
"""

import contextlib
from collections.abc import Collection, Container, Iterable, Iterator, Mapping

from openelb_bgp.model.addresses import Network

from .export_policy import OUR_PREFIX
from .gobgp.client import ResetDirection
from .gobgp.errors import NotStarted, Rejected, Stopped
from .model import Path, PathAttrs, PathKey, PeerConf, RoutingPolicy
from .port import Gobgp

Paths = Mapping[PathKey, PathAttrs]
_Sent = set[tuple[str, PathKey]]


async def change_policies(
    gobgp: Gobgp, new: RoutingPolicy, *, old: RoutingPolicy, peers: Mapping[str, PeerConf], paths: Paths
) -> None:
    """Make gobgpd's policy `new`, and let `peers` see `paths` as it says. Raises GobgpError.

    What rules of ours mean never changes (see `export_policy`): only an edit of the user's own takes more
    than telling gobgpd.
    """
    if not peers or _of_the_user(new) == _of_the_user(old):
        await gobgp.set_policies(new)
        return
    before = await _advertised(gobgp, peers.values())
    await gobgp.set_policies(new)
    after = await _advertised(gobgp, peers.values())
    await _advertise_anew(gobgp, {key.prefix for _, key in before - after}, paths)
    for address in peers:
        with _refusals_ignored():
            await gobgp.reset_peer(address, soft=True, direction=ResetDirection.BOTH)


def _of_the_user(routing: RoutingPolicy) -> object:
    return (
        [one for one in routing.defined_sets if not one.name.startswith(OUR_PREFIX)],
        [one for one in routing.policies if not one.name.startswith(OUR_PREFIX)],
        routing.assignments,
    )


async def _advertised(gobgp: Gobgp, peers: Iterable[PeerConf]) -> _Sent:
    """What each peer would be sent by the policy in force."""
    found: _Sent = set()
    for peer in peers:
        for one in peer.afi_safis:
            with _refusals_ignored():
                sent = await gobgp.advertised(peer.neighbor_address, one.family)
                found.update((peer.neighbor_address, path.key) for path in sent)
    return found


async def _advertise_anew(gobgp: Gobgp, prefixes: Container[Network], paths: Paths) -> None:
    again = [Path(key, attrs) for key, attrs in paths.items() if key.prefix in prefixes]
    standing_in = _under_other_keys(again, taken=paths)
    await gobgp.add_paths(standing_in)
    await gobgp.withdraw_paths([path.key for path in again])
    await gobgp.add_paths(again)
    await gobgp.withdraw_paths([path.key for path in standing_in])


def _under_other_keys(paths: Iterable[Path], *, taken: Collection[PathKey]) -> list[Path]:
    """The same paths under keys that no path has."""
    used = set(taken)
    found: list[Path] = []
    for path in paths:
        key = path.key
        while key in used:
            key = PathKey(key.prefix, key.identifier % 0xFFFFFFFF + 1)
        used.add(key)
        found.append(Path(key, path.attrs))
    return found


@contextlib.contextmanager
def _refusals_ignored() -> Iterator[None]:
    """A peer that is gone, or has no session, needs nothing."""
    try:
        yield
    except (NotStarted, Stopped):
        raise
    except Rejected:
        pass
