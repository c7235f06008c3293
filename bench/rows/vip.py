"""A thousand addresses of a vip pool at once, and one Service more under requests on others."""

import re
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.results import Measure
from bench.rows.vip_failover import NIC, vip_lan
from lab import manifests
from lab.lab import Lab
from lab.processes import observed
from lab.shell import wait_until

MANY = 1000
_WATCHED = 10
_LOST = re.compile(r"(\d+) packets transmitted, (\d+) received")


def thousand() -> Sequence[Measure]:
    """A thousand Services at once, what they cost, and one more under requests on others."""
    with vip_lan(200) as lab:
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
        lab.space(node).run("ip", "-6", "-o", "address", "show", "dev", NIC).count(" fd00:10::3:")
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
