"""The admission webhook behind a real API server: asked by it, believed by it, and missed by nobody."""

import asyncio
import base64
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.cluster.api import Api, ApiError
from openelb_bgp.kube.certs import from_secret, made, to_secret
from openelb_bgp.kube.client import Client
from openelb_bgp.kube.scope import CONTROLLER
from openelb_bgp.kube.source import KubeSource
from openelb_bgp.kube.trust import CONFIGURATION, SECRET, Trust
from openelb_bgp.kube.webhook import Webhook, judge_by
from openelb_bgp.lib.tasks import supervised
from openelb_bgp.runtime.clock import SystemClock
from openelb_bgp.runtime.store import Store
from tests.daemons.harness.waiting import wait_until

from .component_account import NAMESPACE, Account, account_of
from .harness.control_plane import ControlPlane
from .rendered import BASE, one, rendered

ROOT = Path(__file__).parents[2]
CRDS = ROOT / "manifests" / "crds"
CORPUS = ROOT / "tests" / "unit" / "corpus"
HOST = "127.0.0.1"
SOON = 20.0
DAY = 86400.0


@dataclass
class Controller:
    """A controller's webhook as the API server reaches it."""

    api: Api
    port: int
    store: Store

    def configure(self, *, bundle: str = "") -> None:
        """The manifest's configuration, but by URL: a bare API server has no Service network."""
        document = one(rendered(BASE), "ValidatingWebhookConfiguration", CONFIGURATION)
        for webhook in document["webhooks"]:
            path = webhook["clientConfig"].pop("service")["path"]
            webhook["clientConfig"] = {"url": f"https://{HOST}:{self.port}{path}"}
            if bundle:
                webhook["clientConfig"]["caBundle"] = bundle
        self.api.create(document)

    def bundle(self) -> str:
        """Whom the API server trusts."""
        webhooks = self.api.get("ValidatingWebhookConfiguration", CONFIGURATION)["webhooks"]
        bundles = {webhook["clientConfig"].get("caBundle", "") for webhook in webhooks}
        return bundles.pop() if len(bundles) == 1 else ""

    def secret(self) -> dict[str, str]:
        found = self.api.find("Secret", SECRET, namespace=NAMESPACE)
        data: dict[str, str] = (found or {}).get("data", {})
        return data

    async def in_force(self) -> None:
        """Return once the API server asks the webhook, as a new pool that overlaps shows."""
        await wait_until(lambda: self.refusal(eip("probe", "192.0.2.0/24")), within=SOON)

    async def refusal(self, document: dict[str, Any], **query: str) -> str:
        """What is said against a new object; empty where nothing is."""
        try:
            await self.create(document, dryRun="All", **query)
        except ApiError as error:
            return error.message
        return ""

    async def create(self, document: dict[str, Any], **query: str) -> None:
        """In a thread: to answer, the API server asks this one."""
        await asyncio.to_thread(self.api.create, document, **query)


def eip(name: str, address: str, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "network.kubesphere.io/v1alpha2",
        "kind": "Eip",
        "metadata": {"name": name, **more.pop("metadata", {})},
        "spec": {"address": address, **more},
    }


@asynccontextmanager
async def controller(
    account: Account, *, leads: bool = True, folder: Path | None = None
) -> AsyncIterator[Controller]:
    """The parts of a controller that answer, put together as `origin` does, under the manifests' rights."""
    clock, store = SystemClock(), Store()
    async with Client(account.access(), clock, manager="openelb-controller") as client:
        source = KubeSource(client, CONTROLLER, clock, namespace=NAMESPACE)

        async def feed() -> None:
            async for batch in source.deliveries():
                store.apply(batch)

        webhook = Webhook(judge_by(lambda: store.snapshot, namespace=NAMESPACE, clock=clock))
        trust = Trust(client, clock, namespace=NAMESPACE, names=[HOST], use=webhook.use, folder=folder)
        tasks = {"feed": feed, **trust.tasks()}
        if leads:
            tasks["lead"] = lambda: trust.lead(client)
        async with webhook.serving(host=HOST, port=0) as port:
            running = asyncio.create_task(supervised(tasks))
            try:
                yield Controller(account.plane.api, port, store)
            finally:
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running


@pytest.fixture
def account(control_plane: ControlPlane, tmp_path: Path) -> Account:
    control_plane.kubectl("apply", "-k", str(CRDS))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    return account_of(control_plane, tmp_path, "controller")


async def test_the_api_server_believes_and_asks_it_and_users_read_its_words(account: Account) -> None:
    plane = account.plane
    async with controller(account) as ours:
        ours.configure()
        await ours.create(eip("lan", "192.0.2.0/24"))
        await wait_until(lambda: "lan" in ours.store.snapshot.eips, within=SOON)
        await ours.in_force()
        said = await ours.refusal(eip("more", "192.0.2.128/25"))
        assert said.startswith('admission webhook "validate.eip.network.kubesphere.io" denied the request: ')
        assert "Eip more (192.0.2.128-192.0.2.255) overlaps Eip lan (192.0.2.0-192.0.2.255)" in said
        said = await ours.refusal(eip("down", "198.51.100.9-198.51.100.1"))
        assert "198.51.100.9 is above 198.51.100.1" in said
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {"type": "LoadBalancer", "ports": [{"port": 80}]},
        }
        ours.api.create(service)
        status = {"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.7"}]}}}
        ours.api.patch("Service", "web", status, namespace="default", subresource="status")
        await wait_until(
            lambda: any(one.addresses for one in ours.store.snapshot.services.values()), within=SOON
        )
        gone = await asyncio.to_thread(plane.try_kubectl, "delete", "eip", "lan")
        assert gone.returncode == 0
        assert "Warning: addresses of Eip lan are in use: default/web (192.0.2.7)" in gone.stderr


async def test_schema_and_webhook_together_refuse_all_that_decoding_cannot_use(account: Account) -> None:
    async with controller(account) as ours:
        ours.configure()
        await ours.create(eip("lan", "192.0.2.0/24"))
        await ours.in_force()
        await asyncio.to_thread(ours.api.delete, "Eip", "lan")
        await wait_until(lambda: not ours.store.snapshot.eips, within=SOON)
        wrong = {}
        for case in _cases():
            refusal = await ours.refusal(case["object"], fieldValidation="Ignore")
            if bool(refusal) is not ("fatal" in case or "schema" in case):
                wrong[case["case"]] = refusal
    assert wrong == {}


def _cases() -> list[dict[str, Any]]:
    return [
        case
        for file in sorted(CORPUS.glob("*.yaml"))
        for case in yaml.safe_load_all(file.read_text())
        if case["object"].get("kind") in ("Eip", "BgpConf", "BgpPeer")
        and case["object"].get("apiVersion") == "network.kubesphere.io/v1alpha2"
    ]


async def test_what_is_left_out_of_a_peer_is_a_warning_that_kubectl_prints(account: Account) -> None:
    spec = {
        "conf": {"neighborAddress": "192.0.2.1", "peerAs": 65001},
        "timers": {"config": {"holdTime": "9", "keepaliveInterval": "30"}},
    }
    peer = {"apiVersion": "network.kubesphere.io/v1alpha2", "kind": "BgpPeer", "metadata": {"name": "leaf"}}
    async with controller(account) as ours:
        ours.configure()
        await ours.create(eip("lan", "192.0.2.0/24"))
        await ours.in_force()
        said = await asyncio.to_thread(
            account.plane.try_kubectl, "create", "-f", "-", stdin=json.dumps({**peer, "spec": spec})
        )
    assert said.returncode == 0
    assert "Warning: spec.timers.config.keepaliveInterval '30': is not below holdTime" in said.stderr


async def test_a_certificate_in_a_folder_is_used_in_place_of_our_own(
    account: Account, tmp_path: Path
) -> None:
    folder = tmp_path / "certs"
    folder.mkdir()
    given = made([HOST], now=time.time())
    for name, content in (
        ("tls.crt", given.serving),
        ("tls.key", given.serving_key),
        ("ca.crt", given.trusted),
    ):
        (folder / name).write_bytes(content)
    async with controller(account, folder=folder) as ours:
        ours.configure()
        await wait_until(lambda: ours.bundle() == base64.b64encode(given.trusted).decode(), within=SOON)
        await ours.create(eip("lan", "192.0.2.0/24"))
        await ours.in_force()
        assert ours.secret() == {}


async def test_with_the_webhook_down_everything_is_stored(account: Account) -> None:
    async with controller(account) as ours:
        ours.configure()
        await ours.create(eip("lan", "192.0.2.0/24"))
        await ours.in_force()
        api = ours.api
    began = time.monotonic()
    await asyncio.to_thread(api.create, eip("more", "192.0.2.128/25"))
    assert time.monotonic() - began < 5
    await asyncio.to_thread(api.delete, "Eip", "lan")


async def test_two_replicas_serve_with_the_same_certificate_and_only_the_leader_injects(
    account: Account,
) -> None:
    async with controller(account, leads=False) as second:
        second.configure()
        await wait_until(second.secret, within=SOON)
        assert second.bundle() == ""
        kept = second.secret()
        async with controller(account) as first:
            bundle = await wait_until(first.bundle, within=SOON)
            assert bundle == base64.b64encode(from_secret(kept).trusted).decode()
            assert first.secret() == kept
            await second.create(eip("lan", "192.0.2.0/24"))
            # The configuration names the one that does not lead.
            await second.in_force()


async def test_a_ca_bundle_that_somebody_took_or_replaced_comes_back(account: Account) -> None:
    async with controller(account) as ours:
        ours.configure(bundle=base64.b64encode(made([HOST], now=time.time()).trusted).decode())
        good = base64.b64encode(from_secret(await wait_until(ours.secret, within=SOON)).trusted).decode()
        await wait_until(lambda: ours.bundle() == good, within=SOON)
        ours.api.delete("ValidatingWebhookConfiguration", CONFIGURATION)
        ours.configure()
        await wait_until(lambda: ours.bundle() == good, within=SOON)
        change = [{"op": "remove", "path": "/webhooks/0/clientConfig/caBundle"}]
        ours.api.patch("ValidatingWebhookConfiguration", CONFIGURATION, change)
        await wait_until(lambda: ours.bundle() == good, within=SOON)


async def test_an_old_certificate_is_renewed_and_the_api_server_goes_on_asking(account: Account) -> None:
    api = account.plane.api
    old = made([HOST], now=time.time() - 8 * 365 * DAY)
    api.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": NAMESPACE},
            "type": "kubernetes.io/tls",
            "data": to_secret(old),
        }
    )
    async with controller(account) as ours:
        ours.configure()
        await wait_until(lambda: ours.secret() != to_secret(old), within=SOON)
        new = from_secret(ours.secret())
        assert new.trusted.endswith(old.trusted)
        await wait_until(lambda: ours.bundle() == base64.b64encode(new.trusted).decode(), within=SOON)
        await ours.create(eip("lan", "192.0.2.0/24"))
        await ours.in_force()


async def test_a_damaged_or_deleted_secret_is_made_again(account: Account) -> None:
    async with controller(account) as ours:
        ours.configure()
        first = await wait_until(ours.secret, within=SOON)
        ours.api.patch("Secret", SECRET, {"data": {"tls.key": "bm8ga2V5"}}, namespace=NAMESPACE)
        await wait_until(lambda: ours.secret()["ca.crt"] != first["ca.crt"], within=SOON)
        second = ours.secret()
        ours.api.delete("Secret", SECRET, namespace=NAMESPACE)
        await wait_until(lambda: ours.secret() and ours.secret() != second, within=SOON)
        bundle = base64.b64encode(from_secret(ours.secret()).trusted).decode()
        await wait_until(lambda: ours.bundle() == bundle, within=SOON)
