"""Kubeconfigs that cannot be used: one line that says which file and why."""

import json
from pathlib import Path
from typing import Any

import pytest

from openelb_bgp.kube.errors import NoAccess
from openelb_bgp.kube.kubeconfig import by_kubeconfig
from openelb_bgp.runtime.clock import SystemClock

SERVER = "https://192.0.2.1:6443"


def config(user: Any = None, **cluster: str) -> str:
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {"server": SERVER, **cluster}}],
            "users": [{"name": "u", "user": {"token": "t"} if user is None else user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
    )


def plugin(command: str, *args: str) -> str:
    version = "client.authentication.k8s.io/v1"
    return config({"exec": {"apiVersion": version, "command": command, "args": list(args)}})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ""),
        ("a: [", "while parsing"),
        ("{}", "current-context"),
        (config().replace('"current-context": "x"', '"current-context": "y"'), "name y"),
        (config(**{"certificate-authority": "/nowhere/ca.crt"}), "/nowhere/ca.crt"),
        (config(**{"certificate-authority-data": "bm9uZQ=="}), "certificates that cannot be used"),
        (config(**{"proxy-url": "http://192.0.2.9:3128"}), "proxy-url"),
        (config({"username": "admin", "password": "hunter2"}), "a user name and password"),
        (plugin("/nowhere/plugin"), "/nowhere/plugin"),
        (plugin("sh", "-c", "echo no such account >&2; exit 1"), "no such account"),
        (plugin("echo", "no JSON"), "failed to decode"),
    ],
)
async def test_what_cannot_be_used_is_told_in_one_line(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(NoAccess) as error:
        await by_kubeconfig(file, SystemClock())
    told = str(error.value)
    assert (str(file) in told, said in told) == (True, True), told
    assert "\n" not in told and "hunter2" not in told


async def test_a_cluster_without_tls_needs_no_certificates(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_text(config().replace(SERVER, "http://127.0.0.1:8001/"))
    access = await by_kubeconfig(file, SystemClock())
    assert (access.server, await access.token(), await access.tls()) == ("http://127.0.0.1:8001", "t", None)
