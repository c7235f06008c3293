"""A world that is not as a daemon needs it: a taken port, a strange gobgpd, a full disk."""

import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from openelb_bgp.model.meta import Kind
from tests.daemons.conftest import StartRouter
from tests.daemons.harness import kernel
from tests.daemons.harness.confs import NODE_ASN
from tests.daemons.harness.gobgp import NEW, gobgpd_binary
from tests.daemons.harness.house import WEB, problem
from tests.daemons.harness.manifests import cluster, endpoints, service
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.openelb import OpenElb
from tests.daemons.harness.processes import Daemon
from tests.daemons.harness.waiting import stays, wait_until

LATE = "198.51.100.2"
LISTENS = "import socket, sys, time; s = socket.create_server(('', int(sys.argv[1]))); time.sleep(600)"
OTHER_GRPC = """
import sys, time
from concurrent.futures import ThreadPoolExecutor
import grpc
server = grpc.server(ThreadPoolExecutor(2))
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
time.sleep(600)
"""


@pytest.fixture
def new(lan: Lan, tmp_path: Path) -> Callable[..., OpenElb]:
    """Makes processes of ours in one node, over one folder of manifests and one state."""

    def make(*arguments: str, **settings: Any) -> OpenElb:
        made = OpenElb(lan.nodes[0], tmp_path, *arguments, **settings)
        made.write("good", *cluster(lan))
        return made

    return make


@contextmanager
def squatter(lan: Lan, folder: Path, code: str, port: int) -> Iterator[Daemon]:
    """Another program that listens on a port of the node."""
    node = lan.nodes[0]
    program = Daemon(node.argv(sys.executable, "-c", code, str(port)), log=folder / "squatter.log")
    program.start()
    try:
        yield program
    finally:
        program.end()


async def listening(lan: Lan, port: int) -> None:
    node = lan.nodes[0]
    await wait_until(
        lambda: f":{port} " in node.run("ss", "-H", "-tln"), within=30, what=f"port {port} taken"
    )


async def test_a_bgp_port_that_is_taken_is_told_with_who_has_it_and_mends_itself(
    lan: Lan, tmp_path: Path, new: Callable[..., OpenElb]
) -> None:
    ours = new()
    with squatter(lan, tmp_path, LISTENS, 179) as program:
        await listening(lan, 179)
        ours.start()
        said = await problem(ours, "BgpConf default", "179", reason="ListenPortTaken", within=60)
        assert str(program.pids[0]) in said
        await wait_until(
            lambda: _ready(ours, Kind.BGP_CONF, "default").get("reason") == "ListenPortTaken", within=5
        )
        await wait_until(lambda: _ready(ours, Kind.EIP, "pool").get("status") == "False", within=30)
        assert ours.http("/readyz")[0] == 503
        assert ours.addresses("shop/web") == [WEB]
    await wait_until(lambda: ours.http("/readyz")[0] == 200, within=60, what="BGP once the port is free")
    await wait_until(
        lambda: "BgpConf default" not in ours.problems(), within=30, what="the end of the problem"
    )
    assert ours.daemon.alive


@pytest.mark.parametrize(("code", "reason"), [(OTHER_GRPC, "SidecarUnknownApi"), (LISTENS, "SidecarDown")])
async def test_what_is_no_gobgpd_is_told_and_addresses_are_given_all_the_same(
    lan: Lan, tmp_path: Path, new: Callable[..., OpenElb], code: str, reason: str
) -> None:
    ours = new("--gobgp-target", "127.0.0.1:50051")
    with squatter(lan, tmp_path, code, 50051):
        await listening(lan, 50051)
        ours.start()
        said = await problem(ours, "gobgpd", "127.0.0.1:50051", reason=reason, within=30)
        await wait_until(lambda: ours.logged("gobgpd_lost"), within=30, what="a line in the log")
        await wait_until(lambda: _ready(ours, Kind.EIP, "pool").get("reason") == reason, within=30)
        assert said in _ready(ours, Kind.EIP, "pool")["message"]
        assert ours.http("/readyz")[0] == 503
        assert ours.addresses("shop/web") == [WEB]
    assert ours.terminate() == 0


async def test_a_gobgpd_that_is_missing_is_told_and_found_once_it_is_there(
    lan: Lan, tmp_path: Path, new: Callable[..., OpenElb]
) -> None:
    binary = tmp_path / "gobgpd"
    ours = new("--gobgpd", str(binary), "--resync", "1")
    ours.start()
    await problem(ours, "gobgpd", str(binary), reason="SidecarDown", within=60)
    binary.symlink_to(gobgpd_binary(NEW))
    await wait_until(lambda: ours.http("/readyz")[0] == 200, within=60, what="gobgpd found")
    assert ours.terminate() == 0


async def test_a_full_disk_holds_up_new_addresses_and_nothing_else(
    lan: Lan, tmp_path: Path, start_router: StartRouter
) -> None:
    node, leaf = lan.nodes[0], lan.routers[0]
    router = await start_router(leaf, neighbors={node.v4: NODE_ASN})
    ours = OpenElb(node, tmp_path, disk="1m")
    ours.write("good", *cluster(lan))
    ours.start()
    await wait_until(lambda: kernel.next_hops(leaf, WEB) == [node.v4], within=60, what="the route to web")
    with ballast(Path(f"/proc/{ours.daemon.pids[0]}/root{ours.state}")):
        ours.write("late", service("late"), endpoints("late", "node1"))
        failed = await wait_until(lambda: ours.logged("cycle_failed"), within=30, what="a line in the log")
        assert "the disk is full; make room there" in failed[0]["error"]
        code, said = ours.http("/readyz")
        assert (code, "the disk is full" in said) == (503, True)
        # Nothing is announced of which nobody would know after a crash, and what is announced stays.
        await stays(lambda: kernel.routes(leaf).keys() == {WEB}, during=1, what="the one route")
        # A storm of failures is not a storm of lines.
        assert len(ours.logged("cycle_failed")) == 1
    await wait_until(
        lambda: kernel.routes(leaf).keys() == {WEB, LATE}, within=60, what="the late one's route"
    )
    await wait_until(lambda: ours.logged("cycle_recovered"), within=30, what="the end of it in the log")
    assert router.resets(node.v4) == 0
    assert ours.terminate() == 0


@contextmanager
def ballast(folder: Path) -> Iterator[None]:
    """The file system of a folder, filled to the last byte."""
    file = folder / "ballast"
    with file.open("wb", buffering=0) as handle:
        for size in (4096, 1):
            try:
                while True:
                    handle.write(b"\0" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC
    try:
        yield
    finally:
        file.unlink()


def _ready(ours: OpenElb, kind: Kind, name: str) -> dict[str, str]:
    return dict(ours.condition(kind, name, "Ready"))
