"""Ours take the place of OpenELB 0.6 under load: no request is lost, and objects can be made at every moment.

Its speakers are gobgpds that announce their own nodes' addresses, as in a pod that ends without a word; its
webhook fails closed and is answered for as long as its controller is there. Pods are replaced one by one.
"""

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_network
from pathlib import Path

import pytest

from lab import daemons
from lab.cluster.api import Object
from lab.lab import KUBERNETES, Lab, held_lab
from lab.manifests import edit
from lab.shell import wait_until
from lab.steps.step import await_hops, await_sessions, await_value, expect_none_lost, resets
from lab.traffic import under_load
from openelb_bgp.bgp.gobgp.client import Client
from openelb_bgp.bgp.gobgp.errors import SidecarUnavailable
from openelb_bgp.bgp.model import (
    AddressFamily,
    GlobalConf,
    PathAttrs,
    PathKey,
    PeerConf,
    Timers,
)
from openelb_bgp.bgp.model import (
    Path as Route,
)
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.meta import Kind
from tests.daemons.harness.processes import Daemon
from tests.kube.asking import asked_all_the_time
from tests.kube.openelb_install import FINALIZER, openelb_06
from tests.kube.rendered import BASE, rendered

# One node after the other is waited for, each a minute at most.
pytestmark = pytest.mark.timeout(600)

ADDRESSES = {"web": ("198.51.100.5", "2001:db8:100::15"), "web-local": ("198.51.100.9", "2001:db8:100::19")}
WEBHOOK = "ValidatingWebhookConfiguration"
HOST = "openelb-controller.openelb-system.svc"
_NOT_RUN = {"Deployment", "DaemonSet", "PodDisruptionBudget"}


class OldWebhook:
    """What OpenELB's controller answers while it runs: everything is allowed."""

    def __init__(self, lab: Lab) -> None:
        assert lab.cluster is not None
        pair = lab.cluster.plane.authority.server("old-webhook", [HOST])
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pair.certificate, pair.key)
        home = lab.space(lab.topology.in_group("controller")[0].name)
        self._server = home.call(lambda: HTTPServer(("", 443), _Allow))
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Its pod ends."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Allow(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = {**asked, "response": {"uid": asked["request"]["uid"], "allowed": True}}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


class OldSpeaker:
    """OpenELB's speaker of one node: a gobgpd that announces the node itself to all leaves."""

    def __init__(self, lab: Lab, node: str) -> None:
        self._lab, self._node = lab, node
        self._socket = lab.folder.path / f"old-{node}.sock"
        argv = (str(daemons.gobgpd_binary()), "--api-hosts", f"unix://{self._socket}", "--pprof-disable")
        dying = ("setpriv", "--pdeathsig", "KILL", *argv)
        self._daemon = Daemon(lab.space(node).argv(*dying), log=lab.folder.path / f"old-{node}.log")
        self._daemon.start()
        asyncio.run(self._announce())

    def end(self) -> None:
        """Its pod ends: the kernel closes its connections."""
        self._daemon.end()

    async def _announce(self) -> None:
        router_id = next(ip for ip, owner in self._lab.node_by_address.items() if owner == self._node)
        async with await self._connected() as client:
            await client.start(GlobalConf(asn=65000, router_id=router_id))
            prefixes = [ip_network(ip) for given in ADDRESSES.values() for ip in given]
            await client.add_paths(Route(PathKey(one, 1), PathAttrs()) for one in prefixes)
            for peer in self._lab.desk.objects(Kind.BGP_PEER):
                await client.add_peer(_session(peer["spec"]["conf"]))

    async def _connected(self) -> Client:
        async with asyncio.timeout(20.0):
            while True:
                try:
                    return await Client.connect(str(self._socket))
                except SidecarUnavailable:
                    await asyncio.sleep(0.05)


def _session(conf: Mapping[str, object]) -> PeerConf:
    address = str(conf["neighborAddress"])
    return PeerConf(
        name=address,
        neighbor_address=address,
        peer_asn=65001,
        local_asn=65000,
        timers=Timers(connect_retry=1),
        afi_safis=(AddressFamily(family=Family.IPV6 if ":" in address else Family.IPV4),),
    )


class Old:
    """OpenELB 0.6 in a lab: what it left in the API server, its webhook, and its speakers."""

    def __init__(self, lab: Lab) -> None:
        assert lab.cluster is not None
        self.api = lab.cluster.api
        for service, given in ADDRESSES.items():
            self._held(service, given)
        lab.start_kubeproxy()
        for service in ADDRESSES:
            wait_until(
                lambda given=ADDRESSES[service]: all(lab.forwards(node, given) for node in lab.nodes),  # type: ignore[misc]
                within=60.0,
                what="kube-proxy's rules",
            )
        self.webhook = OldWebhook(lab)
        self._ask_the_webhook(lab.cluster.plane.ca)
        self.speakers = {node: OldSpeaker(lab, node) for node in lab.nodes}

    def _held(self, name: str, given: tuple[str, ...]) -> None:
        marks = {"metadata": {"finalizers": [FINALIZER]}}
        self.api.patch("Service", name, marks, namespace="default")
        status = {"status": {"loadBalancer": {"ingress": [{"ip": ip} for ip in given]}}}
        self.api.patch("Service", name, status, namespace="default", subresource="status")

    def _ask_the_webhook(self, ca: Path) -> None:
        found = next(one for one in openelb_06() if one["kind"] == WEBHOOK)
        found["webhooks"][0]["clientConfig"]["caBundle"] = _encoded(ca)
        self.api.delete(WEBHOOK, "openelb-admission")
        self.api.create(found)


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def _replace(lab: Lab, old: OldSpeaker, node: str) -> None:
    """A node's speaker by ours. Others of ours may stand in for the node meanwhile."""
    before = resets(lab)
    old.end()
    await_value(lambda: resets(lab), lambda now: now != before, expected="the old sessions lost")
    lab.start_speaker(node)
    await_sessions(lab)


@pytest.fixture(scope="module")
def lab(ecmp: Path) -> Iterator[Lab]:
    with held_lab(ecmp, mode=KUBERNETES) as lab:
        lab.copy_manifests()
        for peer in ("leaf1", "leaf1-v6", "leaf2", "leaf2-v6"):
            edit(lab.paths.manifests, "BgpPeer", peer, _dial_soon)
        lab.start_cluster()
        yield lab


def _dial_soon(peer: Object) -> None:
    peer["spec"]["timers"] = {"config": {"connectRetry": "1"}}


def test_no_request_is_lost_and_nothing_refused_while_ours_replace_its_pods_one_by_one(lab: Lab) -> None:
    assert lab.cluster is not None
    old = Old(lab)
    address = ADDRESSES["web"][0]
    await_sessions(lab)
    await_hops(lab, address, lab.nodes)
    applied = [one for one in rendered(BASE) if one["kind"] not in _NOT_RUN]
    with asked_all_the_time(lab.cluster.api) as asked, under_load(lab.client, address) as load:
        for obj in applied:
            lab.cluster.api.apply(obj, manager="kubectl")
        old.webhook.end()
        lab.start_controller()
        for node in lab.nodes:
            _replace(lab, old.speakers[node], node)
            await_hops(lab, address, lab.nodes)
    expect_none_lost(load.tally())
    assert (asked.refused("Eip"), asked.refused("Service")) == ([], [])
    await_sessions(lab)
    found = lab.addresses()
    assert {name: found[f"default/{name}"] for name in ADDRESSES} == ADDRESSES
