"""A state that is taken away under the processes that use it: nothing is given that nobody would remember."""

import asyncio
import shutil
from pathlib import Path

import pytest

from openelb_bgp.files.errors import DamagedState
from openelb_bgp.files.state import CONTROLLER, State, speaker_role
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.statuses import LoadBalancerIngress, LoadBalancerStatus, ServiceStatus
from openelb_bgp.ports import NotWritten, StatusWrite
from openelb_bgp.runtime.clock import SystemClock


def give(address: str) -> StatusWrite:
    ingress = (LoadBalancerIngress(ip=address),)
    status = ServiceStatus(load_balancer=LoadBalancerStatus(ingress=ingress))
    return StatusWrite(ref=ref(Kind.SERVICE, f"web-{address}", namespace="shop"), status=status)


def open_state(directory: Path, role: str = CONTROLLER) -> State:
    return State.open(directory, role=role, owner=role == CONTROLLER, clock=SystemClock())


async def test_a_state_that_was_deleted_takes_no_write_and_the_next_start_is_told_how_to_restore_it(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "state"
    state, speaker = open_state(directory), open_state(directory, speaker_role("node1"))
    await state.write([give("192.0.2.1")])
    shutil.rmtree(directory)
    with pytest.raises(NotWritten, match="was deleted or moved away while it was in use"):
        await state.write([give("192.0.2.2")])
    await speaker.check()
    assert "all that it held was saved there" in state.problem
    assert speaker.problem == state.problem
    assert [str(row.ref) for row in (await state.since(-1)).rows] == ["Service shop/web-192.0.2.1"]
    for each in (state, speaker):
        await each.close()
    with pytest.raises(DamagedState, match="is missing; nothing is given or announced") as refused:
        open_state(directory)
    restoring = await asyncio.create_subprocess_exec("/bin/sh", "-c", str(refused.value).split("Z: ", 1)[1])
    assert await restoring.wait() == 0
    again = open_state(directory)
    assert [str(row.ref) for row in (await again.since(-1)).rows] == ["Service shop/web-192.0.2.1"]
    await again.close()


async def test_a_state_that_was_replaced_takes_no_write_either(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    state = open_state(directory)
    directory.rename(tmp_path / "elsewhere")
    other = open_state(directory)
    with pytest.raises(NotWritten, match="was replaced by another file while it was in use"):
        await state.write([give("192.0.2.1")])
    await other.write([give("192.0.2.9")])
    for each in (state, other):
        await each.close()


async def test_a_state_that_is_moved_back_goes_on(tmp_path: Path) -> None:
    directory, elsewhere = tmp_path / "state", tmp_path / "elsewhere"
    state = open_state(directory)
    directory.rename(elsewhere)
    await state.check()
    assert state.problem
    shutil.rmtree(directory)
    elsewhere.rename(directory)
    await state.check()
    assert state.problem == ""
    await state.write([give("192.0.2.1")])
    await state.close()
