"""The controller as a pod runs it, with the manifests' rights: what it does beside allocating."""

import base64
import http.client
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cluster.api import Api, ApiError
from openelb_bgp.kube.certs import from_secret
from tests.daemons.harness.processes import Daemon
from tests.daemons.harness.waiting import wait_until

from .component_account import NAMESPACE, Account, account_of, controller_daemon
from .harness.control_plane import ControlPlane
from .rendered import BASE, one, rendered

MANIFESTS = Path(__file__).parents[2] / "manifests"
API_VERSION = "network.kubesphere.io/v1alpha2"
SERVICE = "openelb-controller.openelb-system.svc"
SOON = 40.0


@pytest.fixture
def account(control_plane: ControlPlane, tmp_path: Path) -> Account:
    control_plane.kubectl("apply", "-k", str(MANIFESTS / "crds"))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    return account_of(control_plane, tmp_path, "controller")


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found


@pytest.fixture
async def controller(account: Account, port: int, tmp_path: Path) -> AsyncIterator[Daemon]:
    daemon = controller_daemon(account, tmp_path, webhook_port=port)
    daemon.start()
    yield daemon
    daemon.end()


def _trusted(api: Api) -> bytes:
    found = api.find("Secret", "openelb-webhook", namespace=NAMESPACE)
    return from_secret(found["data"]).trusted if found else b""


def _ask(port: int, trusted: bytes, document: dict[str, Any]) -> dict[str, Any]:
    """As the API server asks, by the Service's name."""
    trust = ssl.create_default_context(cadata=trusted.decode())
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
        trust.wrap_socket(raw, server_hostname=SERVICE) as connection,
    ):
        client = http.client.HTTPConnection(SERVICE)
        client.sock = connection
        request = {"uid": "1", "operation": "CREATE", "object": document, "oldObject": None}
        review = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}
        client.request("POST", "/validate-network-kubesphere-io-v1alpha2-eip", json.dumps(review))
        answer: dict[str, Any] = json.loads(client.getresponse().read())
        return answer


async def test_it_answers_by_the_services_name_and_tells_the_api_server_whom_to_trust(
    account: Account, controller: Daemon, port: int
) -> None:
    api = account.plane.api
    api.create(one(rendered(BASE), "ValidatingWebhookConfiguration", "openelb-admission"))
    trusted = await wait_until(lambda: _trusted(api), within=SOON)

    def bundles() -> set[str]:
        webhooks = api.get("ValidatingWebhookConfiguration", "openelb-admission")["webhooks"]
        return {webhook["clientConfig"].get("caBundle", "") for webhook in webhooks}

    await wait_until(lambda: all(bundles()) and len(bundles()) == 1, within=SOON, what=controller.output())
    eip = {"apiVersion": API_VERSION, "kind": "Eip", "metadata": {"name": "a"}, "spec": {"address": "x"}}
    answer = _ask(port, trusted, eip)
    assert answer["response"]["allowed"] is False
    assert answer["response"]["status"]["message"].startswith("spec.address 'x': is no address range")


async def test_speakers_may_read_what_peers_name_and_never_the_webhooks_key(
    account: Account, controller: Daemon
) -> None:
    api = account.plane.api

    def readable() -> list[str]:
        rules = api.get("Role", "openelb-speaker-secrets", namespace=NAMESPACE).get("rules") or []
        return [name for rule in rules for name in rule["resourceNames"]]

    for peer, secret in (("leaf1", "one"), ("leaf2", "two"), ("leaf3", "two"), ("leaf4", "openelb-webhook")):
        conf = {"peerAs": 65001, "authPasswordSecretRef": {"name": secret, "key": "password"}}
        conf["neighborAddress"] = f"192.0.2.{peer[-1]}"
        metadata = {"name": peer}
        api.create(
            {"apiVersion": API_VERSION, "kind": "BgpPeer", "metadata": metadata, "spec": {"conf": conf}}
        )
    await wait_until(lambda: readable() == ["one", "two"], within=SOON, what=controller.output())
    api.delete("BgpPeer", "leaf2")
    api.delete("BgpPeer", "leaf1")
    await wait_until(lambda: readable() == ["two"], within=SOON)
    api.delete("BgpPeer", "leaf3")
    await wait_until(lambda: readable() == [], within=SOON)


async def test_a_layer2_pool_gets_keys_for_heartbeats_that_speakers_may_read(
    account: Account, controller: Daemon, tmp_path: Path
) -> None:
    api = account.plane.api
    name = "openelb-membership"
    plane = account.plane
    token = account_of(plane, tmp_path, "speaker").token
    speaker = Api(plane.url, ca=plane.ca, token=token)
    pool = {"apiVersion": API_VERSION, "kind": "Eip", "metadata": {"name": "lan"}}
    api.create({**pool, "spec": {"address": "192.0.2.0/24", "protocol": "layer2"}})

    def keys() -> dict[str, str]:
        found = api.find("Secret", name, namespace=NAMESPACE)
        return dict(found["data"]) if found else {}

    first = await wait_until(keys, within=SOON, what=controller.output())
    assert list(first) == ["key"] and len(base64.b64decode(first["key"])) >= 32
    await wait_until(lambda: _sees(speaker, name), within=SOON, what="the speaker's right to read it")
    assert not _sees(speaker, "openelb-webhook")
    api.delete("Secret", name, namespace=NAMESPACE)
    second = await wait_until(keys, within=SOON, what="another key")
    assert first != second and first["key"] not in controller.output()


def _sees(api: Api, name: str) -> bool:
    try:
        found = api.items("Secret", namespace=NAMESPACE, fieldSelector=f"metadata.name={name}")
    except ApiError:
        return False
    return [one["metadata"]["name"] for one in found] == [name]


async def test_a_webhook_port_that_is_taken_is_one_line_and_an_exit_code(
    account: Account, tmp_path: Path
) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        daemon = controller_daemon(account, tmp_path, webhook_port=taken.getsockname()[1])
        daemon.start()
        await wait_until(lambda: daemon.exit_code is not None, within=SOON)
    assert daemon.exit_code == 1
    assert "for the webhook cannot be listened on" in daemon.output()
    assert "choose another with --webhook-port" in daemon.output()


async def test_what_the_webhook_could_not_refuse_is_reported_by_the_controller(
    account: Account, controller: Daemon
) -> None:
    """Nobody asks the webhook here: there is no configuration of it."""
    api = account.plane.api
    default = {"annotations": {"eip.openelb.kubesphere.io/is-default-eip": "true"}}
    for name, address in (("a", "192.0.2.0/24"), ("b", "192.0.2.128/25"), ("c", "198.51.100.9-198.51.100.1")):
        document = {"apiVersion": API_VERSION, "kind": "Eip", "metadata": {"name": name, **default}}
        api.create({**document, "spec": {"address": address}})

    def reasons() -> dict[str, str]:
        return {one["metadata"]["name"]: _valid(one).get("reason", "") for one in api.items("Eip")}

    await wait_until(lambda: all(reasons().values()), within=SOON, what=controller.output())
    assert reasons() == {"a": "Valid", "b": "Overlap", "c": "Invalid"}


@pytest.fixture
def kube_proxy(api: Api) -> Iterator[dict[str, Any]]:
    """The ConfigMap of a kube-proxy in IPVS mode as kubeadm writes it, not made yet."""
    metadata = {"name": "kube-proxy", "namespace": "kube-system"}
    config = "kind: KubeProxyConfiguration\nmode: ipvs\nipvs:\n  strictARP: false\n"
    yield {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"config.conf": config}}
    api.delete("ConfigMap", "kube-proxy", namespace="kube-system")


async def test_ipvs_without_strict_arp_is_told_of_a_layer2_pool_until_it_is_mended(
    account: Account, controller: Daemon, kube_proxy: dict[str, Any]
) -> None:
    api = account.plane.api
    for name, protocol, address in (("lan", "layer2", "192.0.2.0/24"), ("fabric", "bgp", "198.51.100.0/24")):
        spec = {"address": address, "protocol": protocol}
        api.create({"apiVersion": API_VERSION, "kind": "Eip", "metadata": {"name": name}, "spec": spec})

    def reasons() -> dict[str, str]:
        return {one["metadata"]["name"]: _valid(one).get("reason", "") for one in api.items("Eip")}

    await wait_until(lambda: reasons() == {"lan": "Valid", "fabric": "Valid"}, within=SOON)
    api.create(kube_proxy)
    told = {"lan": "IPVSWithoutStrictARP", "fabric": "Valid"}
    await wait_until(lambda: reasons() == told, within=SOON, what=controller.output())
    assert _valid(api.get("Eip", "lan"))["status"] == "True"
    await wait_until(
        lambda: [
            one["message"]
            for one in api.items("Event", fieldSelector="involvedObject.name=lan")
            if one["reason"] == "IPVSWithoutStrictARP" and "set ipvs.strictARP: true" in one["message"]
        ],
        within=SOON,
        what="its Event",
    )
    mended = {"config.conf": kube_proxy["data"]["config.conf"].replace("false", "true")}
    api.patch("ConfigMap", "kube-proxy", {"data": mended}, namespace="kube-system")
    await wait_until(lambda: reasons()["lan"] == "Valid", within=SOON, what=controller.output())


def _valid(document: dict[str, Any]) -> dict[str, str]:
    conditions = document.get("status", {}).get("conditions", [])
    return next((one for one in conditions if one["type"] == "Valid"), {})
