"""The LAN lab as docker compose brings it up: layer2 and vip beside each other on one LAN."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import partial

import pytest

from lab.engine.engine import Engine
from lab.errors import LabError
from lab.steps.step import await_value
from tests.containers.kernels import PATIENCE
from tests.containers.site import Site, held_site

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def site(engine: Engine) -> Iterator[Site]:
    with held_site(engine, "docker-compose.lan.yml") as site:
        yield site


def _masters(site: Site) -> Mapping[str, list[str]]:
    """The nodes that have each address of the vip pools, as the controller's container tells it."""
    said = site.run_in("controller", "openelb-bgp", "vip", "-o", "json", "--files", "/etc/openelb-bgp")
    return {row["address"]: row["master"] for row in json.loads(said)}


def _answers(site: Site, address: str) -> bool:
    """Whether a request of the gateway's gets an answer."""
    host = f"[{address}]" if ":" in address else address
    try:
        site.run_in("gateway", "curl", "-fsgm1", "-o", "/dev/null", f"http://{host}/")
    except LabError:
        return False
    return True


def test_the_clients_log_ends_with_the_tours_table(site: Site) -> None:
    code, log = site.await_end("client"), site.log("client")
    assert code == 0, log
    counts = re.findall(r"(IPv[46]): .*?(\d+) +\d+ +(\d+)", log[log.index("What it cost") :])
    assert counts == [("IPv4", "300", "0"), ("IPv6", "300", "0")]


def test_a_vip_has_one_master_and_another_once_that_is_cut_off(site: Site) -> None:
    before = await_value(
        lambda: _masters(site),
        lambda masters: bool(masters) and all(len(nodes) == 1 for nodes in masters.values()),
        expected="one master for each address",
        within=PATIENCE,
    )
    # The Service's pod is on node4.
    address, (master,) = next((ip, nodes) for ip, nodes in sorted(before.items()) if nodes != ["node4"])
    await_value(partial(_answers, site, address), bool, expected=f"{address} answers", within=PATIENCE)
    site.run_in(master, "ip", "link", "set", "eth1", "down")
    await_value(
        lambda: _masters(site)[address],
        lambda nodes: len(nodes) == 1 and nodes != [master],
        expected=f"another master of {address} than {master}",
        within=PATIENCE,
    )
    await_value(partial(_answers, site, address), bool, expected=f"{address} answers again", within=PATIENCE)
