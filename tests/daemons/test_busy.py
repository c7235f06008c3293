"""Real listeners and connections of other processes, as this node sees them."""

import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from openelb_bgp.host.busy import Connection, Listener, OthersBgp, Owner, listener_on, others_bgp
from openelb_bgp.sidecar.hangup import sockets
from tests.daemons.harness.inside import call_inside
from tests.daemons.harness.netns import Lan, Namespace

LISTEN = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
one = socket.create_server((sys.argv[1], 179), family=family)
print("listening", flush=True)
held = one.accept()
print("accepted", flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def other_process(space: Namespace, address: str) -> Iterator[subprocess.Popen[str]]:
    """A process inside that listens on port 179, and says when it has accepted a connection."""
    argv = space.argv(sys.executable, "-c", LISTEN, address)
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        wait_for(process, "listening")
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == f"{word}\n"


def command_of(pid: int) -> Owner:
    comm = subprocess.run(["ps", "-o", "comm=", "-p", str(pid)], capture_output=True, text=True, check=True)
    return Owner(pid, comm.stdout.strip())


@pytest.mark.parametrize("address", ["0.0.0.0", "127.0.0.1", "::", "::1"])
def test_finds_who_listens_on_the_port(lan: Lan, address: str) -> None:
    node = lan.nodes[0]
    with other_process(node, address) as process:
        assert call_inside(node, lambda: listener_on(179)) == Listener(
            ip_address(address), 179, command_of(process.pid)
        )
        assert call_inside(node, lambda: listener_on(179, exclude_pids={process.pid})) is None
        assert call_inside(node, lambda: listener_on(1790)) is None
        assert call_inside(lan.routers[0], lambda: listener_on(179)) is None
    assert call_inside(node, lambda: listener_on(179)) is None


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_finds_a_bgp_connection_whoever_opened_it_and_leaves_out_our_own(
    lan: Lan, family: socket.AddressFamily
) -> None:
    node, router = lan.nodes[0], lan.routers[0]
    here, there = (node.v4, router.v4) if family is socket.AF_INET else (node.v6, router.v6)
    with (
        other_process(node, here) as process,
        call_inside(router, lambda: socket.create_connection((here, 179), timeout=5)) as opened,
    ):
        # Until it is accepted, a connection belongs to nobody. Its socket is made after the listener's.
        wait_for(process, "accepted")
        port = opened.getsockname()[1]
        accepted = Connection(
            peer=ip_address(there),
            peer_port=port,
            local=ip_address(here),
            local_port=179,
            inode=max(sockets(process.pid)),
            owner=command_of(process.pid),
        )
        dialled = Connection(
            peer=ip_address(here),
            peer_port=179,
            local=ip_address(there),
            local_port=port,
            inode=os.fstat(opened.fileno()).st_ino,
            owner=command_of(os.getpid()),
        )
        assert call_inside(node, lambda: others_bgp(())) == OthersBgp((accepted,), listens=True)
        assert call_inside(node, lambda: others_bgp(sockets(process.pid))) == OthersBgp()
        assert call_inside(router, lambda: others_bgp(())) == OthersBgp((dialled,))
        assert call_inside(router, lambda: others_bgp({dialled.inode})) == OthersBgp()
    assert call_inside(node, lambda: others_bgp(())) == OthersBgp()
