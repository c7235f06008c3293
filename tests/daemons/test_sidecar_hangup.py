"""Ending one TCP connection of a real gobgpd from outside, in a network namespace of its own.

gobgpd's API over TCP stands for BGP here: to the kernel a connection is a connection. That neighbours keep
the routes after it is tested where there are neighbours.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CACHE = Path(
    os.environ.get("OPENELB_BGP_CACHE") or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "openelb-bgp")
)
IN_A_NAMESPACE = """
import os, socket, subprocess, sys, time
from openelb_bgp.lib import processes
from openelb_bgp.sidecar.hangup import hang_up

def connect(local, remote):
    family = socket.AF_INET6 if ":" in remote[0] else socket.AF_INET
    deadline = time.monotonic() + 15
    while True:
        try:
            connection = socket.socket(family)
            connection.settimeout(15)
            connection.bind(local)
            connection.connect(remote)
            return connection
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)

def is_open(connection):
    # A server of HTTP/2 speaks first, then waits; whoever hung up leaves an end to be read.
    connection.setblocking(False)
    try:
        while chunk := connection.recv(65536):
            pass
        return False
    except BlockingIOError:
        return True

subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
output = os.open(os.devnull, os.O_WRONLY)
pid = processes.start([sys.argv[1], "--api-hosts", ":50051", "--pprof-disable"], output=output)
"""
BY_ADDRESS = """
one = connect(("127.0.0.2", 0), ("127.0.0.1", 50051))
other = connect(("127.0.0.3", 0), ("127.0.0.1", 50051))
# A connection of somebody else in the same namespace with the same neighbour.
bystander = socket.create_server(("127.0.0.1", 50052))
strange = connect(("127.0.0.2", 0), ("127.0.0.1", 50052))

print(hang_up(pid, "127.0.0.9"), hang_up(pid, "127.0.0.2"))
one.setblocking(True)
while one.recv(65536):
    pass
print(is_open(one), is_open(other), is_open(strange))
"""
BY_LINK = """
for name in ("left", "right"):
    subprocess.run(["ip", "link", "add", name, "type", "veth", "peer", "far-" + name], check=True)
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    subprocess.run(["ip", "link", "set", "far-" + name, "up"], check=True)
    subprocess.run(["ip", "address", "add", "fe80::1/64", "dev", name, "nodad"], check=True)
links = [socket.if_nametoindex(name) for name in ("left", "right")]
left, right = (connect(("fe80::1", 0, 0, link), ("fe80::1", 50051, 0, link)) for link in links)

print(hang_up(pid, "fe80::1%right"))
right.setblocking(True)
while right.recv(65536):
    pass
print(is_open(left), is_open(right))
"""


@pytest.fixture(params=["3.10.0", "4.8.0"])
def gobgpd(request: pytest.FixtureRequest) -> Path:
    path = CACHE.expanduser() / "gobgp" / str(request.param) / "gobgpd"
    assert path.exists(), f"{path} is missing: `make test` installs it"
    return path


def run(script: str, gobgpd: Path) -> list[str]:
    """What the script prints; gobgpd dies with the PID namespace."""
    argv = [
        "unshare",
        "--net",
        "--pid",
        "--fork",
        "--mount-proc",
        "--kill-child",
        sys.executable,
        "-c",
        script,
    ]
    done = subprocess.run([*argv, str(gobgpd)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_only_the_connection_with_that_neighbour_ends(gobgpd: Path) -> None:
    assert run(IN_A_NAMESPACE + BY_ADDRESS, gobgpd) == ["0 1", "False True True"]


def test_a_link_local_neighbour_is_told_from_its_namesake_on_another_link(gobgpd: Path) -> None:
    assert run(IN_A_NAMESPACE + BY_LINK, gobgpd) == ["1", "True False"]
