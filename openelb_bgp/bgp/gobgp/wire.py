"""What the client needs from one API version: requests out of values, values out of answers.

Pure. `v3` and `v4` implement it; whatever has the same shape in both they take from `peers`, `paths`,
`policies` and `policies_read`, which the client also calls directly with `Wire.pb`.
"""

from collections.abc import Iterable
from types import ModuleType
from typing import Any, Protocol

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from openelb_bgp.bgp.gobgp.features import Features
from openelb_bgp.bgp.gobgp.paths import PathReader
from openelb_bgp.bgp.model import ObservedPeer, Path, PathKey, PeerConf


class Wire(Protocol):
    """One of GoBGP's two gRPC APIs.

    `major` is 3 or 4; `pb` holds the messages; `service` names the methods.
    """

    major: int
    pb: ModuleType
    service: ServiceDescriptor

    def stop_message(self, *, allow_graceful_restart: bool) -> Message:
        """What StopBgp takes; 3.x knows no choice."""

    def peer_message(self, peer: PeerConf, able: Features) -> Message:
        """What AddPeer and UpdatePeer take. Raises Unsupported, and ValueError as `peers.peer_message`."""

    def read_peer(self, message: Any) -> ObservedPeer:
        """A peer of ListPeer, capabilities included."""

    def stream_message(self, paths: Iterable[Path], *, withdraw: bool) -> Message:
        """One message of AddPathStream. Keep it to some hundred paths."""

    def delete_message(self, key: PathKey) -> Message:
        """What DeletePath takes: always with a path, because without one it deletes all."""

    def path_reader(self) -> PathReader:
        """Reads the paths of one ListPath."""
