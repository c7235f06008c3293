"""gobgpd driven by nothing but gRPC: what a route costs before any speaker has thought about it.

Messages are made beforehand, so that a measurement holds their sending only. The session is configured as a
speaker's is by default.
"""

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from openelb_bgp.bgp.gobgp._pb import gobgp4_pb2 as pb
from openelb_bgp.bgp.gobgp.client import Client
from openelb_bgp.bgp.gobgp.peers import AFI, UNICAST
from openelb_bgp.bgp.gobgp.v4 import V4
from openelb_bgp.bgp.model import (
    AddressFamily,
    GlobalConf,
    GracefulRestart,
    PathAttrs,
    PathKey,
    PeerConf,
    Timers,
)
from openelb_bgp.bgp.model import (
    Path as BgpPath,
)
from openelb_bgp.model.addresses import Family

_BATCH = 500
_SERVICE = "/api.GoBgpService/"


def gobgpd_argv(binary: Path, socket: Path) -> tuple[str, ...]:
    """The command line, as the sidecar has it."""
    return (str(binary), "--api-hosts", f"unix://{socket}", "--pprof-disable", "--metrics-path=")


class Bare:
    """A client of one gobgpd 4.x."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._channel = channel
        self._add = channel.unary_unary(
            f"{_SERVICE}AddPath", pb.AddPathRequest.SerializeToString, pb.AddPathResponse.FromString
        )
        self._stream = channel.stream_unary(
            f"{_SERVICE}AddPathStream",
            pb.AddPathStreamRequest.SerializeToString,
            pb.AddPathStreamResponse.FromString,
        )

    @classmethod
    def connect(cls, socket: Path, *, router: str, address: str) -> Self:
        """Start BGP in a gobgpd that has not started it, with one peer; returns a client."""
        asyncio.run(_start(str(socket), router=router, address=address))
        return cls(grpc.insecure_channel(f"unix://{socket}"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def add(self, address: int, *, next_hop: str = "") -> None:
        """One AddPath of a host route, or of another next hop for it."""
        attrs = PathAttrs(next_hop=IPv4Address(next_hop)) if next_hop else PathAttrs()
        made = BgpPath(PathKey(IPv4Network((address, 32))), attrs)
        (path,) = V4().stream_message([made], withdraw=False).paths
        self._add(pb.AddPathRequest(table_type=pb.TABLE_TYPE_GLOBAL, path=path), timeout=10)

    def send(self, messages: Sequence[Any]) -> None:
        """One AddPathStream."""
        self._stream(iter(messages), timeout=120)


def stream_messages(addresses: Sequence[int], *, withdraw: bool = False) -> list[Any]:
    """The messages of an AddPathStream of host routes, 500 in each."""
    wire = V4()
    paths = [BgpPath(PathKey(IPv4Network((address, 32)))) for address in addresses]
    return [
        wire.stream_message(paths[start : start + _BATCH], withdraw=withdraw)
        for start in range(0, len(paths), _BATCH)
    ]


def addresses(count: int) -> range:
    """That many addresses of 198.19.0.0/16, which no Service of the rows gets."""
    first = int(IPv4Address("198.19.0.0"))
    return range(first, first + count)


async def _start(target: str, *, router: str, address: str) -> None:
    async with await Client.connect(target) as client:
        await client.start(GlobalConf(asn=65000, router_id=address))
        await client.add_peer(
            PeerConf(
                name="leaf",
                neighbor_address=router,
                peer_asn=65001,
                local_asn=65000,
                timers=Timers(connect_retry=1, hold_time=9, keepalive_interval=3),
                graceful_restart=GracefulRestart(enabled=True, restart_time=60, deferral_time=5),
                afi_safis=(AddressFamily(family=Family.IPV4, mp_graceful_restart=True),),
            )
        )


def paths_in(socket: Path) -> int:
    """How many IPv4 paths are in the table of the gobgpd behind that socket; 0 while it has none to show."""
    with grpc.insecure_channel(f"unix://{socket}") as channel:
        table = channel.unary_unary(
            f"{_SERVICE}GetTable", pb.GetTableRequest.SerializeToString, pb.GetTableResponse.FromString
        )
        family = pb.Family(afi=AFI[Family.IPV4], safi=UNICAST)
        try:
            answer = table(pb.GetTableRequest(table_type=pb.TABLE_TYPE_GLOBAL, family=family), timeout=2)
        except grpc.RpcError:
            return 0
    return int(answer.num_path)
