"""Who is alive, between processes on a switched LAN, with real sockets: deaths, lies, loss, and bad keys.

A heartbeat is half a second here, and death two, so that a busy machine kills nobody.
"""

import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.daemons.harness.inside import call_inside
from tests.daemons.harness.netns import Lan, Namespace, make_lan
from tests.daemons.harness.processes import Daemon
from tests.daemons.harness.waiting import stays, wait_until

PORT = 7946
PATIENCE = 120.0
KEYS = ("first-key-of-this-cluster", "second-key-of-this-cluster", "a-key-of-another-cluster")


class Member:
    """A node of the LAN with membership in a process of its own."""

    def __init__(
        self,
        space: Namespace,
        name: str,
        peers: dict[str, str],
        folder: Path,
        key: str,
        wrapped: tuple[str, ...] = (),
    ) -> None:
        self.space, self.name = space, name
        self.key_file = folder / f"{name}.key"
        self.write_keys(key)
        told = [f"--peer={peer}={address}" for peer, address in peers.items() if peer != name]
        module = ("-m", "tests.daemons.harness.member", name, f"--key-file={self.key_file}", *told)
        self.daemon = Daemon(space.argv(*wrapped, sys.executable, *module), log=folder / f"{name}.log")

    def write_keys(self, *keys: str) -> None:
        self.key_file.write_text("\n".join(keys))

    def lines(self) -> list[dict[str, Any]]:
        text = self.daemon.output()
        return [json.loads(line) for line in text.splitlines() if line.startswith("{") and line.endswith("}")]

    @property
    def last(self) -> dict[str, Any]:
        views = [line for line in self.lines() if "void" in line]
        return views[-1] if views else {"void": True, "alive": [], "own": {}, "problems": []}

    @property
    def sees(self) -> list[str]:
        """Whom it holds for alive, itself included; nobody while it is void."""
        if self.last["void"]:
            return []
        return sorted([*self.last["alive"], *([self.name] if self.last["own"].get("eth0") else [])])

    @property
    def reasons(self) -> list[str]:
        return [reason for reason, _ in self.last["problems"]]


class House:
    """All members of one LAN."""

    def __init__(self, lan: Lan, members: list[Member]) -> None:
        self.lan, self.members = lan, members

    def start(self) -> None:
        for member in self.members:
            member.daemon.start()

    async def agree(self, *on: str, among: list[Member] | None = None) -> None:
        """Wait until all see exactly these."""
        for member in self.members if among is None else among:

            def sees_them(member: Member = member) -> bool:
                return member.sees == sorted(on)

            await wait_until(sees_them, within=PATIENCE, what=f"{member.name} to see {on}")


Build = Callable[..., House]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[Build]:
    with contextlib.ExitStack() as ends:

        def make(
            count: int, *, family: int = 4, keys: tuple[str, ...] = (), wrapped: tuple[str, ...] = ()
        ) -> House:
            lan = make_lan(routers=0, nodes=count)
            ends.callback(lan.remove)
            names = [f"n{index}" for index in range(1, count + 1)]
            peers = {
                name: node.v4 if family == 4 else node.v6 for name, node in zip(names, lan.nodes, strict=True)
            }
            if family == 6:
                for node in lan.nodes:
                    node.run("ip", "-4", "address", "flush", "dev", "eth0")
            members = [
                Member(node, name, peers, tmp_path, (keys or (KEYS[0],) * count)[index], wrapped)
                for index, (name, node) in enumerate(zip(names, lan.nodes, strict=True))
            ]
            for member in members:
                ends.callback(member.daemon.end)
            return House(lan, members)

        yield make


@pytest.mark.parametrize("family", [4, 6])
async def test_two_nodes_suffice_and_a_killed_one_is_dead_and_back(build: Build, family: int) -> None:
    house = build(2, family=family)
    house.start()
    await house.agree("n1", "n2")
    first, second = house.members
    before = first.last["instances"]["n2"]
    second.daemon.end(signal.SIGKILL)
    await house.agree("n1", among=[first])
    second.daemon.start()
    await house.agree("n1", "n2")
    assert first.last["instances"]["n2"] != before


@pytest.mark.parametrize(
    ("without", "policies"),
    [((), [os.SCHED_OTHER, os.SCHED_RR]), (("setpriv", "--bounding-set=-sys_nice"), [os.SCHED_OTHER] * 2)],
    ids=["may", "may not"],
)
async def test_heartbeats_come_before_all_else_on_the_machine_where_the_process_may_ask_for_that(
    build: Build, without: tuple[str, ...], policies: list[int]
) -> None:
    house = build(2, wrapped=without)
    house.start()
    await house.agree("n1", "n2")
    assert _policies(house.members[0].daemon.pids[-1]) == policies


def _policies(pid: int) -> list[int]:
    """By which rules its threads are scheduled."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    return sorted(os.sched_getscheduler(int(thread.name)) & ~os.SCHED_RESET_ON_FORK for thread in threads)


async def test_a_goodbye_is_told_before_the_process_ends(build: Build) -> None:
    house = build(3)
    house.start()
    await house.agree("n1", "n2", "n3")
    house.members[0].daemon.end(signal.SIGTERM)
    for member in house.members[1:]:
        left = [line for line in member.lines() if line.get("leaving") == ["n1"]]
        assert left[0]["alive"] == sorted({"n1", "n2", "n3"} - {member.name})
    await house.agree("n2", "n3", among=house.members[1:])


async def test_a_cut_cable_is_a_death_on_one_side_and_loneliness_on_the_other(build: Build) -> None:
    house = build(3)
    house.start()
    await house.agree("n1", "n2", "n3")
    house.lan.set_carrier(house.members[0].space, up=False)
    await house.agree("n2", "n3", among=house.members[1:])
    house.lan.set_carrier(house.members[0].space, up=True)
    await house.agree("n1", "n2", "n3")


async def test_a_stopped_process_owns_nothing_when_it_goes_on(build: Build) -> None:
    house = build(3)
    house.start()
    await house.agree("n1", "n2", "n3")
    stopped = house.members[0]
    stopped.daemon.pause()
    await house.agree("n2", "n3", among=house.members[1:])
    so_far = len(stopped.lines())
    stopped.daemon.resume()
    await house.agree("n1", "n2", "n3")
    before, after = stopped.lines()[so_far - 1 : so_far + 1]
    # Void for as long as two datagrams take: over, perhaps, before this process has come to tell of it.
    assert (before["void"], after["void_changed"] > before["void_changed"]) == (False, True)


async def test_one_that_is_not_heard_is_dead_for_all_and_for_itself(build: Build) -> None:
    """A link that carries frames in one direction only."""
    house = build(3)
    house.start()
    await house.agree("n1", "n2", "n3")
    mute = house.members[0]
    mute.space.run(
        *("nft", "-f", "-"),
        stdin="table ip mute { chain out { type filter hook output priority 0; udp dport 7946 drop; }; }",
    )
    await house.agree("n2", "n3", among=house.members[1:])
    await wait_until(
        lambda: mute.last["own"] == {"eth0": False}, within=PATIENCE, what="n1 to give itself up"
    )
    await stays(lambda: not mute.last["own"]["eth0"], during=3, what="n1 given up")


async def test_loss_kills_nobody(build: Build) -> None:
    """Five datagrams of a hundred, in both directions."""
    house = build(3)
    house.start()
    await house.agree("n1", "n2", "n3")
    drop = "udp dport 7946 numgen random mod 100 < 5 drop"
    rules = f"table ip lossy {{ chain out {{ type filter hook output priority 0; {drop}; }}; }}"
    for member in house.members:
        member.space.run("nft", "-f", "-", stdin=rules)
    await stays(
        lambda: all(member.sees == ["n1", "n2", "n3"] for member in house.members),
        during=15,
        what="everybody alive",
    )


async def test_keys_are_exchanged_while_everybody_stays_alive(build: Build) -> None:
    house = build(2)
    house.start()
    await house.agree("n1", "n2")
    so_far = [len(member.lines()) for member in house.members]
    for keys in ((KEYS[0], KEYS[1]), (KEYS[1], KEYS[0]), (KEYS[1],)):
        for member in house.members:
            member.write_keys(*keys)
            # The file is looked at every two seconds.
            await stays(lambda: all(len(one.sees) == 2 for one in house.members), during=3, what="both alive")
    for member, count in zip(house.members, so_far, strict=True):
        assert [line for line in member.lines()[count:] if line["problems"] or line["void"]] == []


async def test_another_clusters_key_is_named_and_nothing_of_it_believed(build: Build) -> None:
    house = build(2, keys=(KEYS[0], KEYS[2]))
    house.start()
    for member in house.members:
        await wait_until(
            lambda m=member: m.reasons == ["MembershipKeyDiffers"],  # type: ignore[misc]
            within=PATIENCE,
            what=f"{member.name} to find another key",
        )
    assert [member.last["alive"] for member in house.members] == [[], []]
    assert "n2" in house.members[0].last["problems"][0][1]
    house.members[1].write_keys(KEYS[0])
    await house.agree("n1", "n2")


async def test_without_a_key_a_node_owns_nothing_and_says_what_helps(build: Build) -> None:
    house = build(2)
    lonely = house.members[0]
    lonely.key_file.unlink()
    house.start()
    await wait_until(lambda: lonely.reasons == ["MembershipKeyMissing"], within=PATIENCE, what="the reason")
    message = lonely.last["problems"][0][1]
    assert lonely.last["void"] and "n2" in message and "--membership-key-file" in message
    lonely.write_keys(KEYS[0])
    await house.agree("n1", "n2")


async def test_a_port_that_is_taken_is_named_with_the_remedy(build: Build) -> None:
    house = build(2)
    first = house.members[0]

    def take() -> socket.socket:
        taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        taken.bind(("0.0.0.0", PORT))
        return taken

    with call_inside(first.space, take):
        first.daemon.start()
        await wait_until(lambda: "ListenPortTaken" in first.reasons, within=PATIENCE, what="the reason")
        assert "--bind-port" in first.last["problems"][0][1]


async def test_a_flood_of_forged_datagrams_is_counted_and_disturbs_nobody(build: Build) -> None:
    house = build(3)
    house.start()
    await house.agree("n1", "n2", "n3")
    first, second, third = house.members
    recorded = _sniff(second.space, first.space)

    def flood() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            for index in range(5000):
                forged = bytearray(recorded)
                forged[40] ^= index % 255 + 1
                for data in (bytes(forged), b"noise", b"O\x01" + bytes(80)):
                    one.sendto(data, (first.space.v4, PORT))

    so_far = len(first.lines())
    call_inside(third.space, flood)
    first.daemon.send(signal.SIGUSR1)
    counts = await wait_until(
        lambda: [line["dropped"] for line in first.lines() if "dropped" in line],
        within=PATIENCE,
        what="counts",
    )
    assert {"malformed", "version", "signature"} <= counts[-1].keys() and counts[-1]["signature"] > 100
    await stays(lambda: first.sees == ["n1", "n2", "n3"], during=3, what="everybody alive")
    assert all(not line["void"] for line in first.lines()[so_far:] if "void" in line)


async def test_what_a_dead_node_said_is_not_believed_when_it_is_said_again(build: Build) -> None:
    house = build(2)
    house.start()
    await house.agree("n1", "n2")
    first, second = house.members
    recorded = [_sniff(second.space, first.space) for _ in range(5)]
    second.daemon.end(signal.SIGKILL)
    await house.agree("n1", among=[first])

    def say_again() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.bind((second.space.v4, PORT))
            for data in recorded * 20:
                one.sendto(data, (first.space.v4, PORT))

    call_inside(second.space, say_again)
    await stays(lambda: first.sees == ["n1"], during=3, what="n2 dead")


def _sniff(source: Namespace, to: Namespace) -> bytes:
    """A datagram from one to another, as it was on the wire."""

    def listen() -> bytes:
        with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as one:
            one.settimeout(PATIENCE)
            while True:
                packet = one.recv(2048)
                is_udp = packet[9] == 17 and int.from_bytes(packet[22:24]) == PORT
                if is_udp and packet[12:16] == socket.inet_aton(source.v4):
                    return packet[28:]

    return call_inside(to, listen)
