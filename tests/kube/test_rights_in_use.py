"""Every right that the manifests grant is used, and nothing that our processes ask for is refused.

One node, its router, a controller and a speaker live through a day: objects with passwords, policies and
OpenELB's finalizers come, change and go. The API server's audit log says what was asked for.
"""

import signal
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from openelb_bgp.model.keys import API_VERSION
from tests.daemons.harness.manifests import bgp_peer, config_map, secret
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.openelb import Object
from tests.daemons.harness.waiting import wait_until
from tests.kube.audit import AuditLog, Right, granted
from tests.kube.harness.control_plane import ControlPlane
from tests.kube.harness.ours import controller
from tests.kube.harness.rack import Rack
from tests.kube.openelb_install import FINALIZER
from tests.kube.rendered import BASE, one, rendered

pytestmark = pytest.mark.timeout(300)

OURS = "openelb-system"
SOON = 90.0

_AGAIN = Right("patch", "events")
"""An Event of a kind that was told before is counted with the first."""

UNUSED = {
    "openelb-controller": {
        # Asked when what the Role says is changed, beside the patch.
        Right("escalate", "roles", OURS),
        # Before the certificate ends.
        Right("update", "secrets", OURS),
        # With pools of layer2 or vip: whether kube-proxy's IPVS answers for every address.
        Right("list", "configmaps", "kube-system"),
        Right("watch", "configmaps", "kube-system"),
    },
    "openelb-speaker": {
        # With --withdraw-on-exit, which takes its report away.
        Right("delete", "speakers"),
        # Asked beside the patch that makes it, which is how server-side apply creates.
        Right("create", "speakers"),
        # Nothing happens here of which a speaker tells that way.
        Right("create", "events"),
    },
}
"""What a day does not bring."""
NOT_YET = {Right("list", "secrets", OURS)}
"""A Secret that a BgpPeer names is asked for at once, and granted a moment later."""


@pytest.fixture
def audit(own_control_plane: ControlPlane, tmp_path: Path) -> AuditLog:
    log = AuditLog(tmp_path)
    # The controller-manager does not survive an API server that goes while it starts.
    own_control_plane.controller_manager.end()
    own_control_plane.api_server.end(signal.SIGTERM)
    own_control_plane.start_api_server(*log.flags)
    own_control_plane.start_controller_manager()
    return log


@pytest.fixture
async def rack(
    own_control_plane: ControlPlane, audit: AuditLog, new_lan: Callable[..., Lan], tmp_path: Path
) -> AsyncIterator[Rack]:
    made = Rack(own_control_plane, new_lan(), tmp_path, namespace="default")
    own_control_plane.api.create(one(rendered(BASE), "ValidatingWebhookConfiguration", "openelb-admission"))
    made.controller = controller(
        own_control_plane, tmp_path, f"--webhook-port={_free_port()}", "--speaker-burial-after=5"
    )
    try:
        await made.open()
        yield made
    finally:
        made.close()


async def test_what_is_granted_is_what_is_asked_for(rack: Rack, audit: AuditLog) -> None:
    await _a_day(rack)
    for account in UNUSED:
        asked, allowed = audit.asked(account), granted(rack.api, account)
        assert audit.refused(account) <= NOT_YET, account
        assert allowed - asked - {_AGAIN} == UNUSED[account], account
        assert asked - allowed == set(), account


async def _a_day(rack: Rack) -> None:
    api = rack.api
    api.create(secret("passwords", router="sesame"))
    api.create(config_map("policy", gobgp_conf=""))
    api.create(_marked(bgp_peer("other", "10.0.0.99", conf=_password("passwords"))))
    api.patch("BgpConf", "default", {"spec": {"policy": "policy"}, **_finalizer()})
    api.patch("Eip", "pool", _finalizer())
    api.create(_marked(rack.service("marked")))
    marked = (("BgpPeer", "other"), ("BgpConf", "default"), ("Eip", "pool"), ("Service", "marked"))

    def freed() -> bool:
        found = (api.get(kind, name, namespace="default")["metadata"] for kind, name in marked)
        return not any(FINALIZER in one.get("finalizers", ()) for one in found)

    await wait_until(freed, within=SOON, what="objects without finalizers")
    api.create({"apiVersion": API_VERSION, "kind": "Speaker", "metadata": {"name": "gone"}})
    await wait_until(lambda: api.find("Speaker", "gone") is None, within=SOON, what="a burial")


def _marked(obj: Object) -> Object:
    obj["metadata"]["finalizers"] = [FINALIZER]
    return obj


def _finalizer() -> Object:
    return {"metadata": {"finalizers": [FINALIZER]}}


def _password(name: str) -> Object:
    return {"authPasswordSecretRef": {"name": name, "key": "router"}}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        found: int = probe.getsockname()[1]
        return found
