"""One gRPC connection: what callers are told when it is gone."""

import pytest

from openelb_bgp.bgp.gobgp._pb import gobgp4_pb2 as pb
from openelb_bgp.bgp.gobgp.channel import Channel
from openelb_bgp.bgp.gobgp.errors import SidecarUnavailable

SERVICE = pb.DESCRIPTOR.services_by_name["GoBgpService"]


@pytest.fixture
async def closed() -> Channel:
    channel = Channel("unix:///nowhere", deadline=1.0)
    await channel.close()
    return channel


async def test_a_call_on_a_closed_connection_finds_no_gobgpd(closed: Channel) -> None:
    with pytest.raises(SidecarUnavailable, match="nowhere: the connection was closed"):
        await closed.call(SERVICE, "GetBgp", pb.GetBgpRequest())


async def test_a_listing_on_a_closed_connection_finds_no_gobgpd(closed: Channel) -> None:
    with pytest.raises(SidecarUnavailable, match="nowhere: the connection was closed"):
        _ = [one async for one in closed.listing(SERVICE, "ListPeer", pb.ListPeerRequest(), deadline=1.0)]
