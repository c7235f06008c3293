"""`layer2` as a command: who answers for what, over a folder of manifests and the state beside it."""

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from openelb_bgp.cli.layer2 import command
from openelb_bgp.files.database import Database
from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.statuses import (
    InterfaceStatus,
    Layer2Status,
    LoadBalancerIngress,
    LoadBalancerStatus,
    OwnedAddress,
    PoolStatus,
    Problem,
    ServiceStatus,
    SpeakerStatus,
)
from openelb_bgp.ports import StatusWrite
from tests.daemons.harness.manifests import eip, endpoints, node, service

GOLDEN = Path(__file__).parents[1] / "golden"


def speaker(*addresses: str) -> SpeakerStatus:
    owned = tuple(
        OwnedAddress(address=one, interface="eth0", since="2026-01-01T00:00:00Z") for one in addresses
    )
    nic = InterfaceStatus(name="eth0", mac="02:00:00:00:00:01", subnets=("10.0.0.0/24",), up=True)
    said = Problem(object="Service shop/local", reason="NotHeard", message="nobody hears n2 with 10.0.0.102")
    return SpeakerStatus(
        layer2=Layer2Status(owned=owned),
        interfaces=(nic,),
        pools=(PoolStatus(name="lan", ready=True),),
        problems=(said,),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    documents = [
        eip("lan", "10.0.0.100-10.0.0.110", protocol="layer2"),
        *(node(f"n{number}", f"10.0.0.{number}") for number in (1, 2, 3)),
        *(service(name, pool="lan") for name in ("web", "api", "new")),
        *(endpoints(name, "n1", "n2") for name in ("web", "api", "new")),
        service("local", pool="lan", local=True),
        endpoints("local", "n2", "n3"),
    ]
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "all.yaml").write_text("---\n".join(map(yaml.safe_dump, documents)))
    (tmp_path / "state").mkdir()
    database = Database.open(tmp_path / "state", copy=False)
    given = {"web": "10.0.0.100", "api": "10.0.0.101", "local": "10.0.0.102"}
    writes = [
        StatusWrite(
            ref=ref(Kind.SERVICE, name, namespace="shop"),
            status=ServiceStatus(load_balancer=LoadBalancerStatus(ingress=(LoadBalancerIngress(ip=text),))),
        )
        for name, text in given.items()
    ]
    held = {"n1": ("10.0.0.100",), "n2": ("10.0.0.102",), "n3": ("10.0.0.100",)}
    writes += [
        StatusWrite(ref=ref(Kind.SPEAKER, name), status=speaker(*found)) for name, found in held.items()
    ]
    database.commit(writes, (), now=0.0)
    database.close()
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    paths = ("--files", str(folder / "manifests"), "--state", str(folder / "state"))
    return CliRunner().invoke(command, [*paths, *arguments], standalone_mode=False, catch_exceptions=False)


def test_it_reads_as_the_golden_file_says(folder: Path) -> None:
    result = run(folder)
    assert (result.return_value, result.stderr) == (0, "")
    assert result.stdout == (GOLDEN / "cli-layer2.txt").read_text()


def test_json_says_the_same(folder: Path) -> None:
    found = json.loads(run(folder, "-o", "json").stdout)
    assert [(one["address"], one["owner"]) for one in found] == [
        ("10.0.0.100", ["n1", "n3"]),
        ("10.0.0.101", []),
        ("10.0.0.102", ["n2"]),
    ]


def test_without_a_layer2_pool_it_says_so(folder: Path) -> None:
    (folder / "manifests" / "all.yaml").write_text(yaml.safe_dump(node("n1", "10.0.0.1")))
    result = run(folder)
    assert (result.stdout, result.stderr) == ("", "no Service has an address of a pool of protocol layer2\n")


def test_json_says_of_every_other_node_why_it_is_no_candidate(folder: Path) -> None:
    found = json.loads(run(folder, "-o", "json").stdout)
    (local,) = [one for one in found if one["address"] == "10.0.0.102"]
    assert sorted(local["candidates"]) == ["n2", "n3"]
    assert [(node, why.partition(":")[0]) for node, why in local["notCandidates"].items()] == [
        ("n1", "NoLocalEndpoint")
    ]


def test_the_node_that_a_service_prefers_comes_first(folder: Path) -> None:
    manifests = folder / "manifests" / "all.yaml"
    preferred = service("web", pool="lan", annotations={keys.PREFERRED_NODE_ANNOTATION: "n3"})
    others = [one for one in yaml.safe_load_all(manifests.read_text()) if one["metadata"]["name"] != "web"]
    documents = [*others, preferred, endpoints("web", "n1", "n2")]
    manifests.write_text("---\n".join(map(yaml.safe_dump, documents)))
    (web, *_) = json.loads(run(folder, "-o", "json").stdout)
    assert web["candidates"] == ["n3", "n1", "n2"]
