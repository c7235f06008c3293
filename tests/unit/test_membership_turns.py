"""How often a node has to turn to its heartbeats: what can be asked and heard together is."""

import socket
from ipaddress import IPv4Address

from openelb_bgp.membership.lanes import NODE_LANE
from openelb_bgp.membership.messages import Ping
from openelb_bgp.membership.outbox import Outgoing
from openelb_bgp.membership.sockets import Arrived, Place, Sockets
from tests.contract.process import eventually
from tests.simulated_lan import Lan
from tests.simulated_node import Node

LOOPBACK = IPv4Address("127.0.0.1")


class Watched(Lan):
    """A LAN at rest, that notes when each node has asked anybody."""

    def __init__(self, count: int) -> None:
        super().__init__(count, seed=1)
        self.asked: dict[str, set[float]] = {node.name: set() for node in self.nodes}
        self.start_all()
        self.run_until_true(most=20.0)
        self.run(8.0)

    def _carry(self, node: Node, one: Outgoing) -> None:
        if isinstance(one.datagram.body, Ping):
            self.asked[node.name].add(self.now)
        super()._carry(node, one)


def test_all_questions_of_a_round_are_asked_together_by_whatever_way_they_go() -> None:
    lan = Watched(6)
    lan.asked = {node.name: set() for node in lan.nodes}
    lan.run(10.0)
    rounds = 10.0 / lan.timing.interval
    assert all(0.9 * rounds < len(instants) <= rounds + 3 for instants in lan.asked.values())


def test_a_node_whom_all_have_answered_is_not_woken_before_the_next_round() -> None:
    lan = Watched(6)
    node, waits = lan.nodes[0], []
    assert node.core is not None
    for _ in range(200):
        lan.run(lan.timing.interval / 40)
        assert node.core.wake_at is not None
        waits.append(node.core.wake_at - node.clock.reads(lan.now))
    assert max(waits) > 0.9 * lan.timing.interval


def test_a_node_that_somebody_owes_an_answer_is_woken_to_ask_again() -> None:
    lan = Watched(2)
    lan.kill(lan.nodes[1])
    lan.run(lan.timing.interval)
    node, waits = lan.nodes[0], []
    assert node.core is not None
    for _ in range(40):
        lan.run(lan.timing.interval / 40)
        assert node.core.wake_at is not None
        waits.append(node.core.wake_at - node.clock.reads(lan.now))
    assert max(waits) <= lan.timing.retry


async def test_what_comes_during_a_rest_is_heard_together_when_it_is_over() -> None:
    heard: list[list[bytes]] = []

    def hear(arrived: list[Arrived]) -> None:
        heard.append([one.data for one in arrived])

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((str(LOOPBACK), 0))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind((str(LOOPBACK), 0))
            port = free.getsockname()[1]
        sockets = Sockets(port, hear)
        sockets.keep([Place(NODE_LANE, LOOPBACK)])
        assert sockets.is_complete
        sockets.rest(0.2)
        for data in (b"one", b"two", b"three"):
            other.sendto(data, (str(LOOPBACK), port))
        await eventually(lambda: bool(heard), within=20, what="the end of the rest")
        other.sendto(b"four", (str(LOOPBACK), port))
        await eventually(lambda: len(heard) > 1, within=20, what="one by itself")
        sockets.close()
    assert heard == [[b"one", b"two", b"three"], [b"four"]]
