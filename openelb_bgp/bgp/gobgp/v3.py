"""GoBGP 3.x on the wire: NLRI, attributes and capabilities travel inside google.protobuf.Any. Pure."""

from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any, Final

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from openelb_bgp.bgp.gobgp import peers
from openelb_bgp.bgp.gobgp._pb import gobgp3_pb2 as pb3
from openelb_bgp.bgp.gobgp._pb import gobgp4_pb2 as pb4
from openelb_bgp.bgp.gobgp.capabilities import with_capabilities
from openelb_bgp.bgp.gobgp.features import Features
from openelb_bgp.bgp.gobgp.paths import PathReader, PathWriter
from openelb_bgp.bgp.model import ObservedPeer, Path, PathAttrs, PathKey, PeerConf

_PREFIX: Final = "type.googleapis.com/"
_NLRI_URL: Final = _PREFIX + pb3.IPAddressPrefix.DESCRIPTOR.full_name
_MP_REACH_URL: Final = _PREFIX + pb3.MpReachNLRIAttribute.DESCRIPTOR.full_name
_BANDWIDTH_URL: Final = _PREFIX + pb3.LinkBandwidthExtended.DESCRIPTOR.full_name


def _by_url(messages: dict[str, type[Message]]) -> dict[str, tuple[str, type[Message]]]:
    return {_PREFIX + str(kind.DESCRIPTOR.full_name): (name, kind) for name, kind in messages.items()}


# The names that 4.x has for what 3.x tells apart by type alone.
_ATTRIBUTES: Final = _by_url(
    {
        "origin": pb3.OriginAttribute,
        "as_path": pb3.AsPathAttribute,
        "next_hop": pb3.NextHopAttribute,
        "multi_exit_disc": pb3.MultiExitDiscAttribute,
        "local_pref": pb3.LocalPrefAttribute,
        "communities": pb3.CommunitiesAttribute,
        "mp_reach": pb3.MpReachNLRIAttribute,
        "extended_communities": pb3.ExtendedCommunitiesAttribute,
        "large_communities": pb3.LargeCommunitiesAttribute,
    }
)
_CAPABILITIES: Final = _by_url(
    {
        "multi_protocol": pb3.MultiProtocolCapability,
        "extended_nexthop": pb3.ExtendedNexthopCapability,
        "graceful_restart": pb3.GracefulRestartCapability,
        "four_octet_asn": pb3.FourOctetASNCapability,
        "add_path": pb3.AddPathCapability,
        "long_lived_graceful_restart": pb3.LongLivedGracefulRestartCapability,
    }
)


class V3:
    """`Wire` and `Packer` of GoBGP 3.x."""

    major: int = 3
    pb: ModuleType = pb3
    service: ServiceDescriptor = pb3.DESCRIPTOR.services_by_name["GobgpApi"]

    def stop_message(self, *, allow_graceful_restart: bool) -> Message:
        """StopBgp has no choice: it is a graceful restart where the peers agreed on notifications."""
        return pb3.StopBgpRequest()

    def peer_message(self, peer: PeerConf, able: Features) -> pb4.Peer:
        """Raises Unsupported for BFD."""
        able.require(peer.bfd is None or not peer.bfd.enabled, "BFD", needs="4.5")
        return peers.peer_message(pb3, peer)

    def read_peer(self, message: Any) -> ObservedPeer:
        """Capabilities stay in ListPeer after the session ended; they are the last OPEN's."""
        state = message.state
        return with_capabilities(
            peers.read_peer(pb3, message), local=_named(state.local_cap), remote=_named(state.remote_cap)
        )

    def stream_message(self, paths: Iterable[Path], *, withdraw: bool) -> pb3.AddPathStreamRequest:
        """As `Wire.stream_message`."""
        message = pb3.AddPathStreamRequest(table_type=pb3.TABLE_TYPE_GLOBAL)
        writer = PathWriter(self)
        for path in paths:
            writer.write(message.paths.add(), path, withdraw=withdraw)
        return message

    def delete_message(self, key: PathKey) -> pb3.DeletePathRequest:
        """As `Wire.delete_message`."""
        message = pb3.DeletePathRequest(table_type=pb3.TABLE_TYPE_GLOBAL)
        PathWriter(self).write(message.path, Path(key, PathAttrs()))
        message.family.CopyFrom(message.path.family)
        return message

    def path_reader(self) -> PathReader:
        """As `Wire.path_reader`."""
        return PathReader(self)

    def pack_nlri(self, path: Any, prefix: str, length: int) -> None:
        """As `Packer.pack_nlri`."""
        path.nlri.type_url = _NLRI_URL
        path.nlri.value = pb3.IPAddressPrefix(prefix=prefix, prefix_len=length).SerializeToString()

    def pack_attribute(self, path: Any, name: str, attribute: Message) -> None:
        """As `Packer.pack_attribute`; the type says the name."""
        path.pattrs.add().Pack(attribute)

    def pack_link_bandwidth(self, attribute: Any, bandwidth: Message) -> None:
        """As `Packer.pack_link_bandwidth`."""
        attribute.communities.add().Pack(bandwidth)

    def unpack_nlri(self, path: Any) -> pb4.IPAddressPrefix | None:
        """As `Packer.unpack_nlri`; 4.x's message has the same fields."""
        if path.nlri.type_url != _NLRI_URL:
            return None
        return pb4.IPAddressPrefix.FromString(path.nlri.value)

    def attribute_bytes(self, path: Any) -> tuple[bytes, ...]:
        """As `Packer.attribute_bytes`: of MP_REACH_NLRI only the next hops."""
        return tuple(
            _mp_reach_next_hops(attribute.value)
            if attribute.type_url == _MP_REACH_URL
            else attribute.SerializeToString()
            for attribute in path.pattrs
        )

    def unpack_attributes(self, path: Any) -> Iterator[tuple[str, Any]]:
        """As `Packer.unpack_attributes`."""
        for attribute in path.pattrs:
            if known := _ATTRIBUTES.get(attribute.type_url):
                name, kind = known
                yield name, kind.FromString(attribute.value)
            else:
                yield attribute.type_url.rpartition(".")[2], None

    def unpack_link_bandwidths(self, attribute: Any) -> Iterator[pb4.LinkBandwidthExtended | None]:
        """As `Packer.unpack_link_bandwidths`."""
        for community in attribute.communities:
            known = community.type_url == _BANDWIDTH_URL
            yield pb4.LinkBandwidthExtended.FromString(community.value) if known else None


def _mp_reach_next_hops(value: bytes) -> bytes:
    return ",".join(pb3.MpReachNLRIAttribute.FromString(value).next_hops).encode()


def _named(capabilities: Iterable[Any]) -> list[tuple[str, Any]]:
    known = ((_CAPABILITIES.get(capability.type_url), capability.value) for capability in capabilities)
    return [(found[0], found[1].FromString(value)) for found, value in known if found]
