"""Handing over from another BGP load balancer node by node, in the order of docs/migration.md.

In MetalLB's place stands on each node a gobgpd that does not listen, announces the address of one Service to
both routers, and knows no graceful restart.
"""

import asyncio
import signal
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path

import pytest

from lab.daemons import GOBGP_VERSION, gobgpd_binary
from lab.lab import Lab, held_lab
from lab.manifests import Object, edit, find
from lab.processes import Process
from lab.shell import wait_until
from lab.steps.step import await_hops, await_value, expect_none_lost, started_at
from lab.traffic import under_load
from openelb_bgp.bgp.gobgp.client import Client
from openelb_bgp.bgp.gobgp.features import parse_version
from openelb_bgp.bgp.model import AddressFamily, GlobalConf, PathAttrs, PathKey, PeerConf
from openelb_bgp.bgp.model import Path as BgpPath
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.meta import Kind
from tests.lab.changes import RouteChanges

GIVEN = "198.51.100.9"
"""By MetalLB: not the lowest, which ours would give."""
_ROUTERS = ("10.10.0.1", "10.10.0.2")
_LABEL = {"announced-by": "openelb"}


def _had_an_address(service: Object) -> None:
    service["spec"].update(ipFamilyPolicy="SingleStack", ipFamilies=["IPv4"])
    service["status"] = {"loadBalancer": {"ingress": [{"ip": GIVEN}]}}


def _only_where_handed_over(peer: Object) -> None:
    peer["spec"]["nodeSelector"] = {"matchLabels": _LABEL}


def _handed_over(node: Object) -> None:
    node["metadata"]["labels"].update(_LABEL)


@pytest.fixture
def before(ecmp: Path) -> Iterator[Lab]:
    """A lab in which the other announces, and our controller has found the Service's address."""
    with held_lab(ecmp, name="migration") as lab:
        lab.copy_manifests()
        edit(lab.paths.manifests, "Service", "web", _had_an_address)
        for peer in find(lab.paths.manifests, "BgpPeer"):
            edit(lab.paths.manifests, "BgpPeer", peer, _only_where_handed_over)
        lab.start_controller()
        lab.start_kubeproxy()
        await_value(
            lambda: [node for node in lab.nodes if not lab.forwards(node, [GIVEN])],
            lambda missing: not missing,
            expected=f"every node forwards {GIVEN}",
        )
        yield lab


def _start_other(lab: Lab, node: str) -> Process:
    socket = lab.folder.path / f"other-{node}.sock"
    argv = (str(gobgpd_binary()), "--api-hosts", f"unix://{socket}", "--pprof-disable")
    process = lab.processes.start(f"{node}-other", lab.space(node).argv(*argv))
    wait_until(socket.exists, within=30.0, what=f"the other gobgpd of {node}")
    address = next(ip for ip, owner in lab.node_by_address.items() if owner == node)
    asyncio.run(_announce(socket, address))
    return process


async def _announce(socket: Path, address: str) -> None:
    async with await Client.connect(str(socket), version=parse_version(GOBGP_VERSION)) as client:
        await client.start(GlobalConf(asn=65000, router_id=address, listen_port=-1))
        await client.add_paths([BgpPath(PathKey(ip_network(GIVEN), 1), PathAttrs())])
        for router in _ROUTERS:
            await client.add_peer(
                PeerConf(
                    name=router,
                    neighbor_address=router,
                    peer_asn=65001,
                    local_asn=65000,
                    afi_safis=(AddressFamily(family=Family.IPV4),),
                )
            )


def _sessions(lab: Lab, node: str) -> Mapping[str, str]:
    speakers = {one["metadata"]["name"]: one for one in lab.desk.objects(Kind.SPEAKER)}
    sessions = speakers.get(node, {}).get("status", {}).get("sessions", ())
    return {one["peer"]: one["peerState"]["sessionState"] for one in sessions}


def _hand_over(lab: Lab, node: str, other: Process) -> None:
    other.kill(signal.SIGTERM)
    assert other.ended(within=30.0)
    edit(lab.paths.manifests, "Node", node, _handed_over)
    await_value(
        lambda: _sessions(lab, node),
        lambda seen: sorted(seen.values()) == ["ESTABLISHED"] * 4,
        expected=f"the four sessions of {node}",
    )
    await_hops(lab, GIVEN, lab.nodes)


def test_node_by_node_the_address_stays_and_is_announced_by_two_nodes_at_least(before: Lab) -> None:
    others = {node: _start_other(before, node) for node in before.nodes}
    await_hops(before, GIVEN, before.nodes)
    for node in before.nodes:
        before.start_speaker(node)
        await_value(lambda node=node: started_at(before, node), bool, expected=f"{node}'s report")  # type: ignore[misc]
        assert _sessions(before, node) == {}
    with under_load(before.client, GIVEN) as load, RouteChanges(before, GIVEN) as changes:
        for node, other in others.items():
            _hand_over(before, node, other)
    expect_none_lost(load.tally())
    assert min(len(change.next_hops) for change in changes.all) == 2
    assert before.addresses()["default/web"] == (GIVEN,)
