"""Forwarding first, with a real API server: kube-proxy's word decides, and a rollout forgets nothing.

In kube-proxy's place is an HTTP server on the node.
"""

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from openelb_bgp.forwarding import KUBE_PROXY_PORT
from openelb_bgp.sidecar import client as sidecar
from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.kube_proxy import KubeProxy
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.waiting import stays, wait_until
from tests.kube.harness.control_plane import ControlPlane
from tests.kube.harness.rack import Rack

pytestmark = pytest.mark.timeout(360)


@pytest.fixture
async def rack(
    control_plane: ControlPlane, new_lan: Callable[..., Lan], tmp_path: Path, namespace: str
) -> AsyncIterator[Rack]:
    made = Rack(control_plane, new_lan(), tmp_path, namespace=namespace)
    yield made
    made.close()


@pytest.fixture
async def kube_proxy(rack: Rack) -> KubeProxy:
    """It runs, and has not programmed anything yet."""
    made = KubeProxy(rack.space)
    await made.answer(KUBE_PROXY_PORT, 503)
    return made


async def refused(rack: Rack, service: str, *words: str) -> None:
    """Return when the Service says that the node has not been seen forwarding, in these words."""

    def said() -> bool:
        if rack.api.find("Service", service, namespace=rack.namespace) is None:
            return False
        found = rack.seen.condition(rack.key(service), "Announced")
        return found.get("reason") == "ForwardingNotProven" and all(one in found["message"] for one in words)

    await wait_until(said, within=60, what=f"{service} not proven")


async def opened(rack: Rack, kube_proxy: KubeProxy) -> int:
    """Return when Services `web` and, of the policy Local, `dns` have their routes; `dns`'s health port."""
    # The route cannot come before the refusal has been seen, for which there is a minute.
    opening = asyncio.create_task(rack.open(within=120))
    await refused(rack, "web", "port 10256 answers 503", "look at kube-proxy")
    assert rack.hops("web") == []
    await kube_proxy.answer(KUBE_PROXY_PORT, 200)
    await opening
    rack.api.create(rack.service("dns", externalTrafficPolicy="Local"))
    rack.pod("dns-1", app="dns", number=11)
    port = int(rack.seen.service(rack.key("dns"))["spec"]["healthCheckNodePort"])
    await refused(rack, "dns", f"healthCheckNodePort {port}")
    await kube_proxy.answer(port, 200)
    await rack.routed("dns")
    await rack.announced("dns")
    return port


async def test_routes_come_when_kube_proxy_has_answered_and_a_rollout_costs_none(
    rack: Rack, kube_proxy: KubeProxy, tmp_path: Path
) -> None:
    port = await opened(rack, kube_proxy)
    runtime = tmp_path / "run"
    # It is being replaced too, just now.
    await kube_proxy.answer(KUBE_PROXY_PORT, 503)
    await kube_proxy.answer(port, 503)
    with RouteDeletions(rack.router.namespace) as deletions:
        rack.speaker.daemon.end(signal.SIGTERM)
        await sidecar.stop(runtime, withdraw=False)
        shutil.rmtree(runtime)
        rack.speaker.start()
        node = rack.space.v4
        await wait_until(lambda: rack.router.resets(node) == 1, within=30, what="the end of the old session")
        await wait_until(lambda: rack.router.established(node), within=60, what="the new session")
        await stays(lambda: rack.hops("web") and rack.hops("dns"), during=6, what="both routes")
    assert deletions.prefixes == ()
