"""A daemon that starts over manifests which it cannot read withdraws nothing that was good.

Each test announces two Services, kills `run` (its gobgpd goes on), spoils something, and starts it again over
the spoilt folder: the session is never reset, no route leaves the router's kernel, and the reason is told.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from openelb_bgp.model.meta import Kind
from tests.daemons.conftest import StartRouter
from tests.daemons.harness import kernel
from tests.daemons.harness.confs import NODE_ASN
from tests.daemons.harness.frr import Frr
from tests.daemons.harness.house import problem
from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.manifests import Object, bgp_conf, bgp_peer, eip, endpoints, service
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.openelb import OpenElb
from tests.daemons.harness.waiting import wait_until

API, WEB = "198.51.100.1", "198.51.100.2"
BROKEN = "a: [b\n"


@dataclass
class Site:
    lan: Lan
    router: Frr
    ours: OpenElb

    @property
    def routes(self) -> set[str]:
        return set(kernel.routes(self.router.namespace))

    async def settled(self, *routes: str) -> None:
        await wait_until(lambda: self.routes == set(routes), within=60, what=f"the routes {routes}")

    async def adopted(self, times: int = 2) -> None:
        """Return when the daemon that was started again has found its gobgpd and made its report."""
        await wait_until(
            lambda: len(self.ours.logged("gobgpd_adopted")) == times, within=60, what="the adoption"
        )


def routing(lan: Lan) -> tuple[Object, ...]:
    # The second router is not there: what differs by peer is tagged, and needs the export policy.
    return bgp_conf(), bgp_peer("router", lan.routers[0].v4), bgp_peer("other", "10.0.0.77")


def pool() -> Object:
    advertised = {"advertisements": [{"peers": ["router"], "communities": ["65000:7"]}, {"peers": ["other"]}]}
    return eip("pool", "198.51.100.1-198.51.100.14", default=True, bgp=advertised)


@pytest.fixture
async def site(lan: Lan, tmp_path: Path, start_router: StartRouter) -> AsyncIterator[Site]:
    """A router, and `run` over four files, killed once all is announced."""
    router = await start_router(lan.routers[0], neighbors={lan.nodes[0].v4: NODE_ASN})
    ours = OpenElb(lan.nodes[0], tmp_path)
    made = Site(lan, router, ours)
    ours.write("routing", *routing(lan))
    ours.write("pool", pool())
    ours.write("web", service("web"), endpoints("web", "node1"))
    ours.write("api", service("api"), endpoints("api", "node1"))
    ours.start()
    try:
        await ours.announced("shop/web", "shop/api")
        await made.settled(WEB, API)
        ours.daemon.end()
        yield made
    finally:
        ours.daemon.end()


@pytest.mark.parametrize("name", ["routing", "pool", "web"])
async def test_what_a_file_held_that_does_not_parse_at_the_start_goes_on(site: Site, name: str) -> None:
    whole = (site.ours.manifests / f"{name}.yaml").read_text()
    with RouteDeletions(site.router.namespace) as deletions:
        site.ours.write(name, BROKEN)
        site.ours.start()
        await site.adopted()
        await problem(site.ours, "Node node1", f"{name}.yaml:", "correct it", reason="SourceIncomplete")
        assert site.routes == {WEB, API}
        site.ours.write(name, whole)
        await wait_until(lambda: not site.ours.problems("SourceIncomplete"), within=30)
        await site.ours.announced("shop/web", "shop/api")
    assert (deletions.count, site.router.resets(site.lan.nodes[0].v4), site.routes) == (0, 0, {WEB, API})


async def test_what_was_deleted_meanwhile_goes_as_soon_as_all_can_be_read(site: Site) -> None:
    site.ours.remove("api")
    site.ours.write("routing", BROKEN)
    site.ours.start()
    await site.adopted()
    await problem(site.ours, "Node node1", "routing.yaml:", reason="SourceIncomplete")
    assert site.routes == {WEB, API}
    site.ours.write("routing", *routing(site.lan))
    await site.settled(WEB)
    assert site.router.resets(site.lan.nodes[0].v4) == 0


async def test_what_is_deleted_while_another_file_cannot_be_read_goes_at_once(site: Site) -> None:
    site.ours.write("web", BROKEN)
    site.ours.start()
    await site.adopted()
    await problem(site.ours, "Node node1", "web.yaml:", reason="SourceIncomplete")
    site.ours.remove("api")
    await site.settled(WEB)


@pytest.mark.parametrize("kind", ["BgpConf", "BgpPeer", "Eip"])
async def test_an_object_that_cannot_be_used_at_the_start_goes_on_as_it_was(site: Site, kind: str) -> None:
    conf, peer, other = routing(site.lan)
    bad = {"BgpConf": conf, "BgpPeer": peer, "Eip": pool()}
    spoilt = {"BgpConf": {"as": 0}, "BgpPeer": {"conf": {"peerAs": -1}}, "Eip": {"address": "nonsense"}}
    bad[kind]["spec"] = spoilt[kind]
    with RouteDeletions(site.router.namespace) as deletions:
        site.ours.write("routing", bad["BgpConf"], bad["BgpPeer"], other)
        site.ours.write("pool", bad["Eip"])
        site.ours.start()
        await site.adopted()
        name = bad[kind]["metadata"]["name"]
        await wait_until(
            lambda: site.ours.condition(Kind(kind), name, "Valid").get("status") == "False", within=10
        )
        site.ours.write("routing", *routing(site.lan))
        site.ours.write("pool", pool())
        await wait_until(
            lambda: site.ours.condition(Kind(kind), name, "Valid").get("status") == "True", within=10
        )
        await site.ours.announced("shop/web", "shop/api")
    assert (deletions.count, site.router.resets(site.lan.nodes[0].v4), site.routes) == (0, 0, {WEB, API})
