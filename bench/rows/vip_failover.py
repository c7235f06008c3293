"""vip on the LAN: how long a struck master's address is out, beside keepalived with a configuration by hand
in the same nodes, struck by the same blow.

A figure is when a client's kernel sends to another node, as its neighbour table says, or when the struck node
itself has the address anew: a keepalived that is started again may win the election.
"""

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from operator import itemgetter
from typing import Any

from bench.gained import Gained
from bench.percentiles import percentile
from bench.results import Measure
from lab.lab import Lab, held_lab
from lab.neighbours import Learning
from lab.processes import Process
from lab.shell import program, wait_until
from lab.steps.lan.crowd import addresses_of
from lab.steps.lan.failover import Strike
from lab.steps.lan.look import VIP, answering, await_first_each, await_one_each
from lab.steps.lan.strikes import keepalived_killed, powered_off, unplugged
from lab.tours import TOURS
from openelb_bgp.model.meta import Kind

STRIKES: Mapping[str, Strike] = {"power": powered_off, "cable": unplugged, "killed": keepalived_killed}
NIC = "eth1"
_SERVICE = "vip-shop"
_BY_HAND, _VRID = "10.10.3.200", 200
_ALLOWED = 1.1
"""Of what keepalived takes by hand."""


def failovers(kind: str, advert_ms: int, rounds: int) -> Sequence[Measure]:
    """p50 and p95 of one kind of fault, at an interval of advertisements."""
    with vip_lan(advert_ms) as lab:
        (ours, _) = addresses_of(lab, _SERVICE)
        with _pinging(lab, ours, _BY_HAND):
            phases = [number / rounds for number in range(rounds)]
            pairs = [_struck(lab, ours, STRIKES[kind], advert_ms, phase) for phase in phases]
    return _compared(pairs)


@contextmanager
def vip_lan(advert_ms: int) -> Iterator[Lab]:
    """The LAN of the vip tour, its pool at that interval."""
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


def _struck(lab: Lab, ours: str, strike: Strike, advert_ms: int, phase: float) -> tuple[float, float]:
    """Seconds until there is a master again: for our address, and for the one by hand of the same node.

    phase: 0 to 1, of an interval. The master by hand advertises for the first time just before each strike:
    without it every strike would meet that one, and not ours, at the same moment between two advertisements.
    """
    holder = _steady(lab, ours, advert_ms)
    with (
        _by_hand(lab, holder, advert_ms),
        Learning(lab.space("client")) as learning,
        Gained(lab.space(holder)) as again,
        ExitStack() as broken,
    ):
        time.sleep((4 + phase) * advert_ms / 1000)
        struck = time.monotonic()
        broken.enter_context(strike(lab, holder))

        def served() -> dict[str, float] | None:
            elsewhere = [
                (one.address, one.at)
                for one in learning.learned()
                if lab.node_by_mac.get(one.mac) not in (holder, None)
            ]
            seen: dict[str, float] = {}
            for address, at in sorted((*elsewhere, *again.gained()), key=itemgetter(1)):
                if at >= struck:
                    seen.setdefault(address, at - struck)
            return seen if seen.keys() >= {ours, _BY_HAND} else None

        found = wait_until(served, within=30.0, what="masters of both addresses")
    return found[ours], found[_BY_HAND]


def _steady(lab: Lab, address: str, advert_ms: int) -> str:
    """The node that has our address, once no master will move by itself any more."""
    wait_until(lambda: all(lab.keepalived(node) for node in lab.nodes), within=60.0, what="every keepalived")
    time.sleep(1.0 + 4 * advert_ms / 1000)
    return await_first_each(lab, VIP, [address])[address]


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
                lab.space(node).run("sh", "-c", f"ip address delete {address} dev {NIC} 2>&1 || true")


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
    interface {NIC}
    virtual_router_id {_VRID}
    priority {254 - 16 * rank}
    advert_int {advert_ms / 1000:g}
    virtual_ipaddress {{
        169.254.{_VRID}.1/32 dev {NIC} scope link
    }}
    virtual_ipaddress_excluded {{
        {_BY_HAND}/32 dev {NIC}
    }}
}}
"""


def _compared(pairs: Sequence[tuple[float, float]]) -> list[Measure]:
    ours, beside = zip(*pairs, strict=True)
    measures = []
    for percent in (50, 95):
        value, other = percentile(ours, percent), percentile(beside, percent)
        bound = _ALLOWED * other
        measures.append(Measure(what=f"p{percent}", value=value, beside=other, unit="ms", bound=bound))
    return measures
