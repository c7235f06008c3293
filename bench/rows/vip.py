"""vip on the LAN: how long a struck master's address is out, beside keepalived with a configuration by hand
in the same nodes, struck by the same blow; and a thousand addresses.

A figure is when a client's kernel sends to another node, as its neighbour table says.
"""

import re
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from bench.percentiles import percentile
from bench.results import Measure
from lab import manifests
from lab.lab import Lab, held_lab
from lab.neighbours import Learning
from lab.processes import Process, observed
from lab.shell import program, wait_until
from lab.steps.lan.crowd import addresses_of
from lab.steps.lan.failover import Strike
from lab.steps.lan.look import VIP, answering, await_one_each
from lab.steps.lan.strikes import keepalived_killed, powered_off, unplugged
from lab.tours import TOURS
from openelb_bgp.model.meta import Kind

STRIKES: Mapping[str, Strike] = {
    "power": powered_off,
    "cable": unplugged,
    "keepalived killed": keepalived_killed,
}
ROUNDS = 6
MANY = 1000
_SERVICE = "vip-shop"
_BY_HAND, _VRID, _NIC = "10.10.3.200", 200, "eth1"
_WATCHED = 10
_ALLOWED = 1.1
"""Of what keepalived takes by hand."""
_LOST = re.compile(r"(\d+) packets transmitted, (\d+) received")


def failovers(advert_ms: int) -> Sequence[Measure]:
    """p50 and p95 by kind of fault, at an interval of advertisements."""
    found: dict[str, list[tuple[float, float]]] = {kind: [] for kind in STRIKES}
    with _lan(advert_ms) as lab:
        (ours, _) = addresses_of(lab, _SERVICE)
        with _pinging(lab, ours, _BY_HAND):
            for kind, strike in STRIKES.items():
                for _ in range(ROUNDS):
                    found[kind].append(_struck(lab, ours, strike, advert_ms))
    return [one for kind, pairs in found.items() for one in _compared(kind, pairs)]


def thousand() -> Sequence[Measure]:
    """A thousand Services at once, what they cost, and one more under requests on others."""
    with _lan(200) as lab:
        manifests.write(lab.paths.manifests, "many-pool", [_many_pool()])
        before = _reloads(lab)
        start = time.monotonic()
        manifests.write(lab.paths.manifests, "many", [part for n in range(MANY) for part in _service(n)])
        wait_until(lambda: _present(lab) >= MANY, within=200.0, what=f"{MANY} addresses on the nodes")
        took = time.monotonic() - start
        reloads = max(now - before[node] for node, now in _reloads(lab).items())
        memory = max(_memory(lab, node) for node in lab.nodes)
        lost = _lost_meanwhile(lab)
    return [
        Measure(what=f"{MANY} Services written → all addresses present", value=took * 1000, unit="ms"),
        Measure(what="reloads, of the node with most", value=reloads, unit=""),
        Measure(what="keepalived and its sidecar, RSS", value=memory, unit="MB"),
        Measure(what="requests to others lost while one more came", value=lost, unit="", bound=0),
    ]


@contextmanager
def _lan(advert_ms: int) -> Iterator[Lab]:
    tour = TOURS["vip"]
    with held_lab(tour.topology, name=tour.name) as lab:
        lab.copy_manifests(*tour.more)

        def change(eip: dict[str, Any]) -> None:
            eip["spec"]["vip"]["advertIntervalMs"] = advert_ms

        lab.start_daemons()
        lab.desk.edit(Kind.EIP, "vip", change)
        await_one_each(lab, VIP, addresses_of(lab, _SERVICE))
        yield lab


@contextmanager
def _pinging(lab: Lab, *addresses: str) -> Iterator[None]:
    """So that the client's kernel has an entry for each."""
    with ExitStack() as stack:
        for address in addresses:
            argv = lab.space("client").argv("ping", "-n", "-q", "-i", "0.1", address)
            process = lab.processes.start(f"ping-{address.replace(':', '-')}", argv)
            stack.callback(process.kill, signal.SIGINT)
        yield


def _struck(lab: Lab, ours: str, strike: Strike, advert_ms: int) -> tuple[float, float]:
    """Seconds until the client sends elsewhere: for our address, and for the one by hand of the same node."""
    holder = _steady(lab, ours, advert_ms)
    with _by_hand(lab, holder, advert_ms), Learning(lab.space("client")) as learning, ExitStack() as broken:
        time.sleep(4 * advert_ms / 1000)
        struck = time.monotonic()
        broken.enter_context(strike(lab, holder))

        def elsewhere() -> dict[str, float] | None:
            seen: dict[str, float] = {}
            for one in learning.learned():
                if one.at >= struck and lab.node_by_mac.get(one.mac) not in (holder, None):
                    seen.setdefault(one.address, one.at - struck)
            return seen if seen.keys() >= {ours, _BY_HAND} else None

        found = wait_until(elsewhere, within=30.0, what="other masters in the client's table")
    return found[ours], found[_BY_HAND]


def _steady(lab: Lab, address: str, advert_ms: int) -> str:
    """The node that has our address, once every node takes part again."""
    wait_until(lambda: all(lab.keepalived(node) for node in lab.nodes), within=60.0, what="every keepalived")
    time.sleep(1.0 + 4 * advert_ms / 1000)
    return await_one_each(lab, VIP, [address])[address]


@contextmanager
def _by_hand(lab: Lab, master: str, advert_ms: int) -> Iterator[None]:
    """keepalived as an expert would set it up, in every node; that one is master."""
    others = [node for node in lab.nodes if node != master]
    started = [_start_by_hand(lab, node, rank, advert_ms) for rank, node in enumerate([master, *others])]
    try:
        wait_until(
            lambda: answering(lab, [_BY_HAND])[_BY_HAND] == (master,), within=30.0, what="the master by hand"
        )
        yield
    finally:
        for process in started:
            process.kill(signal.SIGTERM)
        for process in started:
            process.ended(within=5.0)
        for node in lab.nodes:
            for address in (f"{_BY_HAND}/32", f"169.254.{_VRID}.1/32"):
                lab.space(node).run("sh", "-c", f"ip address delete {address} dev {_NIC} 2>&1 || true")


def _start_by_hand(lab: Lab, node: str, rank: int, advert_ms: int) -> Process:
    folder = lab.paths.root / "by-hand" / node
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "keepalived.conf"
    config.write_text(_config(rank, advert_ms))
    argv = [program("keepalived"), "-n", "-l", "-P", "-R", "-f", str(config)]
    argv += ["-p", str(folder / "pid"), "-r", str(folder / "vrrp.pid")]
    return lab.processes.start(f"{node}-by-hand", lab.space(node).argv(*argv))


def _config(rank: int, advert_ms: int) -> str:
    return f"""\
global_defs {{
    vrrp_version 3
}}
vrrp_instance by_hand {{
    state BACKUP
    interface {_NIC}
    virtual_router_id {_VRID}
    priority {254 - 16 * rank}
    advert_int {advert_ms / 1000:g}
    virtual_ipaddress {{
        169.254.{_VRID}.1/32 dev {_NIC} scope link
    }}
    virtual_ipaddress_excluded {{
        {_BY_HAND}/32 dev {_NIC}
    }}
}}
"""


def _compared(kind: str, pairs: Sequence[tuple[float, float]]) -> list[Measure]:
    ours, beside = zip(*pairs, strict=True)
    measures = []
    for percent in (50, 95):
        value, other = percentile(ours, percent), percentile(beside, percent)
        bound = _ALLOWED * other if percent == 50 else None
        measures.append(
            Measure(what=f"{kind}: p{percent}", value=value, beside=other, unit="ms", bound=bound)
        )
    return measures


# A thousand


def _many_pool() -> dict[str, object]:
    return {
        "apiVersion": "network.kubesphere.io/v1alpha2",
        "kind": "Eip",
        "metadata": {"name": "many"},
        "spec": {
            "address": "fd00:10::3:1-fd00:10::3:7d0",
            "protocol": "vip",
            "vip": {"virtualRouterIds": "101-116"},
        },
    }


def _service(number: int) -> list[dict[str, object]]:
    name = f"many-{number:04}"
    annotations = {
        "lb.kubesphere.io/v1alpha1": "openelb",
        "eip.openelb.kubesphere.io/v1alpha2": "many",
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": "default", "annotations": annotations},
            "spec": {
                "type": "LoadBalancer",
                "ipFamilies": ["IPv6"],
                "ports": [{"name": "http", "port": 80, "targetPort": 8080}],
            },
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {
                "name": f"{name}-v6",
                "namespace": "default",
                "labels": {"kubernetes.io/service-name": name},
            },
            "addressType": "IPv6",
            "ports": [{"name": "http", "port": 8080}],
            "endpoints": [
                {"addresses": ["fd00:244:4::10"], "nodeName": "node4", "conditions": {"ready": True}}
            ],
        },
    ]


def _present(lab: Lab) -> int:
    return sum(
        lab.space(node).run("ip", "-6", "-o", "address", "show", "dev", _NIC).count(" fd00:10::3:")
        for node in lab.nodes
    )


def _reloads(lab: Lab) -> dict[str, int]:
    return {node: Path(lab.speaker(node).log).read_text().count("config_loaded") for node in lab.nodes}


def _memory(lab: Lab, node: str) -> float:
    """MB of keepalived's processes and of the sidecar above them."""
    pids = [process.pid for process in lab.keepalived(node)]
    parents = {_field(pid, "PPid") for pid in pids} - {1, *pids}
    return sum(_field(pid, "VmRSS") for pid in {*pids, *parents} if observed(pid)) / 1000


def _field(pid: int, name: str) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(rf"^{name}:\s+(\d+)", text, re.MULTILINE)[0])


def _lost_meanwhile(lab: Lab) -> int:
    """Pings to some of the others that were not answered while a Service was added."""
    watched = [f"fd00:10::3:{number:x}" for number in range(1, _WATCHED + 1)]
    pings = [_ping(lab, address) for address in watched]
    time.sleep(2.0)
    manifests.write(lab.paths.manifests, "one-more", _service(MANY))
    wait_until(lambda: _present(lab) > MANY, within=60.0, what="one more address")
    time.sleep(3.0)
    return sum(stop() for stop in pings)


def _ping(lab: Lab, address: str) -> Callable[[], int]:
    argv = lab.space("client").argv("ping", "-n", "-q", "-i", "0.02", "-W", "1", address)
    process = lab.processes.start(f"ping-{address.replace(':', '-')}", argv)

    def stop() -> int:
        process.kill(signal.SIGINT)
        process.ended(within=5.0)
        (counted,) = _LOST.findall(Path(process.log).read_text())
        # The last may be under way.
        return max(0, int(counted[0]) - int(counted[1]) - 1)

    return stop


at_100_ms = partial(failovers, 100)
at_200_ms = partial(failovers, 200)
at_1_s = partial(failovers, 1000)
