"""The builder: a topology comes up as packets see it, and goes without a trace, also after a crash."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab import kernel, kubeproxy, state
from lab.errors import LabError
from lab.kernel import NextHop
from lab.lab import Lab, clean_up, held_lab
from lab.namespaces import Namespace
from lab.shell import wait_until
from lab.traffic import requests, under_load

VIP = {"default/web": ("198.51.100.1", "2001:db8:100::10"), "default/web-local": ("198.51.100.2",)}
NODES4 = {"node1": "10.10.0.11", "node2": "10.10.0.12", "node3": "10.10.0.13"}
NODES6 = {"node1": "fd00:10::11", "node2": "fd00:10::12", "node3": "fd00:10::13"}


@pytest.fixture(scope="module")
def forwarding(bare: Lab) -> Lab:
    """The bare lab with kube-proxy's rules, and static ECMP routes where BGP's would be."""
    bare.copy_manifests()
    bare.program_kubeproxy(VIP)
    for router in bare.routers.values():
        for vip, hops in (
            ("198.51.100.1", NODES4.values()),
            ("2001:db8:100::10", NODES6.values()),
            ("198.51.100.2", list(NODES4.values())[:2]),
        ):
            legs = [word for hop in hops for word in ("nexthop", "via", hop)]
            router.namespace.run("ip", "route", "add", vip, *legs)
    return bare


def _reaches(lab: Lab, *, node: str, address: str, port: int) -> bool:
    def connect() -> bool:
        try:
            socket.create_connection((address, port), timeout=2.0).close()
        except OSError:
            return False
        return True

    return lab.space(node).call(connect)


@pytest.mark.parametrize("pod", ["10.244.1.10", "10.244.3.10", "fd00:244:1::10", "fd00:244:3::10"])
def test_every_node_reaches_every_pod(bare: Lab, pod: str) -> None:
    assert [node for node in bare.nodes if not _reaches(bare, node=node, address=pod, port=8080)] == []


def test_no_outgoing_connection_is_given_a_port_that_our_daemons_listen_on(bare: Lab) -> None:
    file = Path("/proc/sys/net/ipv4/ip_local_reserved_ports")
    spaces = [bare.space(node) for node in (*bare.nodes, *bare.routers)]
    assert {space.call(file.read_text).strip() for space in spaces} == {"50052-50053"}
    assert file.read_text().strip() != "50052-50053", "the host's own ports are nobody's but its own"


def test_the_routers_know_their_neighbours_and_have_no_session_yet(bare: Lab) -> None:
    expected = {*NODES4.values(), *NODES6.values()}
    assert [set(router.sessions()) for router in bare.routers.values()] == [expected, expected]
    assert [router.established() for router in bare.routers.values()] == [(), ()]


def test_requests_to_a_cluster_service_reach_every_pod_by_both_routers(forwarding: Lab) -> None:
    for address in VIP["default/web"]:
        tally = requests(forwarding.client, address, count=90)
        assert (tally.sent, tally.lost, sorted(tally.by_backend)) == (90, (), ["pod1", "pod2", "pod3"])


def test_the_client_uses_both_uplinks_and_a_local_service_sees_its_own_address(forwarding: Lab) -> None:
    tally = requests(forwarding.client, "198.51.100.2", count=60)
    assert (tally.lost, sorted(tally.by_backend)) == ((), ["pod1", "pod2"])
    assert tally.clients == {"10.20.1.10", "10.20.2.10"}


def _has_carrier(space: Namespace, interface: str) -> bool:
    return "LOWER_UP" in space.run("ip", "link", "show", interface)


def test_a_dead_router_is_survived_by_the_other(forwarding: Lab) -> None:
    leaf1, client = forwarding.space("leaf1"), forwarding.client
    before = kernel.next_hops(leaf1, "198.51.100.1")
    for interface in ("eth1", "eth2"):
        kernel.set_link(leaf1, interface, up=False)
    # The kernel may take a second to notice where both ends have the same interface index.
    wait_until(lambda: not _has_carrier(client, "eth1"), within=5.0, what="the loss of the carrier")
    try:
        tallies = [requests(forwarding.client, address, count=60) for address in VIP["default/web"]]
    finally:
        for interface in ("eth2", "eth1"):
            kernel.set_link(leaf1, interface, up=True)
        # The kernel forgot the routes of the interface that went, and the IPv6 addresses with them.
        _restore(leaf1_of=forwarding)
    assert [(tally.sent, tally.lost) for tally in tallies] == [(60, ()), (60, ())]
    assert kernel.next_hops(leaf1, "198.51.100.1") == before


def _restore(*, leaf1_of: Lab) -> None:
    leaf1 = leaf1_of.space("leaf1")
    for address, interface in (("fd00:10::1/64", "eth1"), ("fd00:20:1::1/64", "eth2")):
        leaf1.run("ip", "address", "replace", address, "dev", interface, "nodad")
    for vip, hops in (("198.51.100.1", NODES4), ("2001:db8:100::10", NODES6)):
        legs = [word for hop in hops.values() for word in ("nexthop", "via", hop)]
        leaf1.run("ip", "route", "replace", vip, *legs)
    two = [word for hop in list(NODES4.values())[:2] for word in ("nexthop", "via", hop)]
    leaf1.run("ip", "route", "replace", "198.51.100.2", *two)


def test_a_silent_node_loses_requests_and_keeps_its_carrier(forwarding: Lab) -> None:
    node2 = forwarding.space("node2")
    with under_load(forwarding.client, "198.51.100.2", rate=100.0) as load:
        kernel.silence(node2, "eth1")
        wait_until(lambda: bool(load.tally().lost), within=10.0, what="a lost request")
        carrier = _has_carrier(node2, "eth1")
        kernel.unsilence(node2)
    assert carrier
    assert requests(forwarding.client, "198.51.100.2", count=20).lost == ()


def test_next_hops_are_read_from_the_kernel_in_both_families(forwarding: Lab) -> None:
    leaf1 = forwarding.space("leaf1")
    for vip, hops in (("198.51.100.1", NODES4), ("2001:db8:100::10", NODES6)):
        assert kernel.next_hops(leaf1, vip) == tuple(NextHop(via, "eth1", 1) for via in hops.values())
    assert kernel.next_hops(leaf1, "198.51.100.9") == ()


def test_new_rules_replace_the_old_ones_at_once(forwarding: Lab) -> None:
    node1 = forwarding.space("node1")
    only = kubeproxy.Exposed(
        "x", "198.51.100.7", "tcp", 80, False, (kubeproxy.Endpoint("10.244.1.10", 8080, "node1"),)
    )
    kubeproxy.program(node1, kubeproxy.render([only], node="node1"))
    rules = node1.run("nft", "list", "ruleset")
    forwarding.program_kubeproxy(VIP)
    assert ("198.51.100.7" in rules, "198.51.100.1 " in rules) == (True, False)


def test_two_labs_can_be_up_at_once_with_the_same_addresses(bare: Lab, ecmp: Path) -> None:
    with held_lab(ecmp) as other:
        assert other.id != bare.id
        assert all(_reaches(lab, node="node1", address="10.244.3.10", port=8080) for lab in (bare, other))
        assert {lab.folder for lab in (bare, other)} <= set(state.labs())
    assert _reaches(bare, node="node1", address="10.244.3.10", port=8080)


def _traces(lab_id: str) -> list[str]:
    """Whatever of a lab is still on this machine."""
    places = (state.ROOT, Path("/run/netns"), Path("/etc/frr"), Path("/var/run/frr"))
    left = [
        str(path) for place in places if place.exists() for path in place.iterdir() if lab_id in path.name
    ]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"oelb-{lab_id}-" in process.read_text():
                left.append(process.read_text().replace("\0", " "))
        except OSError:
            continue
    return left


def _is_new(path: Path, *, since: float) -> bool:
    # Another router's daemon may once have had the same pid.
    return path.exists() and path.stat().st_ctime >= since


def test_nothing_is_left_of_a_lab_that_was_removed(ecmp: Path) -> None:
    started = time.time()
    with held_lab(ecmp) as lab:
        processes = lab.processes.all()
        assert _traces(lab.id) != []
        # What FRR's daemons write for the case of a crash goes to the lab's folder, not to the machine's.
        scratch = [f"{process.name.rpartition('-')[2]}.{process.pid}" for process in processes]
        assert [name for name in scratch if _is_new(Path("/var/tmp/frr") / name, since=started)] == []
    assert _traces(lab.id) == []
    assert [process for process in processes if process.alive()] == []


CRASHING = """
import sys
from pathlib import Path
from lab.lab import held_lab
with held_lab(Path(sys.argv[1])) as lab:
    # One process that the records do not know: as if the crash came between its start and its record.
    lab.space("node1").run("sh", "-c", "sleep 300 >/dev/null 2>&1 & echo $!")
    print(lab.id, flush=True)
    sys.stdin.read()
"""


def _held_by_another(ecmp: Path) -> tuple["subprocess.Popen[str]", str]:
    child = subprocess.Popen(
        (sys.executable, "-c", CRASHING, str(ecmp)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ecmp.parent.parent.parent)},
    )
    assert child.stdout is not None
    return child, child.stdout.readline().strip()


def test_a_lab_whose_builder_was_killed_is_removed_by_the_next_start(ecmp: Path) -> None:
    child, lab_id = _held_by_another(ecmp)
    child.send_signal(signal.SIGKILL)
    child.wait()
    left = next(folder for folder in state.leftovers() if folder.id == lab_id)
    inside = [pid for space in left.namespaces() for pid in space.pids()]
    assert len(inside) > len(left.processes.all())
    with held_lab(ecmp) as lab:
        assert (_traces(lab_id), lab.id != lab_id) == ([], True)
    assert [pid for pid in inside if Path(f"/proc/{pid}/root").exists()] == []


def test_a_lab_that_is_being_driven_is_left_alone(ecmp: Path) -> None:
    child, lab_id = _held_by_another(ecmp)
    try:
        clean_up()
        driven = next(folder for folder in state.labs() if folder.id == lab_id)
        with pytest.raises(LabError, match="is in use by another process"):
            state.hold(driven)
        assert all(process.alive() for process in driven.processes.all())
    finally:
        child.communicate("")
    assert _traces(lab_id) == []


def test_a_failing_exec_line_is_shown_and_the_half_built_lab_goes(ecmp: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.clab.yml"
    broken.write_text("""
name: broken
topology:
  defaults: {kind: linux, image: x}
  nodes:
    one: {exec: [ip link set eth1 up, ip address add 10.0.0.256/24 dev eth1]}
    two: {}
  links: [{endpoints: ["one:eth1", "two:eth1"]}]
""")
    with pytest.raises(LabError, match=r"(?s)node one: .*10\.0\.0\.256"), held_lab(broken):
        raise AssertionError("unreachable")
    assert [folder for folder in state.labs() if folder.lab == "broken"] == []


def test_the_hosts_own_interfaces_and_rules_are_not_touched(ecmp: Path) -> None:
    def host() -> list[str]:
        commands = (("ip", "-brief", "address"), ("ip", "route"), ("ip", "rule"), ("nft", "list", "ruleset"))
        return [subprocess.run(argv, check=True, capture_output=True, text=True).stdout for argv in commands]

    before = host()
    with held_lab(ecmp):
        during = host()
    assert (during, host()) == (before, before)
