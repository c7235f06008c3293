"""What a gobgpd was found with and no plan has named yet, kept for as long as it is in doubt.

Pure, with a memory. Why something is in doubt is `doubt`'s matter.
"""

from collections.abc import Mapping

import msgspec

from .diff import Configuration
from .doubt import Doubt
from .export_policy import tags_of, with_rules_of
from .model import PathAttrs, PathKey, PeerConf


class Found:
    """Follows one plan after another; make it anew with the process.

    `released` are the keys under which the last plan made a difference that no plan tells: paths that are
    in doubt no more, and those that waited for that.
    """

    def __init__(self) -> None:
        self.released: frozenset[PathKey] = frozenset()
        self._peers: Mapping[str, PeerConf] | None = None
        self._paths: Mapping[PathKey, PathAttrs] = {}
        self._waiting: frozenset[PathKey] = frozenset()

    def kept(self, desired: Configuration, actual: Configuration, doubt: Doubt) -> Configuration:
        """What is desired, and what has to stay beside it. At the first call `actual` is what was found."""
        if self._peers is None:
            self._peers, self._paths = actual.peers, actual.paths
        unnamed = {key: attrs for key, attrs in self._paths.items() if key not in desired.paths}
        self._peers = {
            address: peer
            for address, peer in self._peers.items()
            if address not in desired.peers and doubt.concerns_peer(peer)
        }
        self._paths = {key: attrs for key, attrs in unnamed.items() if doubt.concerns_path(key)}
        waited, self._waiting = self._waiting, self._to_wait(desired)
        self.released = frozenset(unnamed.keys() - self._paths.keys()) | (waited - self._waiting)
        if doubt.everything and actual.global_conf not in (None, desired.global_conf):
            # What decides about it may not have been seen: a restart for less than the truth would cost all.
            desired = msgspec.structs.replace(
                desired, global_conf=actual.global_conf, peers={**desired.peers, **actual.peers}
            )
        if not self._peers and not self._paths:
            return desired
        tags = tags_of(self._paths.values())
        return msgspec.structs.replace(
            desired,
            routing=with_rules_of(tags, desired.routing, found=actual.routing),
            peers={**self._addable(self._peers, actual), **desired.peers},
            paths={
                **self._paths,
                **{key: attrs for key, attrs in desired.paths.items() if key not in self._waiting},
            },
        )

    def _to_wait(self, desired: Configuration) -> frozenset[PathKey]:
        """Paths in whose place others were found that also tell what a peer gets whom no plan knows yet."""
        if not self._peers:
            return frozenset()
        found = {key.prefix for key in self._paths}
        return frozenset(key for key in desired.paths if key.prefix in found)

    def _addable(self, peers: Mapping[str, PeerConf], actual: Configuration) -> dict[str, PeerConf]:
        """Without those that are gone from gobgpd and not known well enough to be added to it again."""
        return {
            address: peer
            for address, peer in peers.items()
            if address in actual.peers or (peer.name and peer.auth_password is None)
        }
