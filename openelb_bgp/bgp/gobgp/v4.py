"""GoBGP 4.x on the wire: NLRI, attributes and capabilities are oneofs; BFD and disconnect reasons. Pure."""

from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import msgspec
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from openelb_bgp.bgp.gobgp import peers
from openelb_bgp.bgp.gobgp._pb import gobgp4_pb2 as pb4
from openelb_bgp.bgp.gobgp.capabilities import with_capabilities
from openelb_bgp.bgp.gobgp.features import Features
from openelb_bgp.bgp.gobgp.paths import PathReader, PathWriter
from openelb_bgp.bgp.model import Bfd, ObservedPeer, Path, PathAttrs, PathKey, PeerConf


class V4:
    """`Wire` and `Packer` of GoBGP 4.x."""

    major: int = 4
    pb: ModuleType = pb4
    service: ServiceDescriptor = pb4.DESCRIPTOR.services_by_name["GoBgpService"]

    def stop_message(self, *, allow_graceful_restart: bool) -> Message:
        """As `Wire.stop_message`."""
        return pb4.StopBgpRequest(allow_graceful_restart=allow_graceful_restart)

    def peer_message(self, peer: PeerConf, able: Features) -> pb4.Peer:
        """Raises Unsupported for BFD where the version is known to lack it."""
        message = peers.peer_message(pb4, peer)
        if peer.bfd is not None and peer.bfd.enabled:
            able.require(able.bfd or able.version is None, "BFD", needs="4.5")
            message.bfd.CopyFrom(_bfd_message(peer.bfd))
        return message

    def read_peer(self, message: Any) -> ObservedPeer:
        """Capabilities stay in ListPeer after the session ended; they are the last OPEN's."""
        state = message.state
        peer = with_capabilities(
            peers.read_peer(pb4, message), local=_named(state.local_cap), remote=_named(state.remote_cap)
        )
        bfd_up = state.bfd_state.session_state == pb4.BFD_SESSION_STATE_UP
        reason = pb4.PeerState.DisconnectReason.Name(state.disconnect_reason)
        return msgspec.structs.replace(
            peer,
            bfd_up=bfd_up if message.bfd.enabled else None,
            disconnect_reason=reason.removeprefix("DISCONNECT_REASON_") if state.disconnect_reason else "",
            disconnect_message=state.disconnect_message,
        )

    def stream_message(self, paths: Iterable[Path], *, withdraw: bool) -> pb4.AddPathStreamRequest:
        """As `Wire.stream_message`; 4.x refuses one without a table."""
        message = pb4.AddPathStreamRequest(table_type=pb4.TABLE_TYPE_GLOBAL)
        writer = PathWriter(self)
        for path in paths:
            writer.write(message.paths.add(), path, withdraw=withdraw)
        return message

    def delete_message(self, key: PathKey) -> pb4.DeletePathRequest:
        """As `Wire.delete_message`."""
        message = pb4.DeletePathRequest(table_type=pb4.TABLE_TYPE_GLOBAL)
        PathWriter(self).write(message.path, Path(key, PathAttrs()))
        message.family.CopyFrom(message.path.family)
        return message

    def path_reader(self) -> PathReader:
        """As `Wire.path_reader`."""
        return PathReader(self)

    def pack_nlri(self, path: Any, prefix: str, length: int) -> None:
        """As `Packer.pack_nlri`."""
        nlri = path.nlri.prefix
        nlri.prefix = prefix
        nlri.prefix_len = length

    def pack_attribute(self, path: Any, name: str, attribute: Message) -> None:
        """As `Packer.pack_attribute`."""
        # CopyFrom also where there is nothing to copy: an ORIGIN of IGP is empty, but has to be there.
        getattr(path.pattrs.add(), name).CopyFrom(attribute)

    def pack_link_bandwidth(self, attribute: Any, bandwidth: Message) -> None:
        """As `Packer.pack_link_bandwidth`."""
        attribute.communities.add().link_bandwidth.MergeFrom(bandwidth)

    def unpack_nlri(self, path: Any) -> pb4.IPAddressPrefix | None:
        """As `Packer.unpack_nlri`."""
        if path.nlri.WhichOneof("nlri") != "prefix":
            return None
        nlri: pb4.IPAddressPrefix = path.nlri.prefix
        return nlri

    def attribute_bytes(self, path: Any) -> tuple[bytes, ...]:
        """As `Packer.attribute_bytes`: of MP_REACH_NLRI only the next hops."""
        return tuple(
            ",".join(attribute.mp_reach.next_hops).encode()
            if attribute.WhichOneof("attr") == "mp_reach"
            else attribute.SerializeToString()
            for attribute in path.pattrs
        )

    def unpack_attributes(self, path: Any) -> Iterator[tuple[str, Any]]:
        """As `Packer.unpack_attributes`."""
        for attribute in path.pattrs:
            name = attribute.WhichOneof("attr")
            yield (name, getattr(attribute, name)) if name else ("unknown", None)

    def unpack_link_bandwidths(self, attribute: Any) -> Iterator[pb4.LinkBandwidthExtended | None]:
        """As `Packer.unpack_link_bandwidths`."""
        for community in attribute.communities:
            known = community.WhichOneof("extcom") == "link_bandwidth"
            yield community.link_bandwidth if known else None


def _bfd_message(bfd: Bfd) -> pb4.BfdPeerConfig:
    return pb4.BfdPeerConfig(
        enabled=True,
        port=bfd.port,
        desired_minimum_tx_interval=bfd.desired_minimum_tx_interval,
        required_minimum_receive=bfd.required_minimum_receive,
        detection_multiplier=bfd.detection_multiplier,
    )


def _named(capabilities: Iterable[pb4.Capability]) -> list[tuple[str, Any]]:
    names = ((capability, capability.WhichOneof("cap")) for capability in capabilities)
    return [(name, getattr(capability, name)) for capability, name in names if name]
