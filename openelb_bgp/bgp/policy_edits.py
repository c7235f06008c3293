"""Puts an edited routing policy in force, with what was advertised under the old one put right.

gobgpd looks at what it has advertised only at a soft reset, which before 4.6 does not withdraw what is newly
rejected (seen on 3.10, osrg/gobgp#3434). There such a path is deleted and added again, while a stand-in under
another identifier keeps it with those peers that still accept it. To a peer without add-path a stand-in would
be the same route: where one of these rejects it, the others lose it for an instant.
"""

import contextlib
from collections.abc import Collection, Container, Iterable, Iterator, Mapping

from openelb_bgp.model.addresses import Family, Network

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
    if gobgp.features.withdraws_on_soft_out:
        await gobgp.set_policies(new)
    else:
        before = await _advertised(gobgp, peers.values())
        await gobgp.set_policies(new)
        await _withdraw(gobgp, before - await _advertised(gobgp, peers.values()), paths)
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


async def _withdraw(gobgp: Gobgp, lost: _Sent, paths: Paths) -> None:
    """Withdraw from each peer what it is not to have any more."""
    alone = await _with_one_path_each(gobgp)
    plainly = {key.prefix for address, key in lost if (address, key.family) in alone}
    gently = {key.prefix for _, key in lost} - plainly
    await _advertise_anew(gobgp, _of(plainly, paths))
    again = _of(gently, paths)
    standing_in = _under_other_keys(again, taken=paths)
    await gobgp.add_paths(standing_in)
    await _advertise_anew(gobgp, again)
    await gobgp.withdraw_paths([path.key for path in standing_in])


async def _with_one_path_each(gobgp: Gobgp) -> set[tuple[str, Family]]:
    """The neighbours, with the family, that do not take several paths of one prefix."""
    return {
        (peer.neighbor_address, family)
        for peer in await gobgp.peers()
        for family in Family
        if family not in peer.add_path_send
    }


def _of(prefixes: Container[Network], paths: Paths) -> list[Path]:
    return [Path(key, attrs) for key, attrs in paths.items() if key.prefix in prefixes]


async def _advertise_anew(gobgp: Gobgp, paths: Collection[Path]) -> None:
    await gobgp.withdraw_paths([path.key for path in paths])
    await gobgp.add_paths(paths)


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
