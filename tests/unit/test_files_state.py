"""The state: what is committed stays, what is damaged stops the start, and who may have it open."""

import asyncio
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import msgspec
import pytest

from openelb_bgp.files import peek, schema
from openelb_bgp.files.database import MOST_EVENTS, Database, KeptEvent
from openelb_bgp.files.errors import AlreadyRunning, DamagedState, StateError
from openelb_bgp.files.rows import Row
from openelb_bgp.files.state import CONTROLLER, State, speaker_role
from openelb_bgp.model.meta import Kind, ObjectRef, ref
from openelb_bgp.model.statuses import (
    EipStatus,
    LoadBalancerIngress,
    LoadBalancerStatus,
    ServiceStatus,
    SpeakerStatus,
)
from openelb_bgp.ports import Event, NotWritten, StatusWrite

SPEAKER = ref(Kind.SPEAKER, "node1")
DEADLINE = 20.0


class FixedClock:
    """A clock that shows what the test says; nobody sleeps by it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()


def web(number: int = 0) -> ObjectRef:
    return ref(Kind.SERVICE, f"web-{number}", namespace="default")


def addressed(address: str) -> ServiceStatus:
    return ServiceStatus(load_balancer=LoadBalancerStatus(ingress=(LoadBalancerIngress(ip=address),)))


def give(address: str, number: int = 0) -> StatusWrite:
    return StatusWrite(ref=web(number), status=addressed(address))


def addresses(rows: Sequence[Row]) -> dict[str, str]:
    """Which Service has which address, as the rows say."""
    found = {}
    for row in rows:
        if row.status is not None:
            status = msgspec.json.decode(row.status, type=ServiceStatus)
            found[row.ref.key.name] = status.load_balancer.ingress[0].ip
    return found


def open_state(directory: Path, *, role: str = CONTROLLER, owner: bool = True) -> State:
    return State.open(directory, role=role, owner=owner, clock=FixedClock())


@asynccontextmanager
async def opened(directory: Path, *, role: str = CONTROLLER, owner: bool = True) -> AsyncIterator[State]:
    state = open_state(directory, role=role, owner=owner)
    try:
        yield state
    finally:
        await state.close()


async def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path / "new" / "state") as state:
        await state.write([give("192.0.2.1"), give("192.0.2.2", 1)])
    async with opened(tmp_path / "new" / "state") as state:
        found = await state.since(-1)
    assert addresses(found.rows) == {"web-0": "192.0.2.1", "web-1": "192.0.2.2"}


async def test_commits_are_synced_in_write_ahead_mode_and_nobody_else_can_read_them(tmp_path: Path) -> None:
    async with opened(tmp_path / "state"):
        with closing(schema.open_checked(tmp_path / "state")) as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    for name in ("state.db", "state.db.backup"):
        assert (tmp_path / "state" / name).stat().st_mode & 0o777 == 0o600


async def test_a_write_that_says_nothing_new_is_no_commit_and_tells_nobody(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        told: list[Sequence[Row]] = []
        state.listen(told.append)
        await state.write([give("192.0.2.1")])
        await state.write([give("192.0.2.1")])
        assert (await state.since(-1)).revision == 1
        assert [[row.ref for row in rows] for rows in told] == [[web()]]


async def test_one_commit_is_one_revision_and_readers_get_what_is_newer(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await state.write([give("192.0.2.1"), give("192.0.2.2", 1)])
        await state.write([give("192.0.2.3", 1)])
        newer = await state.since(1)
        assert (addresses(newer.rows), newer.revision, newer.whole) == ({"web-1": "192.0.2.3"}, 2, False)
        assert (await state.since(2)).rows == ()


async def test_labels_annotations_and_finalizers_add_up_over_writes(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        status = EipStatus()
        pool = ref(Kind.EIP, "pool")
        await state.write([StatusWrite(ref=pool, status=status, labels={"a": "1"}, remove_finalizers=("f",))])
        await state.write([StatusWrite(ref=pool, status=status, labels={"b": None}, annotations={"c": "2"})])
        [row] = (await state.since(-1)).rows
        assert (row.labels, row.annotations, row.finalizers) == ({"a": "1", "b": None}, {"c": "2"}, ("f",))


async def test_two_writes_of_one_object_in_a_batch_add_up_in_their_order(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        first = StatusWrite(ref=web(), status=addressed("192.0.2.1"), labels={"a": "1"})
        await state.write([first, give("192.0.2.2")])
        [row] = (await state.since(-1)).rows
        assert (addresses([row]), row.labels) == ({"web-0": "192.0.2.2"}, {"a": "1"})


async def test_a_report_that_is_deleted_reaches_readers_as_gone(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await state.write([StatusWrite(ref=SPEAKER, status=SpeakerStatus(), labels={"a": "1"})])
        await state.write([StatusWrite(ref=SPEAKER, status=None)])
        assert (await state.since(1)).rows == (Row(SPEAKER, None, {}, {}, (), 2),)
        await state.write([StatusWrite(ref=SPEAKER, status=None)])
        assert (await state.since(-1)).revision == 2


async def test_what_is_forgotten_is_gone_with_its_labels(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await state.write([StatusWrite(ref=web(), status=addressed("192.0.2.1"), labels={"a": "1"})])
        await state.forget([web(), web(1)])
        assert (await state.since(1)).rows == (Row(web(), None, {}, {}, (), 2),)
        await state.write([give("192.0.2.1")])
        [row] = (await state.since(2)).rows
        assert row.labels == {}


async def test_a_reader_that_missed_deletions_reads_everything_anew(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await state.write([give("192.0.2.1"), give("192.0.2.2", 1)])
        await state.forget([web()])
    async with opened(tmp_path) as state:
        late = await state.since(1)
        assert (addresses(late.rows), late.whole) == ({"web-1": "192.0.2.2"}, True)
        assert not (await state.since(2)).whole


async def test_many_writes_at_once_are_compared_and_committed_too(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        writes = [give(f"10.0.{number // 250}.{number % 250}", number) for number in range(2000)]
        await state.write(writes)
        await state.write([*writes[:-1], give("192.0.2.1", 1999)])
        newer = await state.since(1)
        assert addresses(newer.rows) == {"web-1999": "192.0.2.1"}


async def test_events_are_counted_and_only_the_latest_are_kept(tmp_path: Path) -> None:
    clock = FixedClock()
    state = State.open(tmp_path, role=CONTROLLER, owner=True, clock=clock)
    try:
        repeated = Event(ref=web(), reason="AssignIPFailed", message="no pool", warning=True)
        other = Event(ref=web(), reason="AssignIP", message="192.0.2.1")
        await state.write([], [repeated])
        clock.now = 1060.0
        await state.write([], [other, repeated])
        assert await state.events() == (
            KeptEvent(other, 1, 1060.0, 1060.0),
            KeptEvent(repeated, 2, 1000.0, 1060.0),
        )
        numbered = [Event(ref=web(n), reason="AssignIP", message="x") for n in range(MOST_EVENTS + 200)]
        await state.write([], numbered[:600])
        await state.write([], numbered[600:])
        kept = await state.events()
        assert [one.event for one in kept] == numbered[200:]
    finally:
        await state.close()


async def test_a_second_controller_is_refused_and_told_the_pid_of_the_first(tmp_path: Path) -> None:
    async with opened(tmp_path):
        with pytest.raises(AlreadyRunning, match=rf"another controller \(pid {os.getpid()}\).*--state"):
            open_state(tmp_path)
    async with opened(tmp_path):
        pass


async def test_speakers_share_the_state_with_the_controller_but_each_node_has_one(tmp_path: Path) -> None:
    async with opened(tmp_path), opened(tmp_path, role=speaker_role("node1"), owner=False):
        with pytest.raises(AlreadyRunning, match="another speaker-node1"):
            open_state(tmp_path, role=speaker_role("node1"), owner=False)
        async with opened(tmp_path, role=speaker_role("node2"), owner=False) as second:
            assert second.is_alive(speaker_role("node1"))
            assert second.is_alive(speaker_role("node2"))
        async with opened(tmp_path, role=speaker_role("node3"), owner=False) as third:
            assert not third.is_alive(speaker_role("node2"))


async def test_a_refused_start_leaves_nothing_locked(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"garbage" * 1000)
    for _ in range(2):
        with pytest.raises(StateError):
            open_state(tmp_path)
    (tmp_path / "state.db").unlink()
    async with opened(tmp_path):
        pass


async def test_names_of_nodes_and_folders_may_be_longer_than_a_socket_s_address(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["folder" * 5] * 6)
    role = speaker_role("n" * 253)
    async with opened(deep, role=role, owner=False), opened(deep) as controller:
        assert controller.is_alive(role)
        assert not controller.is_alive(role[:-1])


async def test_a_state_folder_that_cannot_be_made_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match="file/state cannot be made"):
        open_state(tmp_path / "file" / "state")


async def test_a_database_of_somebody_else_or_of_another_version_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StateError, match="is not a state of openelb-bgp"):
        open_state(tmp_path)
    (tmp_path / "state.db").unlink()
    async with opened(tmp_path):
        pass
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(StateError, match="schema 99"):
        open_state(tmp_path)


def overwritten(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096 : 3 * 4096] = b"\xa5" * (2 * 4096)
    path.write_bytes(data)


def headless(path: Path) -> None:
    path.write_bytes(b"\0" * 100 + path.read_bytes()[100:])


def halved(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def removed(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [overwritten, headless, halved, emptied, removed])
async def test_a_damaged_database_stops_the_start_and_the_command_it_names_restores_the_copy(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    directory = tmp_path / "it's a state"
    async with opened(directory) as state:
        await state.write([give(f"10.0.0.{number}", number) for number in range(200)])
    async with opened(directory):
        pass
    damage(directory / "state.db")
    for role, owner in ((CONTROLLER, True), (speaker_role("node1"), False)):
        with pytest.raises(DamagedState, match="nothing is given or announced") as refused:
            open_state(directory, role=role, owner=owner)
    command = str(refused.value).split("Z: ", 1)[1]
    restoring = await asyncio.create_subprocess_exec("/bin/sh", "-c", command)
    assert await restoring.wait() == 0
    async with opened(directory) as state:
        found = await state.since(-1)
    assert addresses(found.rows) == {f"web-{number}": f"10.0.0.{number}" for number in range(200)}
    if damage is not removed:
        assert (directory / "state.db.damaged").exists()


async def test_damage_before_there_is_a_copy_is_said_to_have_none(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(DamagedState, match="there is no copy of it"):
        open_state(tmp_path)


async def test_a_copy_that_cannot_be_made_leaves_the_one_before_it(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await state.write([give("192.0.2.1")])
    async with opened(tmp_path):
        pass
    before = (tmp_path / "state.db.backup").read_bytes()
    # A folder in the new copy's place stands for a disk that takes nothing.
    (tmp_path / "state.db.backup.new").mkdir()
    async with opened(tmp_path) as state:
        assert addresses((await state.since(-1)).rows) == {"web-0": "192.0.2.1"}
    assert (tmp_path / "state.db.backup").read_bytes() == before


WRITER = """
import asyncio, sys
from pathlib import Path
from openelb_bgp.files.state import State
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.statuses import LoadBalancerIngress, LoadBalancerStatus, ServiceStatus
from openelb_bgp.ports import NotWritten, StatusWrite
from openelb_bgp.runtime.clock import SystemClock

async def main(directory, role, owner, first, size):
    state = State.open(Path(directory), role=role, owner=owner == "True", clock=SystemClock())
    print("open", flush=True)
    number = int(first)
    while True:
        writes = []
        for number in range(number, number + int(size)):
            address = LoadBalancerIngress(ip=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
            status = ServiceStatus(load_balancer=LoadBalancerStatus(ingress=(address,)))
            name = ref(Kind.SERVICE, f"web-{number}", namespace="default")
            writes.append(StatusWrite(ref=name, status=status))
        number += 1
        try:
            await state.write(writes)
        except NotWritten as error:
            print("refused", error, flush=True)
            return
        print(number, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


@asynccontextmanager
async def writer(
    directory: Path,
    *,
    role: str = CONTROLLER,
    owner: bool = True,
    first: int = 0,
    size: int = 3,
    before: Sequence[str] = (),
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process that gives addresses without end and says after each commit how many are given."""
    arguments = [sys.executable, "-c", WRITER, str(directory), role, str(owner), str(first), str(size)]
    process = await asyncio.create_subprocess_exec(*before, *arguments, stdout=asyncio.subprocess.PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(DEADLINE):
        return (await process.stdout.readline()).decode().strip()


async def test_addresses_given_before_a_kill_are_the_same_after_it(tmp_path: Path) -> None:
    given = 0
    for commits in (1, 7, 40):
        async with writer(tmp_path, first=given) as process:
            assert await line(process) == "open"
            for _ in range(commits):
                given = int(await line(process))
            # In the midst of whichever commit it is at.
            process.send_signal(signal.SIGKILL)
            await process.wait()
        async with opened(tmp_path) as state:
            found = addresses((await state.since(-1)).rows)
        assert len(found) % 3 == 0, "a commit is written whole or not at all"
        expected = {f"web-{number}": f"10.0.{number >> 8}.{number & 255}" for number in range(len(found))}
        assert found == expected
        assert len(found) >= given
        given = len(found)


async def test_the_lock_of_a_killed_controller_is_free_and_its_socket_taken_over(tmp_path: Path) -> None:
    async with writer(tmp_path) as process:
        assert await line(process) == "open"
        with pytest.raises(AlreadyRunning, match=rf"pid {process.pid}\)"):
            open_state(tmp_path)
        process.kill()
        await process.wait()
    async with opened(tmp_path):
        assert (tmp_path / "wake" / "controller.sock").is_socket()


async def test_a_commit_of_another_process_is_heard_at_once_and_can_be_read(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        heard = asyncio.Event()
        state.listen_others(heard.set)
        async with writer(tmp_path, role=speaker_role("node1"), owner=False):
            async with asyncio.timeout(DEADLINE):
                await heard.wait()
            found = addresses((await state.since(-1)).rows)
        assert found["web-0"] == "10.0.0.0"


async def test_our_own_commit_does_not_ring_at_our_door(tmp_path: Path) -> None:
    async with opened(tmp_path) as state, opened(tmp_path, role=speaker_role("node1"), owner=False) as other:
        own, others = asyncio.Event(), asyncio.Event()
        state.listen_others(own.set)
        other.listen_others(others.set)
        await state.write([give("192.0.2.1")])
        async with asyncio.timeout(DEADLINE):
            await others.wait()
        assert not own.is_set()


async def test_a_full_disk_is_said_writes_nothing_and_what_was_there_stays(tmp_path: Path) -> None:
    # A disk of 600 KB of its own, which goes with the process that has it.
    disk = tmp_path / "disk"
    disk.mkdir()
    saved = tmp_path / "saved"
    script = f'mount -t tmpfs -o size=600k none {disk} && "$@"; cp -r {disk} {saved}'
    unshare = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    before = [*unshare, "/bin/sh", "-c", script, "sh"]
    given = 0
    async with writer(disk, size=20, before=before) as process:
        assert await line(process) == "open"
        while not (said := await line(process)).startswith("refused"):
            given = int(said)
        async with asyncio.timeout(DEADLINE):
            await process.wait()
    assert f"the state in {disk} was not written: the disk is full; make room there" in said
    assert given > 0
    async with opened(saved) as state:
        assert len((await state.since(-1)).rows) == given


async def test_a_process_that_hangs_in_a_transaction_refuses_ours_until_it_ends(tmp_path: Path) -> None:
    async with opened(tmp_path) as state:
        await state.write([give("192.0.2.1")])
        impatient = schema.connect(tmp_path / "state.db")
        impatient.execute("PRAGMA busy_timeout = 1")
        database = Database(impatient, tmp_path)
        with closing(schema.connect(tmp_path / "state.db")) as other, closing(database):
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(NotWritten, match="another process has been writing it for too long"):
                database.commit([give("192.0.2.2")], [], now=0.0)
            other.execute("ROLLBACK")
            assert [row.ref for row in database.commit([give("192.0.2.2")], [], now=0.0)] == [web()]


def test_looking_into_a_state_that_is_not_there_shows_nothing_and_makes_nothing(tmp_path: Path) -> None:
    assert peek.rows(tmp_path / "state") == ()
    assert peek.events(tmp_path / "state") == ()
    assert not (tmp_path / "state").exists()


async def test_looking_into_a_damaged_state_says_so(tmp_path: Path) -> None:
    async with opened(tmp_path):
        pass
    (tmp_path / "state.db").write_bytes(b"garbage" * 1000)
    with pytest.raises(DamagedState):
        peek.rows(tmp_path)


async def test_a_copied_state_opens_elsewhere_with_the_same_addresses(tmp_path: Path) -> None:
    async with opened(tmp_path / "one") as state:
        await state.write([give("192.0.2.1")])
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    async with opened(tmp_path / "two") as state:
        assert addresses((await state.since(-1)).rows) == {"web-0": "192.0.2.1"}
