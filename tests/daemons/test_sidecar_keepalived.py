"""The sidecar over real keepalived: configurations checked, deaths cleaned up after, stalls ended."""

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

import pytest

from openelb_bgp.sidecar import client
from openelb_bgp.sidecar.client import Command, Dump
from openelb_bgp.sidecar.errors import DaemonMissing, OrderRefused
from openelb_bgp.sidecar.keepalived import Pulse, lacking_capabilities, vips
from openelb_bgp.sidecar.kinds import KEEPALIVED
from tests.daemons.harness.keepalived import Keepalived, addresses_of, config
from tests.daemons.harness.netns import Lan, Namespace
from tests.daemons.harness.waiting import stays, wait_until

WEB, API = "10.0.0.100", "10.0.0.101"
LONG = 60.0


@pytest.fixture
def two(new_lan: Callable[..., Lan]) -> Lan:
    return new_lan(nodes=2)


@contextlib.asynccontextmanager
async def kept_in(
    space: Namespace, folder: Path, *arguments: str, wrapper: Sequence[str] = ()
) -> AsyncIterator[Keepalived]:
    """A sidecar in that node, with nothing to do yet; it is told goodbye at the end."""
    kept = Keepalived(space, folder, *arguments, wrapper=wrapper)
    kept.sidecar.start()
    try:
        await wait_until(kept.is_there, within=LONG)
        yield kept
    finally:
        kept.sidecar.end(signal.SIGTERM)


@pytest.fixture
async def first(two: Lan, tmp_path: Path) -> AsyncIterator[Keepalived]:
    """The sidecar of the node with the higher priority."""
    async with kept_in(two.nodes[0], tmp_path) as kept:
        yield kept


@pytest.fixture
async def second(two: Lan, tmp_path: Path) -> AsyncIterator[Keepalived]:
    async with kept_in(two.nodes[1], tmp_path) as kept:
        yield kept


async def serving(kept: Keepalived) -> None:
    """Alone on its LAN, it serves WEB."""
    await kept.configure(config(kept.space, 254, [WEB]))
    await has(kept, WEB)


async def has(kept: Keepalived, *wanted: str) -> None:
    await wait_until(
        lambda: kept.addresses == set(wanted), within=LONG, what=f"{wanted} on {kept.space.name}"
    )


async def mastered(first: Keepalived, second: Keepalived) -> None:
    """Both serve WEB, the first is master."""
    await serving(first)
    await second.configure(config(second.space, 238, [WEB]))
    await wait_until(lambda: is_ready(second), within=LONG)


async def is_ready(kept: Keepalived) -> bool:
    return (await kept.order(Command.DUMP)).ready


def what_it_lives_by(dump: Dump) -> tuple[int | None, int]:
    return dump.pid, dump.restarts


async def test_it_runs_only_while_there_is_an_instance(first: Keepalived) -> None:
    assert (await first.order(Command.DUMP)).pid is None
    await serving(first)
    await first.configure("")
    await has(first)

    async def rests() -> bool:
        return (await first.order(Command.DUMP)).pid is None

    await wait_until(rests, within=LONG)


async def test_what_is_the_same_in_both_configurations_is_left_alone(first: Keepalived) -> None:
    await serving(first)
    before = await first.order(Command.DUMP)
    await first.configure(config(first.space, 254, [WEB, API]))
    await has(first, WEB, API)
    await serving(first)
    assert what_it_lives_by(await first.order(Command.DUMP)) == what_it_lives_by(before)


async def test_it_comes_before_others_for_a_processor_also_while_it_reloads(first: Keepalived) -> None:
    await serving(first)
    dump = await first.order(Command.DUMP)
    pids = [pid or 0 for pid in (dump.sidecar_pid, dump.pid, first.vrrp_pid)]
    # A reload goes back to what the parent was started with.
    nice = {os.getpriority(os.PRIO_PROCESS, pid) for pid in pids}
    assert nice == {-20}
    await first.configure(config(first.space, 254, [WEB, API]))
    await has(first, WEB, API)
    assert {os.sched_getscheduler(pid) for pid in pids} == {os.SCHED_RR}


@pytest.mark.parametrize("spoil", ["interface eth9", "virtual_router_id 0", "no_such_word"])
async def test_a_refused_configuration_is_never_loaded_and_keepalived_says_why(
    first: Keepalived, spoil: str
) -> None:
    good = config(first.space, 254, [WEB])
    await first.configure(good)
    await has(first, WEB)
    before = await first.order(Command.DUMP)
    bad = good.replace("    interface eth0\n    virtual_router_id 51\n", f"    {spoil}\n")
    with pytest.raises(OrderRefused) as refused:
        await first.configure(bad)
    assert "keepalived.conf" in str(refused.value)
    assert (first.folder / "keepalived.conf").read_text() == good
    assert what_it_lives_by(await first.order(Command.DUMP)) == what_it_lives_by(before)
    assert first.addresses == {WEB}


@pytest.mark.parametrize("who", ["parent", "vrrp", "both"])
async def test_killed_another_takes_over_and_the_stale_address_goes(
    first: Keepalived, second: Keepalived, who: str
) -> None:
    await mastered(first, second)
    dump = await first.order(Command.DUMP)
    assert dump.pid
    if who != "parent":
        os.kill(first.vrrp_pid, signal.SIGKILL)
    if who != "vrrp":
        os.kill(dump.pid, signal.SIGKILL)
    await has(second, WEB)
    await has(first)
    await wait_until(lambda: is_ready(first), within=LONG, what="another life")
    # It is back with the higher priority, and waits before it takes anything.
    await stays(lambda: first.addresses == set(), during=2.0, what="nothing on the first node")


async def test_a_stopped_one_is_killed_and_its_addresses_go(first: Keepalived, second: Keepalived) -> None:
    await mastered(first, second)
    os.kill(first.vrrp_pid, signal.SIGSTOP)
    await has(second, WEB)
    await has(first)
    assert "it is stopped" in first.sidecar.output()


async def test_a_killed_sidecar_leaves_keepalived_at_work_and_the_next_adopts_it(
    two: Lan, tmp_path: Path
) -> None:
    async with kept_in(two.nodes[0], tmp_path, "--log-file", str(tmp_path / "log")) as kept:
        await serving(kept)
        pid = (await kept.order(Command.DUMP)).pid
        kept.sidecar.end()
        await stays(lambda: kept.addresses == {WEB}, during=1.0, what="the address")
        kept.sidecar.start()
        await wait_until(kept.is_there, within=LONG)
        dump = await kept.order(Command.DUMP)
        assert (dump.pid, dump.adopted) == (pid, True)
        await kept.configure(config(kept.space, 254, [WEB, API]))
        await has(kept, WEB, API)
    assert kept.addresses == set()


async def test_what_a_dead_one_left_goes_at_the_next_start(two: Lan, tmp_path: Path) -> None:
    """A container whose PID 1 is killed takes keepalived with it, and leaves its addresses to the node."""
    async with kept_in(two.nodes[0], tmp_path, "--log-file", str(tmp_path / "log")) as kept:
        await serving(kept)
        pid, vrrp = (await kept.order(Command.DUMP)).pid, kept.vrrp_pid
        assert pid
        kept.sidecar.end()
        for one in (vrrp, pid):
            os.kill(one, signal.SIGKILL)
        assert kept.addresses == {WEB}
        (kept.folder / "keepalived.conf").unlink()
        kept.sidecar.start()
        await has(kept)


async def test_a_goodbye_leaves_nothing_and_the_next_node_has_it_at_once(
    first: Keepalived, second: Keepalived
) -> None:
    await mastered(first, second)
    first.sidecar.end(signal.SIGTERM)
    await has(second, WEB)
    assert (first.sidecar.exit_code, first.addresses) == (0, set())


async def test_an_address_that_somebody_left_is_removed_by_order_but_no_subnet(first: Keepalived) -> None:
    first.space.run("ip", "address", "add", f"{API}/32", "dev", "eth0")
    await first.order(Command.REMOVE, f"eth0 {API}/32")
    assert first.addresses == set()
    await first.order(Command.REMOVE, f"eth0 {API}/32")
    with pytest.raises(OrderRefused, match="full length"):
        await first.order(Command.REMOVE, f"eth0 {first.space.v4}/24")
    assert first.space.v4 in first.space.run("ip", "address", "show", "dev", "eth0")


async def test_a_report_tells_of_every_instance(first: Keepalived) -> None:
    await serving(first)
    await first.order(Command.REPORT)
    report = first.folder / "keepalived.json"
    await wait_until(lambda: report.exists() and "by_hand_51" in report.read_text(), within=LONG)


async def test_without_net_admin_it_says_what_is_lacking_and_how_to_get_it(two: Lan, tmp_path: Path) -> None:
    without = ("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin")
    async with kept_in(two.nodes[0], tmp_path, wrapper=without) as kept:
        await kept.configure(config(kept.space, 254, [WEB]))

        async def said() -> str:
            return "; ".join((await kept.order(Command.DUMP)).last_output)

        words = await wait_until(said, within=LONG, what="the reason")
        assert "needs the capabilities NET_ADMIN" in words
        assert "manifests/overlays/vip" in words


async def test_a_crash_loop_is_reported_with_the_last_lines(two: Lan, tmp_path: Path) -> None:
    broken = tmp_path / "keepalived"
    broken.write_text(
        '#!/bin/sh\ncase "$*" in\n*--version*) echo Keepalived v9.9 ;;\n*--config-test*) exit 0 ;;\n'
        "*--help*) ;;\n*) echo all is lost; exit 1 ;;\nesac\n"
    )
    broken.chmod(0o755)
    async with kept_in(two.nodes[0], tmp_path, "--keepalived", str(broken)) as kept:
        await kept.configure(config(kept.space, 254, [WEB]))

        async def loops() -> bool:
            return (await kept.order(Command.DUMP)).crash_loop

        await wait_until(loops, within=LONG)
        dump = await kept.order(Command.DUMP)
        assert (dump.version, dump.last_output) == ("9.9", ("all is lost",))


async def test_a_missing_program_is_named_with_its_remedy(tmp_path: Path) -> None:
    with pytest.raises(DaemonMissing, match=r"is not there: install keepalived .*--keepalived PATH"):
        await client.ensure_keepalived(tmp_path, keepalived="/opt/nowhere/keepalived")
    assert client.find(tmp_path, KEEPALIVED) is None


def test_a_process_that_wakes_up_is_well_and_one_that_does_not_is_not() -> None:
    pulse = Pulse()

    def at(now: float, switches: int, state: str = "S (sleeping)") -> str:
        status = f"Name:\tkeepalived\nState:\t{state}\nvoluntary_ctxt_switches:\t{switches}\n"
        return pulse.fault(status, now=now, patience=3.0)

    assert [at(tick / 10, 1) for tick in range(31)] == [""] * 31
    assert at(3.2, 1) == "it has not moved for 3.2 s"
    assert at(3.3, 2) == ""
    # Nobody asked for a while: the machine was suspended, and everything with it.
    assert at(60.0, 2) == ""
    assert [at(60.0 + tick / 10, 3, "T (stopped)") for tick in range(3)] == [""] * 3
    assert at(60.4, 3, "T (stopped)") == "it is stopped and advertises nothing"


def test_the_addresses_of_a_configuration_are_found_in_it(lan: Lan) -> None:
    found = vips(config(lan.nodes[0], 254, [WEB, API]))
    assert sorted(map(str, found)) == ["eth0 10.0.0.100/32", "eth0 10.0.0.101/32", "eth0 169.254.51.1/32"]


def test_capabilities_are_read_from_what_the_kernel_says() -> None:
    assert lacking_capabilities("CapEff:\t0000000000003000\n") == []
    assert lacking_capabilities("CapEff:\t0000000000002000\n") == ["NET_ADMIN"]
    assert lacking_capabilities("CapEff:\t0000000000000000\n") == ["NET_ADMIN", "NET_RAW"]


def test_nothing_is_left_on_an_interface_that_is_not_ours(lan: Lan) -> None:
    assert addresses_of(lan.nodes[0]) == set()


async def test_two_capabilities_are_all_it_takes(two: Lan, tmp_path: Path) -> None:
    """Those of manifests/components/vip, and no others: not to read what is not its own either."""
    only = ("setpriv", "--bounding-set=-all,+net_admin,+net_raw", "--inh-caps=-all")
    async with kept_in(two.nodes[0], tmp_path, wrapper=only) as kept:
        await serving(kept)
        assert kept.rights == "0000000000003000"
        kept.sidecar.send(signal.SIGTERM)
        await has(kept)
