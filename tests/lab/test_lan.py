"""The LAN lab by itself, without speakers: switches, faults, and how its tests see who answers.

An address put on a node by hand stands for one that a speaker answers for.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.asking import Asker, ask
from lab.faults import LAN, partitioned, paused, unplugged
from lab.lab import TOPOLOGIES, Lab, held_lab
from lab.neighbours import Learning, forget, neighbours
from lab.processes import Process, observed, stop
from lab.shell import wait_until
from lab.steps.lan.capture import Capture, captured
from lab.steps.lan.failover import expect_failover, fail_over
from lab.steps.lan.watch import Watch
from lab.traffic import requests, under_load

WEB = ("10.10.1.1", "fd00:10::1:1")


@pytest.fixture(scope="module")
def lan() -> Iterator[Lab]:
    """The bare LAN with kube-proxy's rules for `web`."""
    with held_lab(TOPOLOGIES / "layer2.clab.yml") as lab:
        lab.copy_manifests()
        lab.program_kubeproxy({"default/web": WEB})
        yield lab


@contextmanager
def _held(lab: Lab, node: str, *addresses: str) -> Iterator[None]:
    """The addresses are on a node's interface."""
    for address in addresses:
        _put(lab, node, address, "add")
    try:
        yield
    finally:
        for address in addresses:
            _put(lab, node, address, "del")


def _put(lab: Lab, node: str, address: str, action: str) -> None:
    length, nodad = (128, ("nodad",) * (action == "add")) if ":" in address else (32, ())
    lab.space(node).run("ip", "address", action, f"{address}/{length}", "dev", LAN, *nodad)


def _answerers(lab: Lab, *addresses: str, at: str = "gateway") -> dict[str, set[str]]:
    heard = ask(lab.space(at), addresses)
    return {address: {lab.node_by_mac[mac] for mac in macs} for address, macs in heard.items()}


@pytest.fixture
def forgetful(lan: Lab) -> Lab:
    """The LAN, with clients that know nobody's MAC."""
    for client in lan.clients:
        forget(client)
    return lan


@pytest.mark.parametrize("node", ["node1", "node4"])
def test_both_clients_reach_all_pods_by_the_node_that_has_the_address(forgetful: Lab, node: str) -> None:
    with _held(forgetful, node, *WEB):
        for client in forgetful.clients:
            for address in WEB:
                tally = requests(client, address, count=60)
                assert (tally.lost, sorted(tally.by_backend)) == ((), ["pod1", "pod2", "pod3", "pod4"])
            believed = neighbours(client)
            assert [forgetful.node_by_mac[believed[address]] for address in WEB] == [node, node]


def test_requests_go_to_one_address_after_the_other_and_are_told_apart(forgetful: Lab) -> None:
    with _held(forgetful, "node1", *WEB), under_load(forgetful.client, *WEB, rate=100.0) as load:
        wait_until(lambda: load.tally().sent >= 40, within=60.0, what="40 requests")
    v4, v6 = (load.tally().to(address) for address in WEB)
    assert (abs(v4.sent - v6.sent) <= 1, (v4 + v6).sent, v4.lost + v6.lost) == (True, load.tally().sent, ())


def test_whoever_answers_is_seen_and_so_are_two_at_once_and_nobody(lan: Lab) -> None:
    assert _answerers(lan, *WEB) == {address: set() for address in WEB}
    with _held(lan, "node2", *WEB):
        assert _answerers(lan, *WEB) == {address: {"node2"} for address in WEB}
        with _held(lan, "node3", *WEB):
            assert _answerers(lan, *WEB) == {address: {"node2", "node3"} for address in WEB}


def test_a_client_that_learns_of_a_new_holder_is_seen_to_at_once(forgetful: Lab) -> None:
    (v4, _), client = WEB, forgetful.client
    with _held(forgetful, "node1", v4):
        assert requests(client, v4, count=5).lost == ()
    with _held(forgetful, "node4", v4), Learning(client) as learning:
        asked = time.monotonic()
        # Linux announces nothing by itself, but who asks says who he is.
        forget(forgetful.space("node4"))
        forgetful.space("node4").run("ping", "-c1", "-W1", "-I", v4, "10.10.0.201")
        learned = wait_until(lambda: learning.learned() or None, within=60.0, what="a change of the table")
    assert [(one.address, forgetful.node_by_mac[one.mac]) for one in learned] == [(v4, "node4")]
    assert learned[0].at >= asked


def test_a_node_whose_cable_is_pulled_sees_it_and_nobody_reaches_it(forgetful: Lab) -> None:
    space = forgetful.space("node2")
    with _held(forgetful, "node2", *WEB):
        with unplugged(forgetful, "node2"):
            wait_until(
                lambda: "LOWER_UP" not in space.run("ip", "link", "show", LAN), within=60.0, what="no carrier"
            )
            assert _answerers(forgetful, *WEB) == {address: set() for address in WEB}
        wait_until(lambda: bool(_answerers(forgetful, *WEB)[WEB[1]]), within=60.0, what="an answer")
        assert _answerers(forgetful, *WEB) == {address: {"node2"} for address in WEB}


def test_a_cut_trunk_leaves_each_side_to_itself_and_nobody_without_a_carrier(forgetful: Lab) -> None:
    with _held(forgetful, "node1", *WEB), _held(forgetful, "node3", *WEB):
        with partitioned(forgetful):
            sides = {at: _answerers(forgetful, *WEB, at=at) for at in ("client", "client2")}
            carriers = {
                node: "LOWER_UP" in forgetful.space(node).run("ip", "link", "show", LAN)
                for node in forgetful.nodes
            }
        assert sides == {
            "client": {address: {"node1"} for address in WEB},
            "client2": {address: {"node3"} for address in WEB},
        }
        assert carriers == dict.fromkeys(forgetful.nodes, True)
        whole = {address: {"node1", "node3"} for address in WEB}
        wait_until(lambda: _answerers(forgetful, *WEB) == whole, within=60.0, what="both to be heard again")


def test_a_paused_node_runs_nothing_and_says_nothing_and_keeps_its_carrier(lan: Lab) -> None:
    space = lan.space("node3")
    pid = int(space.run("sh", "-c", "sleep 300 >/dev/null 2>&1 & echo $!"))
    sleeper = observed(pid)
    assert sleeper is not None
    try:
        with _held(lan, "node3", *WEB):
            with paused(lan, "node3"):
                assert _state(sleeper) == "T"
                assert _answerers(lan, *WEB) == {address: set() for address in WEB}
                assert "LOWER_UP" in space.run("ip", "link", "show", LAN)
            assert _answerers(lan, *WEB) == {address: {"node3"} for address in WEB}
            assert _state(sleeper) != "T"
    finally:
        sleeper.kill()


def _state(process: Process) -> str:
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_packet_to_a_pod_of_another_node_is_not_answered_by_a_redirect(forgetful: Lab) -> None:
    client = forgetful.client
    with _held(forgetful, "node1", *WEB):
        for address in WEB:
            requests(client, address, count=40)
        routes = client.run("ip", "route", "show", "cache") + client.run("ip", "-6", "route", "show", "cache")
    assert "redirect" not in routes


def test_the_asker_counts_every_question(lan: Lab) -> None:
    with _held(lan, "node1", *WEB), Asker(lan.space("gateway"), WEB, every=0.02) as asker:
        wait_until(lambda: len(asker.heard()) >= 40, within=60.0, what="40 answers")
    assert {(one.address, lan.node_by_mac[one.mac]) for one in asker.heard()} == {
        (address, "node1") for address in WEB
    }


@contextmanager
def _handed_over(lab: Lab, node: str) -> Iterator[None]:
    """By hand: node2 has the addresses in place of the node, and says so; then the node has them again."""
    heir = lab.space("node2")
    for address in WEB:
        _put(lab, node, address, "del")
    with _held(lab, "node2", *WEB):
        forget(heir)
        for client in ("10.10.0.201", "10.10.0.202"):
            heir.run("ping", "-c1", "-W2", "-I", WEB[0], client)
        yield
    for address in WEB:
        _put(lab, node, address, "add")


def test_a_failover_is_told_as_it_was(forgetful: Lab) -> None:
    v4 = WEB[0]
    with _held(forgetful, "node1", *WEB):
        found = fail_over(forgetful, {v4: "node1", WEB[1]: "node4"}, "node1", _handed_over, stay=0.5)
    assert {address: taken.node for address, taken in found.taken.items()} == {v4: "node2"}
    assert {client: set(times) for client, times in found.learned.items()} == {
        "client": {v4},
        "client2": {v4},
    }
    assert (found.both, found.stale, {one.address for one in found.tally.answers}) == (0.0, 0, {v4})
    expect_failover(found, both=0.0)


def test_two_that_answer_for_one_address_are_told_of_until_one_is_left(forgetful: Lab) -> None:
    with _held(forgetful, "node1", *WEB), Watch(forgetful, WEB) as watch:
        started = time.monotonic()
        with _held(forgetful, "node3", *WEB):
            wait_until(
                lambda: bool(watch.answered(started, not_by=("node1",))), within=60.0, what="another answer"
            )
            both = time.monotonic()
            wait_until(
                lambda: bool(watch.answered(both + 0.3, not_by=("node1",))), within=60.0, what="more of both"
            )
        ended = time.monotonic()
        wait_until(lambda: bool(watch.answered(ended + 0.3)), within=60.0, what="later answers")
        assert 0.2 < watch.two_answered(started) <= ended - started + 0.3
        assert (watch.stale(started, by="node3") > 0, watch.stale(started, by="node1")) == (True, 0)
        assert (watch.two_answered(ended + 0.3), watch.stale(ended + 0.3, by="node3")) == (0.0, 0)
        assert {taken.node for _, taken in watch.moves(started)} == {"node1", "node3"}
        assert watch.moves(ended + 0.3) == []


def test_two_lans_at_once_do_not_hear_of_each_other(lan: Lab) -> None:
    with held_lab(TOPOLOGIES / "layer2.clab.yml") as other, _held(other, "node2", *WEB):
        assert _answerers(lan, *WEB) == {address: set() for address in WEB}
        assert _answerers(other, *WEB) == {address: {"node2"} for address in WEB}


KEEPALIVED = """
global_defs {{
 vrrp_version 3
}}
vrrp_instance A {{
 interface eth1
 virtual_router_id 51
 priority {priority}
 advert_int 0.2
 virtual_ipaddress {{
  169.254.51.1/32
 }}
}}
"""


def _start_keepalived(lab: Lab, node: str, *, priority: int) -> Process:
    """One with a configuration written by hand."""
    folder = lab.folder.path / f"{node}-keepalived"
    folder.mkdir()
    (folder / "conf").write_text(KEEPALIVED.format(priority=priority))
    files = ("-f", str(folder / "conf"), "-p", str(folder / "pid"), "-r", str(folder / "vrrp.pid"))
    argv = lab.space(node).argv("keepalived", "-n", "-l", "-P", *files)
    return lab.processes.start(f"{node}-keepalived", argv)


def test_the_gateway_captures_how_one_master_follows_another(lan: Lab) -> None:
    first, second = (
        _start_keepalived(lan, node, priority=priority) for node, priority in (("node1", 254), ("node2", 238))
    )

    def seen(capture: Capture) -> list[tuple[str, int, int]]:
        found = [(one.node, one.vrid, one.priority) for one in capture.adverts()]
        return [one for n, one in enumerate(found) if one != found[n - 1] or n == 0]

    try:
        with captured(lan) as capture:
            wait_until(lambda: ("node1", 51, 254) in seen(capture), within=60.0, what="a master")
            assert len(lan.keepalived("node1")) == 2
            stop(first)
            wait_until(lambda: seen(capture)[-1][0] == "node2", within=60.0, what="another master")
            assert seen(capture)[-3:] == [("node1", 51, 254), ("node1", 51, 0), ("node2", 51, 238)]
    finally:
        stop(first)
        stop(second)
