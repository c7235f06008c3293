"""Finding out what speaks at an address, starting and stopping it, and what each failure looks like."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc.aio
import pytest

from openelb_bgp.bgp.gobgp.client import Client
from openelb_bgp.bgp.gobgp.errors import (
    NotStarted,
    Rejected,
    SidecarHung,
    SidecarUnavailable,
    Stopped,
    UnknownApi,
)
from openelb_bgp.bgp.gobgp.features import parse_version
from openelb_bgp.bgp.model import GlobalConf, ObservedGlobal
from openelb_bgp.model.addresses import Family
from tests.daemons.harness.confs import NODE_ASN, service
from tests.daemons.harness.gobgp import NEW, Gobgpd

NOT_LISTENING = GlobalConf(asn=NODE_ASN, router_id="10.0.0.11", listen_port=-1)


@pytest.fixture
async def stranger(tmp_path: Path) -> AsyncIterator[str]:
    """A gRPC server that has no GoBGP in it."""
    server = grpc.aio.server()
    server.add_insecure_port(f"unix://{tmp_path}/stranger.sock")
    await server.start()
    yield f"{tmp_path}/stranger.sock"
    await server.stop(None)


async def test_tells_the_two_apis_apart(client: Client, gobgp_version: str) -> None:
    assert client.features.version == parse_version(gobgp_version)
    assert client.features.major == int(gobgp_version[0])


async def test_a_server_that_speaks_neither_api_is_named(stranger: str) -> None:
    with pytest.raises(UnknownApi, match="neither"):
        await Client.connect(stranger)


async def test_nobody_there_is_told_from_silence(tmp_path: Path) -> None:
    with pytest.raises(SidecarUnavailable):
        await Client.connect(str(tmp_path / "nobody.sock"))


async def test_a_hung_gobgpd_is_noticed_within_the_deadline(client: Client, gobgpd: Gobgpd) -> None:
    async with await Client.connect(str(gobgpd.socket), deadline=0.3) as impatient:
        gobgpd.daemon.pause()
        with pytest.raises(SidecarHung):
            await impatient.global_conf()
        gobgpd.daemon.resume()
        assert await impatient.global_conf() is None


async def test_a_killed_gobgpd_is_noticed_and_its_successor_found(client: Client, gobgpd: Gobgpd) -> None:
    gobgpd.daemon.end()
    with pytest.raises(SidecarUnavailable):
        await client.global_conf()
    async with await gobgpd.start():
        async with asyncio.timeout(5):
            while True:
                try:
                    assert await client.global_conf() is None
                    return
                except SidecarUnavailable:
                    await asyncio.sleep(0.05)


async def test_before_the_start_there_is_nothing(client: Client) -> None:
    assert await client.global_conf() is None
    assert await client.peers() == ()
    with pytest.raises(NotStarted):
        await client.add_paths([service(1)])
    with pytest.raises(NotStarted):
        await client.count(Family.IPV4)


async def test_shows_the_speaker_that_runs(client: Client) -> None:
    await client.start(NOT_LISTENING)
    seen = await client.global_conf()
    assert seen == ObservedGlobal(asn=NODE_ASN, router_id="10.0.0.11", listen_port=-1)
    assert seen.differs_from(NOT_LISTENING) == ()


async def test_says_which_settings_of_the_speaker_differ(client: Client) -> None:
    await client.start(NOT_LISTENING)
    seen = await client.global_conf()
    assert seen is not None
    other = GlobalConf(asn=1, router_id="10.0.0.11", listen_port=179, listen_addresses=("10.0.0.11",))
    assert seen.differs_from(other) == ("asn", "listen_port", "listen_addresses")


async def test_a_running_speaker_is_not_started_again(client: Client) -> None:
    await client.start(NOT_LISTENING)
    await client.add_paths([service(1)])
    with pytest.raises(Rejected, match="65000 runs already"):
        await client.start(NOT_LISTENING)
    assert (await client.count(Family.IPV4)).paths == 1


async def test_addresses_that_would_crash_gobgpd_are_not_sent(client: Client, gobgpd: Gobgpd) -> None:
    with pytest.raises(ValueError, match="lo0"):
        await client.start(GlobalConf(asn=1, router_id="lo0", listen_port=-1))
    await client.start(NOT_LISTENING)
    for verb in (client.delete_peer, client.enable_peer, client.disable_peer, client.shutdown_peer):
        for address in ("", "leaf"):
            with pytest.raises(ValueError):
                await verb(address)
    assert gobgpd.daemon.alive


async def test_after_a_stop_only_3_x_is_of_use(client: Client, gobgp_version: str) -> None:
    await client.start(NOT_LISTENING)
    await client.stop(allow_graceful_restart=True)
    if gobgp_version == NEW:
        with pytest.raises(Stopped):
            await client.global_conf()
    else:
        assert await client.global_conf() is None


async def test_a_stopped_gobgpd_is_still_recognised(
    client: Client, gobgpd: Gobgpd, gobgp_version: str
) -> None:
    await client.start(NOT_LISTENING)
    await client.stop(allow_graceful_restart=True)
    async with await gobgpd.connect() as again:
        assert again.features.major == int(gobgp_version[0])
