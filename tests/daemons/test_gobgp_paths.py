"""Paths written to a real gobgpd, read back, and gone again."""

import asyncio
from collections.abc import AsyncIterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest

from openelb_bgp.bgp.gobgp.client import Client
from openelb_bgp.bgp.gobgp.errors import NotStarted, SidecarUnavailable
from openelb_bgp.bgp.model import (
    GlobalConf,
    LinkBandwidth,
    ObservedPath,
    Path,
    PathAttrs,
    PathKey,
    TableCount,
)
from openelb_bgp.model.addresses import Family
from tests.daemons.harness.confs import NODE_ASN, service, service6
from tests.daemons.harness.gobgp import Gobgpd
from tests.daemons.harness.waiting import wait_until

PREFIX = IPv4Network("198.18.0.1/32")


@pytest.fixture
async def speaker(client: Client) -> AsyncIterator[Client]:
    """A started speaker without peers."""
    await client.start(GlobalConf(asn=NODE_ASN, router_id="10.0.0.11", listen_port=-1))
    yield client


async def table(client: Client) -> dict[PathKey, PathAttrs]:
    found = await client.paths(Family.IPV4) + await client.paths(Family.IPV6)
    assert all(path.local and not path.foreign for path in found)
    return {path.key: path.attrs for path in found}


@pytest.mark.parametrize(
    "attrs",
    [
        PathAttrs(),
        PathAttrs(next_hop=IPv4Address("10.0.0.12")),
        PathAttrs(next_hop=IPv6Address("fd00:a::12")),
        PathAttrs(communities=(NODE_ASN << 16 | 100, 0xFFFFFF02)),
        PathAttrs(large_communities=((NODE_ASN, 1, 2), (4200000000, 3, 4))),
        PathAttrs(local_pref=0, med=0),
        PathAttrs(local_pref=200, med=4294967295),
        PathAttrs(as_path_prepend=(NODE_ASN, NODE_ASN, NODE_ASN)),
        PathAttrs(link_bandwidth=LinkBandwidth(NODE_ASN, 125_000.3)),
        PathAttrs(
            next_hop=IPv4Address("10.0.0.12"),
            communities=(1, 2, 3),
            large_communities=((1, 2, 3),),
            local_pref=1,
            med=2,
            as_path_prepend=(4200000000,),
            link_bandwidth=LinkBandwidth(0, 1e9),
        ),
    ],
    ids=str,
)
async def test_an_ipv4_path_comes_back_as_it_was_sent(speaker: Client, attrs: PathAttrs) -> None:
    path = Path(PathKey(PREFIX, 7), attrs)
    await speaker.add_paths([path])
    assert await speaker.paths(Family.IPV4) == [ObservedPath(key=path.key, attrs=attrs, local=True)]


@pytest.mark.parametrize("next_hop", [None, IPv6Address("fd00:a::12")], ids=str)
async def test_an_ipv6_path_comes_back_as_it_was_sent(speaker: Client, next_hop: IPv6Address | None) -> None:
    path = Path(PathKey(IPv6Network("fd00:b::/64"), 1), PathAttrs(next_hop=next_hop, med=5))
    await speaker.add_paths([path])
    assert await table(speaker) == {path.key: path.attrs}


async def test_one_prefix_has_a_path_per_identifier(speaker: Client) -> None:
    paths = {
        PathKey(PREFIX, identifier): PathAttrs(next_hop=IPv4Address("10.0.0.0") + identifier)
        for identifier in (1, 2, 4294967295 % 200)
    }
    await speaker.add_paths(Path(key, attrs) for key, attrs in paths.items())
    assert await table(speaker) == paths
    await speaker.delete_path(PathKey(PREFIX, 2))
    del paths[PathKey(PREFIX, 2)]
    assert await table(speaker) == paths


async def test_a_path_of_the_same_key_replaces(speaker: Client) -> None:
    await speaker.add_paths([service(1, PathAttrs(med=1))])
    await speaker.add_paths([service(1, PathAttrs(med=2))])
    assert await table(speaker) == {service(1).key: PathAttrs(med=2)}


async def test_ten_thousand_paths_go_in_and_out_by_stream(speaker: Client) -> None:
    paths = [service(number) for number in range(10_000)] + [service6(number) for number in range(500)]
    await speaker.add_paths(paths)
    assert await speaker.count(Family.IPV4) == TableCount(destinations=10_000, paths=10_000)
    assert await table(speaker) == {path.key: path.attrs for path in paths}
    await speaker.withdraw_paths(path.key for path in paths[1:])
    assert await table(speaker) == {paths[0].key: paths[0].attrs}


async def test_withdrawing_what_is_not_there_is_no_error(speaker: Client) -> None:
    await speaker.add_paths([service(1)])
    await speaker.delete_path(service(2).key)
    await speaker.withdraw_paths([service(3).key, service6(3).key])
    assert await table(speaker) == {service(1).key: service(1).attrs}


async def test_withdrawing_nothing_withdraws_nothing(speaker: Client) -> None:
    await speaker.add_paths([service(1)])
    await speaker.withdraw_paths([])
    assert await table(speaker) == {service(1).key: service(1).attrs}


async def test_a_path_that_cannot_be_sent_stops_before_its_batch(speaker: Client) -> None:
    bad = service(700, PathAttrs(med=2**32))
    with pytest.raises(ValueError):
        await speaker.add_paths([*(service(number) for number in range(700)), bad])
    # The first batch of 500 was taken.
    assert await speaker.count(Family.IPV4) == TableCount(500, 500)


async def test_a_stream_that_gobgpd_refuses_or_drops_says_why(client: Client, gobgpd: Gobgpd) -> None:
    paths = [service(number) for number in range(50_000)]
    with pytest.raises(NotStarted):
        await client.add_paths(paths)
    await client.start(GlobalConf(asn=NODE_ASN, router_id="10.0.0.11", listen_port=-1))
    adding = asyncio.ensure_future(client.add_paths(paths))

    async def some() -> bool:
        return (await client.count(Family.IPV4)).paths > 0

    await wait_until(some, within=10)
    gobgpd.daemon.end()
    with pytest.raises(SidecarUnavailable):
        await adding
