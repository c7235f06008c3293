"""The layer2 announcer on a real LAN: the same promises; only nobody answers once its process has ended."""

from collections.abc import AsyncIterator

import msgspec
import pytest

from tests.contract.announcers import AnnouncerContract
from tests.contract.lan import LanStage, entered
from tests.contract.world import prefixes
from tests.daemons.harness.netns import make_lan, sweep

pytestmark = pytest.mark.asyncio(loop_factories=["real"])


class TestLayer2(AnnouncerContract):
    """Held on veth interfaces in namespaces."""

    @pytest.fixture
    async def stage(self) -> AsyncIterator[LanStage]:
        sweep()
        lan = make_lan(routers=0, nodes=2)
        try:
            with entered(lan.nodes[0]):
                stage = LanStage(lan)
                await stage.begin()
                yield stage
        finally:
            lan.remove()

    async def test_nothing_is_let_go_before_everything_has_been_listed(self, stage: LanStage) -> None:
        async with stage.process(resync=0.0).running() as speaker:
            await speaker.settle(stage.cluster(range(5)))
            await self.outside(stage, range(5))
            whole = stage.cluster(())
            for kind in sorted(whole.listed):
                await speaker.look(msgspec.structs.replace(whole, listed=frozenset({kind})))
            assert await stage.announced() == prefixes(range(5))
            await speaker.settle(whole)
            await self.outside(stage, ())

    async def test_when_its_process_ends_nobody_answers(self, stage: LanStage) -> None:
        """Who comes next has been told by a goodbye; two that answer would be worse than none."""
        async with stage.process().running() as speaker:
            await speaker.settle(stage.cluster(range(5)))
            await self.outside(stage, range(5))
        assert await stage.announced() == set()
