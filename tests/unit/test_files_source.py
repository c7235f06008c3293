"""The whole source on a real folder and a real state: what is delivered when something changes.

Waits for deliveries with a deadline, never for time to pass.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from openelb_bgp.files.errors import FilesError
from openelb_bgp.files.source import FilesSource, Intervals
from openelb_bgp.files.state import CONTROLLER, State, speaker_role
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.meta import Key, Kind, Meta, ObjectRef, ref
from openelb_bgp.model.services import Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import (
    LoadBalancerIngress,
    LoadBalancerStatus,
    ServiceStatus,
    SpeakerStatus,
)
from openelb_bgp.ports import StatusWrite
from openelb_bgp.runtime.clock import SystemClock
from openelb_bgp.runtime.store import Store

DEADLINE = 20.0
WEB = ref(Kind.SERVICE, "web", namespace="default")
SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {type: LoadBalancer}
"""
EIP = """
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {name: %s}
spec: {address: 192.0.2.0/24}
"""
QUICK = Intervals(poll=0.05, rescan=0.05, rescan_blind=0.05, burial=0.2, doubt=0.1)
# Longer than any test: what happens in its time was noticed, not found by looking again.
NOTICED = Intervals(poll=1000.0, rescan=1000.0, rescan_blind=1000.0, burial=1000.0, doubt=1000.0)


class Follower:
    """A consumer of a source, as a daemon is one: the store, and somebody who waits for it."""

    def __init__(self, source: FilesSource, state: State, changed: asyncio.Event) -> None:
        self.source = source
        self.state = state
        self.store = Store()
        self._changed = changed

    @property
    def snapshot(self) -> Snapshot:
        return self.store.snapshot

    async def follow(self) -> None:
        async for batch in self.source.deliveries():
            self.store.apply(batch)
            self._changed.set()

    async def until(self, holds: Callable[[Snapshot], object]) -> Snapshot:
        """Wait until the snapshot is as wanted."""
        async with asyncio.timeout(DEADLINE):
            while not holds(self.snapshot):
                self._changed.clear()
                await self._changed.wait()
        return self.snapshot


class Place:
    """A folder of manifests with a state beside it."""

    def __init__(self, path: Path) -> None:
        self.manifests = path / "manifests"
        self.state = path / "state"
        self.manifests.mkdir()

    def write(self, name: str, text: str) -> Path:
        """Put a file there at once, as an editor does: by renaming it."""
        temporary = self.manifests / f".{name}.new"
        temporary.write_text(text)
        return temporary.rename(self.manifests / name)

    @asynccontextmanager
    async def followed(
        self,
        *,
        role: str = CONTROLLER,
        owner: bool = True,
        intervals: Intervals = NOTICED,
        own_node: Node | None = None,
    ) -> AsyncIterator[Follower]:
        clock = SystemClock()
        state = State.open(self.state, role=role, owner=owner, clock=clock)
        changed = asyncio.Event()
        source = FilesSource(
            self.manifests, state, clock, own_node=own_node, on_problem=changed.set, intervals=intervals
        )
        follower = Follower(source, state, changed)
        task = asyncio.create_task(follower.follow())
        try:
            first = asyncio.create_task(follower.until(lambda snapshot: snapshot.listed))
            await asyncio.wait([first, task], return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                first.cancel()
                await task
            await first
            yield follower
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await state.close()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def give(address: str, of: ObjectRef = WEB) -> StatusWrite:
    status = ServiceStatus(load_balancer=LoadBalancerStatus(ingress=(LoadBalancerIngress(ip=address),)))
    return StatusWrite(ref=of, status=status)


def web(snapshot: Snapshot) -> Service:
    return snapshot.services[Key("default", "web")]


def addresses(snapshot: Snapshot) -> tuple[object, ...]:
    return web(snapshot).addresses if Key("default", "web") in snapshot.services else ()


def pools(*names: str) -> Callable[[Snapshot], bool]:
    return lambda snapshot: snapshot.eips.keys() == set(names)


async def test_everything_is_listed_first(place: Place) -> None:
    place.write("a.yaml", EIP % "pool")
    async with place.followed() as follower:
        assert follower.snapshot.listed == frozenset(Kind)
        assert follower.snapshot.eips.keys() == {"pool"}


async def test_a_folder_that_does_not_exist_stops_the_start(place: Place) -> None:
    place.manifests.rmdir()
    with pytest.raises(FilesError, match="is not a folder"):
        async with place.followed():
            pass


async def test_files_that_come_change_and_go_are_noticed_by_themselves(place: Place) -> None:
    async with place.followed() as follower:
        file = place.write("a.yaml", EIP % "pool")
        await follower.until(pools("pool"))
        place.write("a.yaml", EIP % "other")
        await follower.until(pools("other"))
        file.unlink()
        await follower.until(pools())


async def test_a_file_written_in_place_is_read_when_its_writer_is_done(place: Place) -> None:
    place.write("a.yaml", EIP % "pool")
    async with place.followed() as follower:
        with (place.manifests / "a.yaml").open("w") as file:
            text = EIP % "pool" + "---" + EIP % "more"
            file.write(text[:90])
            file.flush()
            # Another file's change is delivered meanwhile, so the source did look.
            place.write("b.yaml", EIP % "other")
            snapshot = await follower.until(pools("pool", "other"))
            assert snapshot.invalid == {}
            assert follower.source.problems == ()
            file.write(text[90:])
        await follower.until(pools("pool", "other", "more"))


async def test_a_file_that_stops_parsing_keeps_its_objects_and_is_reported_until_it_is_repaired(
    place: Place,
) -> None:
    place.write("a.yaml", EIP % "pool")
    async with place.followed() as follower:
        with capture_logs() as logs:
            place.write("a.yaml", "kind: [\n")
            await follower.until(lambda _: follower.source.problems)
            [problem] = follower.source.problems
            assert str(problem).startswith("a.yaml:2:1: does not parse: ")
            assert follower.snapshot.eips.keys() == {"pool"}
            place.write("a.yaml", EIP % "pool" + "---" + EIP % "more")
            await follower.until(pools("pool", "more"))
        assert follower.source.problems == ()
    assert [entry["event"] for entry in logs] == ["manifest_problem", "manifest_problem_solved"]


async def test_sub_folders_that_come_and_go_are_followed_with_what_is_in_them(
    place: Place, tmp_path: Path
) -> None:
    async with place.followed() as follower:
        deep = place.manifests / "sub" / "deeper"
        deep.mkdir(parents=True)
        (deep / "a.yaml").write_text(EIP % "pool")
        await follower.until(pools("pool"))
        (deep / "b.yaml").write_text(EIP % "other")
        await follower.until(pools("pool", "other"))
        (place.manifests / "sub").rename(tmp_path / "away")
        await follower.until(pools())
        (tmp_path / "away").rename(place.manifests / "back")
        await follower.until(pools("pool", "other"))
        (place.manifests / "back" / "deeper" / "a.yaml").unlink()
        await follower.until(pools("other"))


async def test_a_folder_that_vanishes_and_returns_withdraws_nothing(place: Place, tmp_path: Path) -> None:
    place.write("a.yaml", EIP % "pool")
    async with place.followed() as follower:
        place.manifests.rename(tmp_path / "away")
        await follower.until(lambda _: follower.source.problems)
        assert follower.source.problems[0].problem == "the folder is gone"
        assert follower.snapshot.eips.keys() == {"pool"}
        (tmp_path / "away").rename(place.manifests)
        await follower.until(lambda _: not follower.source.problems)
        assert follower.snapshot.eips.keys() == {"pool"}
        place.write("b.yaml", EIP % "other")
        await follower.until(pools("pool", "other"))


async def test_a_configmap_volume_is_followed_when_kubelet_switches_it(place: Place) -> None:
    for version, name in (("..1", "pool"), ("..2", "other")):
        (place.manifests / version).mkdir()
        (place.manifests / version / "a.yaml").write_text(EIP % name)
    (place.manifests / "..data").symlink_to("..1")
    (place.manifests / "a.yaml").symlink_to("..data/a.yaml")
    async with place.followed() as follower:
        await follower.until(pools("pool"))
        (place.manifests / "..data_tmp").symlink_to("..2")
        (place.manifests / "..data_tmp").rename(place.manifests / "..data")
        await follower.until(pools("other"))


async def test_what_the_kernel_does_not_tell_is_found_by_looking_again(place: Place, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.yaml").write_text(EIP % "pool")
    (place.manifests / "a.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    async with place.followed(intervals=QUICK) as follower:
        (tmp_path / "elsewhere.yaml").write_text(EIP % "other")
        await follower.until(pools("other"))


async def test_a_commit_reads_over_the_manifest_at_once(place: Place) -> None:
    place.write("a.yaml", SERVICE)
    async with place.followed() as follower:
        await follower.state.write([give("192.0.2.7")])
        snapshot = await follower.until(addresses)
        assert addresses(snapshot) == (IPv4Address("192.0.2.7"),)
        assert snapshot.revision == 1


async def test_two_processes_see_each_other_s_commits_without_waiting_for_a_poll(place: Place) -> None:
    place.write("a.yaml", SERVICE)
    role = speaker_role("node1")
    async with place.followed() as controller, place.followed(role=role, owner=False) as speaker:
        await controller.state.write([give("192.0.2.7")])
        await speaker.until(addresses)
        report = StatusWrite(ref=ref(Kind.SPEAKER, "node1"), status=SpeakerStatus(applied_revision=1))
        await speaker.state.write([report])
        snapshot = await controller.until(lambda snapshot: snapshot.speakers)
        assert snapshot.speakers["node1"].status == SpeakerStatus(applied_revision=1)
        assert snapshot.speakers["node1"].ready
        # A Speaker's own report does not move the revision that it reports.
        assert (snapshot.revision, speaker.snapshot.revision) == (1, 1)


async def test_commits_of_two_processes_in_turn_end_the_same_in_both(place: Place) -> None:
    place.write("a.yaml", SERVICE)
    role = speaker_role("node1")
    speaker_ref = ref(Kind.SPEAKER, "node1")
    async with place.followed() as controller, place.followed(role=role, owner=False) as speaker:
        for number in range(1, 30):
            report = StatusWrite(ref=speaker_ref, status=SpeakerStatus(applied_revision=number))
            await asyncio.gather(
                controller.state.write([give(f"192.0.2.{number}")]), speaker.state.write([report])
            )

        def ended(snapshot: Snapshot) -> bool:
            reported = snapshot.speakers.get("node1")
            return (
                addresses(snapshot) == (IPv4Address("192.0.2.29"),)
                and reported is not None
                and reported.status.applied_revision == 29
            )

        await controller.until(ended)
        await speaker.until(ended)
        assert controller.snapshot == speaker.snapshot


async def test_a_speaker_whose_process_is_gone_is_not_ready_and_deleted_later(place: Place) -> None:
    role = speaker_role("node1")
    async with place.followed(intervals=QUICK) as controller:
        async with place.followed(role=role, owner=False) as speaker:
            await speaker.state.write([StatusWrite(ref=ref(Kind.SPEAKER, "node1"), status=SpeakerStatus())])
            await controller.until(
                lambda snapshot: [one.ready for one in snapshot.speakers.values()] == [True]
            )
        await controller.until(lambda snapshot: [one.ready for one in snapshot.speakers.values()] == [False])
        await controller.until(lambda snapshot: not snapshot.speakers)


async def test_the_status_of_a_deleted_object_does_not_come_back_with_it(place: Place) -> None:
    file = place.write("a.yaml", EIP % "pool" + "---" + SERVICE)
    async with place.followed() as follower:
        await follower.state.write([give("192.0.2.7")])
        await follower.until(addresses)
        place.write("a.yaml", EIP % "pool")
        await follower.until(lambda snapshot: not snapshot.services)
        assert [row.is_gone for row in (await follower.state.since(-1)).rows] == [True]
        place.write("a.yaml", file.read_text() + "---" + SERVICE)
        snapshot = await follower.until(lambda snapshot: snapshot.services)
        assert addresses(snapshot) == ()


async def test_a_status_written_for_an_object_that_has_just_gone_is_forgotten_at_once(place: Place) -> None:
    place.write("a.yaml", EIP % "pool")
    async with place.followed() as follower:
        await follower.state.write([give("192.0.2.7")])
        place.write("b.yaml", EIP % "other")
        await follower.until(pools("pool", "other"))
        assert [row.is_gone for row in (await follower.state.since(-1)).rows] == [True]


async def test_what_was_deleted_while_nothing_ran_is_forgotten_at_the_start(place: Place) -> None:
    place.write("a.yaml", EIP % "pool" + "---" + SERVICE)
    async with place.followed() as follower:
        await follower.state.write([give("192.0.2.7")])
    place.write("a.yaml", EIP % "pool")
    async with place.followed() as follower:
        assert follower.snapshot.services == {}
        assert [row.is_gone for row in (await follower.state.since(-1)).rows] == [True]


async def test_a_restart_with_a_broken_file_gives_its_addresses_to_nobody_else(place: Place) -> None:
    place.write("a.yaml", SERVICE)
    place.write("b.yaml", EIP % "pool")
    async with place.followed() as follower:
        await follower.state.write([give("192.0.2.7")])
    place.write("a.yaml", SERVICE.replace("{name", "{{name"))
    async with place.followed(intervals=QUICK) as follower:
        assert addresses(follower.snapshot) == (IPv4Address("192.0.2.7"),)
        place.write("a.yaml", SERVICE)
        await follower.until(lambda _: not follower.source.problems)
        assert addresses(follower.snapshot) == (IPv4Address("192.0.2.7"),)
        place.write("a.yaml", EIP % "other")
        await follower.until(lambda snapshot: not snapshot.services)


async def test_that_manifests_were_never_read_is_told_until_they_are(place: Place) -> None:
    place.write("bad.yaml", "a: [b\n")
    async with place.followed() as follower:
        told = follower.snapshot.unseen
        place.write("bad.yaml", EIP % "west")
        await follower.until(lambda snapshot: not snapshot.unseen)
        place.write("bad.yaml", "a: [b\n")
        await follower.until(lambda _: follower.source.problems)
        assert follower.snapshot.unseen == ""
    assert told.startswith("what some manifests hold has never been read: bad.yaml:2:1: does not parse")


async def test_an_empty_folder_at_the_start_gives_no_address_away(place: Place) -> None:
    file = place.write("a.yaml", SERVICE)
    async with place.followed() as follower:
        await follower.state.write([give("192.0.2.7")])
    text = file.read_text()
    file.unlink()
    async with place.followed() as follower:
        assert addresses(follower.snapshot) == (IPv4Address("192.0.2.7"),)
        place.write("b.yaml", EIP % "pool")
        await follower.until(pools("pool"))
        place.write("a.yaml", text)
        await follower.until(lambda _: follower.source.location(WEB))
        assert addresses(follower.snapshot) == (IPv4Address("192.0.2.7"),)


async def test_the_own_node_is_there_and_can_change(place: Place) -> None:
    async with place.followed(own_node=Node(meta=Meta(name="node1"))) as follower:
        assert follower.snapshot.nodes.keys() == {"node1"}
        follower.source.set_own_node(Node(meta=Meta(name="node1"), addresses=(IPv4Address("192.0.2.1"),)))
        await follower.until(lambda snapshot: snapshot.nodes["node1"].addresses)


async def test_each_object_has_a_place(place: Place) -> None:
    place.write("a.yaml", EIP % "pool" + "---" + SERVICE)
    async with place.followed() as follower:
        places = {str(of): str(where) for of, where in follower.source.locations.items()}
    assert places == {"Eip pool": "a.yaml:2", "Service default/web": "a.yaml:7"}


async def test_a_file_too_large_to_be_read_in_passing_is_read_all_the_same(place: Place) -> None:
    async with place.followed() as follower:
        place.write("a.yaml", "---".join(EIP % f"pool-{number}" for number in range(1000)))
        await follower.until(lambda snapshot: len(snapshot.eips) == 1000)
