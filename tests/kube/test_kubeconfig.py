"""By a kubeconfig against a real API server: certificates, tokens and exec plugins, and their renewal."""

import asyncio
import base64
import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.cluster.keys import Pair
from lab.cluster.kubelet import brief_token, pod_token
from openelb_bgp.kube.client import Client, Timeouts
from openelb_bgp.kube.errors import Distrusted, Unauthorized
from openelb_bgp.kube.kubeconfig import by_kubeconfig
from openelb_bgp.kube.resources import RESOURCES
from openelb_bgp.model.meta import Kind
from openelb_bgp.runtime.clock import SystemClock
from tests.daemons.harness.waiting import wait_until
from tests.kube.accounts import NAMESPACE, WRITER, Account, make_account
from tests.kube.faulty_proxy import FaultyProxy
from tests.kube.harness.control_plane import ControlPlane
from tests.kube.harness.ours import controller, ready_cluster

MAPS = RESOURCES[Kind.CONFIG_MAP]
HASTE = Timeouts(connect=2.0, request=10.0)
USER = "ops@example.org"


class LaterClock(SystemClock):
    """The machine's time, so many seconds ahead."""

    ahead = 0.0

    def wall(self) -> float:
        return super().wall() + self.ahead


class Config:
    """A kubeconfig, written for one user; with a plugin that prints what stands in files, and its runs."""

    def __init__(self, control_plane: ControlPlane, folder: Path) -> None:
        self.file, self.runs_file, self.clock = folder / "config", folder / "runs", LaterClock()
        self.ca, self.url = control_plane.ca, control_plane.url
        self._answer, self._program = folder / "answer", folder / "plugin"

    def write(self, user: dict[str, Any], **cluster: str) -> None:
        held = {"server": self.url, "certificate-authority": str(self.ca), **cluster}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": held}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        self.file.write_text(json.dumps(document))

    def use_plugin(self, **status: str) -> None:
        """From now on a plugin is asked, which first answers so."""
        self.answer(**status)
        self._program.write_text(f"#!/bin/sh\necho run >> {self.runs_file}\ncat {self._answer}\n")
        self._program.chmod(0o755)
        version = "client.authentication.k8s.io/v1"
        self.write(
            {"exec": {"apiVersion": version, "command": str(self._program), "interactiveMode": "Never"}}
        )

    def answer(self, **status: str) -> None:
        kind = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}
        self._answer.write_text(json.dumps({**kind, "status": status}))

    @property
    def runs(self) -> int:
        return self.runs_file.read_text().count("run")

    async def create(self, *names: str) -> None:
        """Make ConfigMaps by a client of its own, all at once."""
        async with await self.client() as client:
            await make(client, *names)

    async def client(self) -> Client:
        access = await by_kubeconfig(self.file, self.clock)
        return Client(access, self.clock, manager="tests", timeouts=HASTE)


async def make(client: Client, *names: str) -> None:
    made = ({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}} for name in names)
    await asyncio.gather(*(client.create(MAPS, one, namespace=NAMESPACE) for one in made))


@pytest.fixture
def account(control_plane: ControlPlane, tmp_path: Path) -> Account:
    """A ServiceAccount that may write; so may USER, whom certificates name."""
    made = make_account(control_plane, tmp_path, WRITER)
    name = made.pod["metadata"]["name"]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
    control_plane.api.apply(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": f"{name}-user"},
            "roleRef": role,
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": USER}],
        }
    )
    return made


@pytest.fixture
def token(control_plane: ControlPlane, account: Account) -> str:
    return pod_token(control_plane.api, account.pod)


@pytest.fixture
def stale(control_plane: ControlPlane, token: str) -> str:
    return brief_token(control_plane.signer, token, seconds=-1)


@pytest.fixture
def config(control_plane: ControlPlane, account: Account, tmp_path: Path) -> Config:
    return Config(control_plane, tmp_path)


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def _by_files(pair: Pair) -> dict[str, str]:
    return {"client-certificate": str(pair.certificate), "client-key": str(pair.key)}


def _by_data(pair: Pair) -> dict[str, str]:
    return {
        "client-certificate-data": _encoded(pair.certificate),
        "client-key-data": _encoded(pair.key),
    }


@pytest.mark.parametrize("written", [_by_files, _by_data])
async def test_a_client_certificate_proves_who_we_are(
    control_plane: ControlPlane, config: Config, written: Callable[[Pair], dict[str, str]]
) -> None:
    config.write(written(control_plane.plane.authority.client(USER)))
    await config.create("one")


async def test_a_token_does(config: Config, token: str) -> None:
    config.write({"token": token})
    await config.create("one")


async def test_a_token_file_that_is_replaced_is_read_again(
    config: Config, token: str, stale: str, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(stale)
    config.write({"tokenFile": str(file)})
    async with await config.client() as client:
        with pytest.raises(Unauthorized):
            await make(client, "one")
        file.write_text(f"{token}\n")
        await make(client, "one")


async def test_a_plugin_runs_again_once_for_all_when_what_it_gave_has_ended(
    control_plane: ControlPlane, config: Config, token: str
) -> None:
    ends = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=1)
    with FaultyProxy(control_plane) as proxy:
        config.url = proxy.url
        config.use_plugin(token=token, expirationTimestamp=ends.strftime("%Y-%m-%dT%H:%M:%SZ"))
        async with await config.client() as client:
            await make(client, "one", "two")
            assert config.runs == 1
            later = ends + datetime.timedelta(hours=1)
            config.answer(token=token, expirationTimestamp=later.strftime("%Y-%m-%dT%H:%M:%SZ"))
            config.clock.ahead = 3601.0
            await make(client, "three", "four", "five")
            assert (config.runs, len(proxy.requests)) == (2, 5)


async def test_a_plugin_runs_again_when_its_token_is_refused(config: Config, token: str, stale: str) -> None:
    config.use_plugin(token=stale)
    async with await config.client() as client:
        config.answer(token=token)
        await make(client, "one")
    assert config.runs == 2


async def test_a_plugin_may_give_certificates_and_renew_them(
    control_plane: ControlPlane, config: Config
) -> None:
    def given(valid: datetime.timedelta) -> dict[str, str]:
        pair = control_plane.plane.authority.client(USER, valid=valid)
        held = {"clientCertificateData": pair.certificate, "clientKeyData": pair.key}
        return {name: file.read_text() for name, file in held.items()}

    config.use_plugin(**given(-datetime.timedelta(minutes=2)))
    async with await config.client() as client:
        config.answer(**given(datetime.timedelta(hours=1)))
        await make(client, "one")
    assert config.runs == 2


async def test_the_certificate_of_the_server_may_have_another_name(config: Config, token: str) -> None:
    config.write({"token": token}, **{"tls-server-name": "kubernetes.default.svc"})
    await config.create("one")
    config.write({"token": token}, **{"tls-server-name": "elsewhere.example.org"})
    with pytest.raises(Distrusted):
        await config.create("two")


@pytest.mark.parametrize("wanted", [False, True], ids=["pod", "kubeconfig"])
async def test_a_controller_leads_either_way_and_loads_kubernetes_asyncio_for_a_kubeconfig_only(
    control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wanted: bool
) -> None:
    api = ready_cluster(control_plane, "node1")
    config = Config(control_plane, tmp_path)
    # It says on standard error what it imports.
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    ours = controller(control_plane, tmp_path, *([f"--kubeconfig={config.file}"] if wanted else []))
    config.use_plugin(token=pod_token(api, ours.pod))
    ours.start()
    try:
        await wait_until(lambda: ours.logged("leading"), within=60, what="a leader")
    finally:
        ours.daemon.end()
    assert ("kubernetes_asyncio" in ours.daemon.output()) is wanted
