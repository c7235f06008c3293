"""Network namespaces of their own, wired to one switched LAN each; made and removed with `ip`.

A LAN is 10.0.0.0/24 and fd00:a::/64: routers have .1, .2 and so on, nodes .11, .12 and so on (the same
number, in hexadecimal, in IPv6). Every member has one interface, `eth0`; the switch is a bridge in a
namespace of its own. Several LANs do not see each other.
"""

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PREFIX = "oelbt"
_NAME = re.compile(rf"{_PREFIX}(\d+)-\d+-\w+")
_serial = itertools.count(1)

FRR_FOLDERS = (Path("/etc/frr"), Path("/var/run/frr"))
_SYSCTLS = {
    "net.ipv4.ip_forward": "1",
    "net.ipv6.conf.all.forwarding": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.fib_multipath_hash_policy": "1",
    "net.ipv6.conf.all.accept_dad": "0",
    "net.ipv6.conf.default.accept_dad": "0",
}
_SWITCH_SYSCTLS = {
    "net.bridge.bridge-nf-call-iptables": "0",
    "net.bridge.bridge-nf-call-ip6tables": "0",
    "net.ipv6.conf.all.disable_ipv6": "1",
}


def run(*argv: str, stdin: str = "") -> str:
    """A command's output; fails the test with what it said if it fails."""
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, f"{' '.join(argv)}: {done.stderr or done.stdout}"
    return done.stdout


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace; `v4` and `v6` are its addresses in the LAN."""

    name: str
    v4: str = ""
    v6: str = ""

    def argv(self, *command: str) -> tuple[str, ...]:
        """`command`, to be run inside; it is killed when the test process ends."""
        return ("setpriv", "--pdeathsig", "KILL", "ip", "netns", "exec", self.name, *command)

    def run(self, *command: str, stdin: str = "") -> str:
        """Run a command inside to its end."""
        return run("ip", "netns", "exec", self.name, *command, stdin=stdin)

    def pids(self) -> tuple[int, ...]:
        """The processes inside."""
        return tuple(int(pid) for pid in run("ip", "netns", "pids", self.name).split())


@dataclass(frozen=True, slots=True)
class Lan:
    """A switch with its members."""

    switch: Namespace
    routers: tuple[Namespace, ...]
    nodes: tuple[Namespace, ...]

    def set_carrier(self, member: Namespace, *, up: bool) -> None:
        """Plug a member's cable in or out, at the switch."""
        (port,) = self.ports(member)
        self.switch.run("ip", "link", "set", port, "up" if up else "down")

    def ports(self, *members: Namespace) -> list[str]:
        """The switch's ports that members are plugged into."""
        return [_port((*self.routers, *self.nodes).index(member)) for member in members]

    def remove(self) -> None:
        """Kill what runs inside, and delete everything."""
        for space in (*self.nodes, *self.routers, self.switch):
            _remove(space.name)


def make_lan(*, routers: int = 1, nodes: int = 1) -> Lan:
    """Namespaces with addresses and links up. The caller removes it."""
    stem = f"{_PREFIX}{os.getpid()}-{next(_serial)}"
    lan = Lan(
        switch=Namespace(f"{stem}-switch"),
        routers=tuple(_member(f"{stem}-router{i}", i) for i in range(1, routers + 1)),
        nodes=tuple(_member(f"{stem}-node{i}", 10 + i) for i in range(1, nodes + 1)),
    )
    try:
        _build(lan)
    except BaseException:
        lan.remove()
        raise
    return lan


def sweep() -> None:
    """Remove what runs of these tests left whose process is no more."""
    for name in _names():
        match = _NAME.fullmatch(name)
        if match and not Path(f"/proc/{match[1]}").exists():
            _remove(name)


def _member(name: str, number: int) -> Namespace:
    return Namespace(name, v4=f"10.0.0.{number}", v6=f"fd00:a::{number:x}")


def _build(lan: Lan) -> None:
    members = (*lan.routers, *lan.nodes)
    _batch(f"netns add {space.name}" for space in (lan.switch, *members))
    _set_sysctls(lan.switch, _SWITCH_SYSCTLS)
    for space in members:
        _set_sysctls(space, _SYSCTLS)
    lan.switch.run("ip", "link", "add", "br0", "type", "bridge")
    lan.switch.run("ip", "link", "set", "br0", "up")
    for index, space in enumerate(members):
        ends = f"name eth0 netns {space.name} type veth peer name {_port(index)} netns {lan.switch.name}"
        _batch([f"link add {ends}"])
        lan.switch.run("ip", "-batch", "-", stdin=f"link set {_port(index)} master br0 up\n")
        space.run(
            *("ip", "-batch", "-"),
            stdin=f"link set lo up\naddress add {space.v4}/24 dev eth0\n"
            f"address add {space.v6}/64 dev eth0 nodad\nlink set eth0 up\n",
        )


def _port(index: int) -> str:
    return f"port{index}"


def _batch(lines: Iterable[str]) -> None:
    run("ip", "-batch", "-", stdin="\n".join(lines) + "\n")


def _set_sysctls(space: Namespace, values: dict[str, str]) -> None:
    known = [f"{name}={value}" for name, value in values.items()]
    # A kernel without bridge-nf has no such key, and then nothing to switch off.
    space.run("sysctl", "-q", "-e", "-w", *known)


def _names() -> list[str]:
    return [line.split()[0] for line in run("ip", "netns", "list").splitlines()]


def _remove(name: str) -> None:
    if name not in _names():
        return
    for pid in Namespace(name).pids():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    run("ip", "netns", "delete", name)
    for folder in FRR_FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
