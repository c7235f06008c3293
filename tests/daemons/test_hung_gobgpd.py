"""A gobgpd that hangs holds up BGP alone: what layer2 answers for is decided and answered all the same."""

import contextlib
import os
import signal
import time
from functools import partial

from openelb_bgp.sidecar import client as sidecar
from tests.daemons.harness.house import House
from tests.daemons.harness.layer2 import mac_of
from tests.daemons.harness.manifests import Object, eip, endpoints, service
from tests.daemons.harness.netns import Namespace
from tests.daemons.harness.waiting import wait_until

STEPS = 3
GIVEN_UP = 5.0
"""Seconds until a call to gobgpd is given up. Whoever waits for one is slower."""


async def test_while_gobgpd_hangs_layer2_answers_for_each_new_service_at_once(house: House) -> None:
    node, client = house.lan.nodes[0], house.lan.routers[1]
    pool = eip("lan", "10.0.0.200-10.0.0.220", protocol="layer2", interface="eth0")
    house.ours.write("lan", pool, *_services(0))
    await wait_until(partial(_is_answered, client, node, 0), within=60, what="the first address")
    found = sidecar.find(house.ours.runtime)
    assert found is not None and found.daemon is not None
    os.kill(found.daemon.pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        for number in range(1, STEPS + 1):
            house.ours.write(f"lan{number}", *_services(number))
            await wait_until(partial(_is_answered, client, node, number), within=60, what=f"number {number}")
        took = time.monotonic() - began
    finally:
        # It may have been replaced by then.
        with contextlib.suppress(ProcessLookupError):
            os.kill(found.daemon.pid, signal.SIGCONT)
    assert took < GIVEN_UP
    await house.ours.announced(f"shop/bgp{STEPS}", within=60)


def _services(number: int) -> list[Object]:
    """One of each mode: what is new to gobgpd is asked of it."""
    names = {f"bgp{number}": None, f"arp{number}": "lan"}
    return [
        one for name, pool in names.items() for one in (service(name, pool=pool), endpoints(name, "node1"))
    ]


def _is_answered(client: Namespace, node: Namespace, number: int) -> bool:
    address = f"10.0.0.{200 + number}"
    client.run("sh", "-c", f"ping -c1 -W0.1 {address} || true")
    return mac_of(node) in client.run("ip", "neighbour", "show", address)
