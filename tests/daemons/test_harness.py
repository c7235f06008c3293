"""The harness itself: what it must not get wrong, or the other tests prove nothing."""

import subprocess
import sys
from pathlib import Path

from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.netns import Lan, sweep

_CRASH = """
import os
from tests.daemons.harness.netns import make_lan
print(make_lan().switch.name, flush=True)
os.kill(os.getpid(), 9)
"""


def test_what_a_crashed_run_left_is_swept_and_a_living_one_is_not(lan: Lan) -> None:
    crashed = subprocess.run([sys.executable, "-c", _CRASH], capture_output=True, text=True, check=False)
    left = Path("/run/netns") / crashed.stdout.strip()
    assert crashed.stdout and left.exists(), crashed.stderr
    sweep()
    assert not left.exists()
    assert (Path("/run/netns") / lan.switch.name).exists()


def test_every_deleted_route_counts_and_a_replaced_one_does_not(lan: Lan) -> None:
    router = lan.routers[0]
    router.run("ip", "route", "add", "198.18.0.1", "via", "10.0.0.11", "proto", "bgp")
    router.run("ip", "route", "add", "198.18.0.2", "via", "10.0.0.11", "proto", "bgp")
    with RouteDeletions(router) as deletions:
        router.run("ip", "route", "replace", "198.18.0.1", "via", "10.0.0.12", "proto", "bgp")
        router.run("ip", "route", "delete", "198.18.0.2")
        router.run("ip", "-6", "route", "add", "fd00:b::1", "via", "fd00:a::b", "proto", "bgp")
        router.run("ip", "-6", "route", "delete", "fd00:b::1")
    assert deletions.prefixes == ("198.18.0.2", "fd00:b::1")


def test_members_of_a_lan_reach_each_other_and_a_pulled_cable_shows(lan: Lan) -> None:
    node, router = lan.nodes[0], lan.routers[0]
    for address in (router.v4, router.v6):
        node.run("ping", "-c", "1", "-W", "2", address)
    lan.set_carrier(node, up=False)
    assert "NO-CARRIER" in node.run("ip", "link", "show", "eth0")
