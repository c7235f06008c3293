"""A speaker at its start: what it waits for before it changes anything that runs."""

import asyncio
from pathlib import Path

from openelb_bgp.model.meta import Kind
from openelb_bgp.origin import feed, opened
from openelb_bgp.settings import FilesSettings, SpeakerSettings
from openelb_bgp.speaker import Speaker
from tests.daemons.harness.inside import run_inside
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.waiting import stays, wait_until


def test_no_cycle_runs_before_the_speaker_knows_its_machine(lan: Lan, tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    source = FilesSettings(files=tmp_path / "manifests", state=tmp_path / "state")
    settings = SpeakerSettings(source=source, node="node1", runtime_dir=tmp_path / "run")

    async def scenario() -> None:
        async with opened(source, node="node1", owner=False) as origin:
            speaker = Speaker(settings, origin)
            tasks = speaker.tasks()
            unsettled = speaker.ready()["announcers"]
            before = unsettled()
            running = [asyncio.ensure_future(one) for one in (feed(origin), tasks["loop"]())]
            try:
                await wait_until(
                    lambda: origin.store.snapshot.has_listed(Kind.EIP), within=30, what="the objects"
                )
                await stays(lambda: unsettled() == before, during=1.0, what="no cycle")
                running.append(asyncio.ensure_future(tasks["host"]()))
                await wait_until(lambda: unsettled() != before, within=30, what="the first cycle")
            finally:
                for one in running:
                    one.cancel()
                await asyncio.gather(*running, return_exceptions=True)
                await speaker.close()

    run_inside(lan.nodes[0], scenario)
