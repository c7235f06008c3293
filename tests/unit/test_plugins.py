"""Which announcers a speaker has: bgp at once, another mode's once a pool of it exists, none that is off."""

import asyncio
import contextlib
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest

from openelb_bgp import plugins
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.meta import Meta
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.plugins import GROUP, Announcers, Workplace
from openelb_bgp.ports import Announcement
from openelb_bgp.runtime.clock import SystemClock
from openelb_bgp.settings import FilesSettings, SpeakerSettings
from tests.contract.process import eventually

HERE = __name__
STARTED: list[Protocol] = []
CLOSED: list[tuple[Protocol, bool]] = []


class Quiet:
    """An announcer that only says that it runs."""

    def __init__(self, protocol: Protocol) -> None:
        self.protocol = protocol

    async def run(self) -> None:
        STARTED.append(self.protocol)
        await asyncio.Event().wait()

    def contribute(self, facts: Facts) -> Facts:
        return facts

    async def reconcile(self, snapshot: Snapshot, facts: Facts) -> Announcement:
        return Announcement(protocol=self.protocol, revision=snapshot.revision, settled=True)

    async def close(self, *, withdraw: bool) -> None:
        CLOSED.append((self.protocol, withdraw))


def bgp(workplace: Workplace) -> Quiet:
    return Quiet(Protocol.BGP)


def layer2(workplace: Workplace) -> Quiet:
    return Quiet(Protocol.LAYER2)


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Announcers for bgp and layer2, and one for vip that cannot be imported."""
    found = EntryPoints(
        [
            EntryPoint("bgp", f"{HERE}:bgp", GROUP),
            EntryPoint("layer2", f"{HERE}:layer2", GROUP),
            EntryPoint("vip", "openelb_bgp.not_there:vip", GROUP),
        ]
    )
    monkeypatch.setattr(plugins, "entry_points", found.select)
    STARTED.clear()
    CLOSED.clear()


def announcers(*, layer2: bool = True) -> Announcers:
    settings = SpeakerSettings(source=FilesSettings(files=Path("/")), node="node1", layer2=layer2)
    return Announcers(Workplace(settings, SystemClock(), lambda: None))


def with_pools(*protocols: Protocol) -> Snapshot:
    return Snapshot(eips={one: Eip(meta=Meta(name=one), ranges=(), protocol=one) for one in protocols})


def serving(found: Announcers, snapshot: Snapshot) -> list[Protocol]:
    return [one.protocol for one in found.serving(snapshot)]


def test_bgp_serves_from_the_start_and_another_once_a_pool_of_it_exists() -> None:
    found = announcers()
    assert serving(found, Snapshot()) == [Protocol.BGP]
    assert serving(found, with_pools(Protocol.LAYER2)) == [Protocol.BGP, Protocol.LAYER2]
    assert serving(found, Snapshot()) == [Protocol.BGP, Protocol.LAYER2]
    assert found.off == {}


def test_a_mode_that_is_off_is_never_asked_for_and_says_which_flag_helps() -> None:
    found = announcers(layer2=False)
    assert serving(found, with_pools(Protocol.LAYER2)) == [Protocol.BGP]
    assert found.off == {
        Protocol.LAYER2: "the speaker was started with --enable-layer2=false; start it with "
        "--enable-layer2=true"
    }


def test_a_mode_that_cannot_be_loaded_is_off_and_the_others_serve() -> None:
    found = announcers()
    assert serving(found, with_pools(Protocol.VIP, Protocol.LAYER2)) == [Protocol.BGP, Protocol.LAYER2]
    assert found.off == {Protocol.VIP: "No module named 'openelb_bgp.not_there'; see the speaker's log"}


async def test_one_that_comes_later_is_run_and_all_are_closed() -> None:
    found = announcers()
    running = asyncio.create_task(found.run())
    found.serving(with_pools(Protocol.LAYER2))
    await eventually(lambda: len(STARTED) == 2, within=5, what="both")
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await found.close(withdraw=True)
    assert STARTED == [Protocol.BGP, Protocol.LAYER2]
    assert CLOSED == [(Protocol.BGP, True), (Protocol.LAYER2, True)]
