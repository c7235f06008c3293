"""Secrets and ConfigMaps against a real API server: only those that somebody names, by their names."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.cluster.api import Api
from openelb_bgp.kube.scope import Scope
from openelb_bgp.kube.selection import Selection
from openelb_bgp.model.meta import Key, Kind
from openelb_bgp.model.snapshot import Snapshot
from tests.daemons.harness.waiting import wait_until
from tests.kube.accounts import NAMESPACE, READER, Account, make_account
from tests.kube.faulty_proxy import FaultyProxy
from tests.kube.following import follow
from tests.kube.harness.control_plane import ControlPlane

CRDS = Path(__file__).parents[2] / "manifests" / "crds"
SCOPE = Scope(
    kinds={Kind.BGP_PEER: Selection(), Kind.BGP_CONF: Selection()}, versioned=frozenset({Kind.BGP_PEER})
)
NO_SECRETS = ({"apiGroups": ["network.kubesphere.io"], "resources": ["*"], "verbs": ["list", "watch"]},)


@pytest.fixture
def proxy(control_plane: ControlPlane) -> Iterator[FaultyProxy]:
    control_plane.kubectl("apply", "--server-side", "-k", str(CRDS))
    control_plane.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")
    with FaultyProxy(control_plane) as proxy:
        yield proxy


@pytest.fixture
def account(control_plane: ControlPlane, tmp_path: Path) -> Account:
    return make_account(control_plane, tmp_path, READER)


def peer(name: str, *, secret: str) -> dict[str, Any]:
    conf = {"peerAs": 50001, "neighborAddress": "192.0.2.1"}
    if secret:
        conf["authPasswordSecretRef"] = {"name": secret, "key": "password"}
    return {
        "apiVersion": "network.kubesphere.io/v1alpha2",
        "kind": "BgpPeer",
        "metadata": {"name": name},
        "spec": {"conf": conf},
    }


def secret(name: str, password: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "stringData": {"password": password},
    }


def password(snapshot: Snapshot, name: str) -> bytes | None:
    found = snapshot.secrets.get(Key(NAMESPACE, name))
    return None if found is None else found.data["password"]


async def test_nobody_names_any_and_that_is_known(account: Account, proxy: FaultyProxy, api: Api) -> None:
    api.create(secret("others", "hunter2"))
    async with follow(account, proxy.url, SCOPE) as known:
        await known.until(lambda snapshot: snapshot.has_listed(Kind.SECRET, Kind.CONFIG_MAP))
        assert (known.snapshot.secrets, known.snapshot.config_maps) == ({}, {})
    assert not [one for one in proxy.requests if one.resource in ("secrets", "configmaps")]


async def test_a_peer_is_never_seen_before_its_secret(account: Account, proxy: FaultyProxy, api: Api) -> None:
    api.create(secret("one", "first"))
    api.create(peer("peer-1", secret="one"))
    seen: list[tuple[set[str], set[str]]] = []
    async with follow(account, proxy.url, SCOPE) as known:
        known.store.subscribe(
            lambda: seen.append((set(known.snapshot.bgp_peers), {key.name for key in known.snapshot.secrets}))
        )
        await known.until(lambda snapshot: password(snapshot, "one") == b"first")
        api.create(secret("two", "second"))
        api.create(peer("peer-2", secret="two"))
        await known.until(lambda snapshot: "peer-2" in snapshot.bgp_peers)
    pairs = {"peer-1": "one", "peer-2": "two"}
    assert not [peers for peers, secrets in seen if not {pairs[one] for one in peers} <= secrets]


async def test_a_secret_is_followed_from_before_it_is_there_until_nobody_names_it(
    account: Account, proxy: FaultyProxy, api: Api
) -> None:
    api.create(peer("peer-1", secret="one"))
    async with follow(account, proxy.url, SCOPE) as known:
        await known.until(lambda snapshot: snapshot.has_listed(Kind.SECRET))
        assert known.snapshot.secrets == {}
        api.create(secret("one", "first"))
        await known.until(lambda snapshot: password(snapshot, "one") == b"first")
        api.patch("Secret", "one", {"stringData": {"password": "second"}}, namespace=NAMESPACE)
        await known.until(lambda snapshot: password(snapshot, "one") == b"second")
        api.delete("Secret", "one", namespace=NAMESPACE)
        await known.until(lambda snapshot: not snapshot.secrets)
        api.create(secret("one", "third"))
        await known.until(lambda snapshot: password(snapshot, "one") == b"third")
        api.patch("BgpPeer", "peer-1", {"spec": {"conf": {"authPasswordSecretRef": None}}})
        await known.until(lambda snapshot: not snapshot.secrets)
        await wait_until(lambda: not proxy.watches("secrets") or None, within=30)
    asked = [one for one in proxy.requests if one.resource == "secrets"]
    assert {(one.namespace, one.query["fieldSelector"]) for one in asked} == {
        (NAMESPACE, "metadata.name=one")
    }


async def test_the_policy_of_the_bgpconf_is_followed(account: Account, proxy: FaultyProxy, api: Api) -> None:
    api.create(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "policy", "namespace": NAMESPACE},
            "data": {"gobgp.conf": "# nothing"},
        }
    )
    api.create(
        {
            "apiVersion": "network.kubesphere.io/v1alpha2",
            "kind": "BgpConf",
            "metadata": {"name": "default"},
            "spec": {"as": 50000, "policy": "policy"},
        }
    )
    async with follow(account, proxy.url, SCOPE) as known:
        await known.until(lambda snapshot: Key(NAMESPACE, "policy") in snapshot.config_maps)
        change = {"data": {"gobgp.conf": "# something"}}
        api.patch("ConfigMap", "policy", change, namespace=NAMESPACE)
        await known.until(
            lambda snapshot: (
                snapshot.config_maps[Key(NAMESPACE, "policy")].data["gobgp.conf"] == "# something"
            )
        )


async def test_a_secret_that_nobody_lets_us_read_holds_nothing_up_and_is_read_once_we_may(
    control_plane: ControlPlane, proxy: FaultyProxy, api: Api, tmp_path: Path
) -> None:
    account = make_account(control_plane, tmp_path, NO_SECRETS)
    api.create(secret("one", "first"))
    api.create(peer("peer-1", secret="one"))
    async with follow(account, proxy.url, SCOPE) as known:
        await known.until(lambda snapshot: snapshot.has_listed(Kind.SECRET, Kind.BGP_PEER))
        assert (list(known.snapshot.bgp_peers), known.snapshot.secrets) == (["peer-1"], {})
        assert "cannot list resource" in known.source.error
        account.allow(
            [*NO_SECRETS, {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list", "watch"]}]
        )
        await known.until(lambda snapshot: password(snapshot, "one") == b"first")


async def test_the_keys_of_heartbeats_are_read_once_a_layer2_pool_needs_them(
    account: Account, proxy: FaultyProxy, api: Api
) -> None:
    scope = Scope(
        kinds={**SCOPE.kinds, Kind.EIP: Selection()}, versioned=frozenset({Kind.BGP_PEER}), heartbeats=True
    )
    api.create(secret("openelb-membership", "heartbeats"))
    pool = {"apiVersion": "network.kubesphere.io/v1alpha2", "kind": "Eip", "metadata": {"name": "lan"}}
    async with follow(account, proxy.url, scope) as known:
        await known.until(lambda snapshot: snapshot.has_listed(Kind.SECRET, Kind.EIP))
        assert known.snapshot.secrets == {}
        api.create({**pool, "spec": {"address": "192.0.2.0/24", "protocol": "layer2"}})
        await known.until(lambda snapshot: password(snapshot, "openelb-membership") == b"heartbeats")
        api.delete("Eip", "lan")
        await known.until(lambda snapshot: not snapshot.secrets)
