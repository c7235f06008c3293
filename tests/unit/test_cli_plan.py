"""`plan` as a command: what a node would announce over a folder of manifests, and why not the rest."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from openelb_bgp.cli.plan import command
from openelb_bgp.files.database import Database
from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.statuses import LoadBalancerIngress, LoadBalancerStatus, ServiceStatus
from openelb_bgp.ports import StatusWrite

GOLDEN = Path(__file__).parents[1] / "golden"
MANIFESTS = (GOLDEN / "cli-plan.yaml").read_text()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "all.yaml").write_text(MANIFESTS)
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(command, [str(folder / "manifests"), *arguments], standalone_mode=False)


def document(folder: Path, *arguments: str) -> dict[str, Any]:
    shown = json.loads(run(folder, *arguments, "-o", "json").stdout)
    assert isinstance(shown, dict)
    return shown


def prefixes(shown: dict[str, Any]) -> list[str]:
    return [path["prefix"] for path in shown["paths"]]


def test_a_plan_reads_as_the_golden_file_says(folder: Path) -> None:
    result = run(folder, "--node", "n1")
    assert (result.return_value, result.stderr) == (0, "")
    assert result.stdout == (GOLDEN / "cli-plan.txt").read_text()


def test_a_plan_as_yaml_and_as_json_says_the_same(folder: Path) -> None:
    assert yaml.safe_load(run(folder, "--node", "n1", "-o", "yaml").stdout) == document(
        folder, "--node", "n1"
    )


@pytest.mark.parametrize("output", [(), ("-o", "yaml"), ("-o", "json")])
def test_no_password_is_in_a_plan(folder: Path, output: tuple[str, ...]) -> None:
    assert "hunter2" in MANIFESTS
    assert "hunter2" not in run(folder, "--node", "n1", *output).output


def test_each_node_has_a_plan_of_its_own(folder: Path) -> None:
    assert prefixes(document(folder, "--node", "n1")) == ["192.0.2.0/28", "192.0.2.1/32"]
    assert prefixes(document(folder, "--node", "n2")) == ["192.0.2.0/28", "192.0.2.0/32", "192.0.2.1/32"]


def test_what_has_been_allocated_already_stays(folder: Path) -> None:
    (folder / "state").mkdir()
    entry = LoadBalancerIngress(ip="192.0.2.9")
    database = Database.open(folder / "state", copy=False)
    database.commit(
        [
            StatusWrite(
                ref=ref(Kind.SERVICE, "web", namespace="default"),
                status=ServiceStatus(load_balancer=LoadBalancerStatus(ingress=(entry,))),
                annotations={keys.ALLOCATED_ANNOTATION: "192.0.2.9=west"},
            )
        ],
        [],
        now=0.0,
    )
    database.close()
    shown = document(folder, "--node", "n1", "--state", str(folder / "state"))
    assert prefixes(shown) == ["192.0.2.0/28", "192.0.2.9/32"]


def test_services_of_nobody_are_claimed_if_asked_for(folder: Path) -> None:
    objects = [one["object"] for one in document(folder, "--node", "n1", "--claim-all")["leftOut"]]
    reasons = {one["reason"] for one in document(folder, "--node", "n1", "--claim-all")["leftOut"]}
    assert "Service default/other" in objects
    assert "NotOurs" not in reasons


def test_a_service_of_another_class_is_told_that_its_class_is_why(folder: Path) -> None:
    (folder / "manifests" / "theirs.yaml").write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: theirs}\n"
        "spec: {type: LoadBalancer, loadBalancerClass: lb.kubesphere.io/openelbb, ports: [{port: 80}]}\n"
    )
    (said,) = (
        one["message"]
        for one in document(folder, "--node", "n1")["leftOut"]
        if one["object"] == "Service default/theirs"
    )
    assert said == (
        "its spec.loadBalancerClass lb.kubesphere.io/openelbb is another's; where it should be ours write "
        "lb.kubesphere.io/openelb"
    )


def test_a_node_without_a_bgp_conf_runs_no_bgp(folder: Path) -> None:
    manifest = folder / "manifests" / "all.yaml"
    manifest.write_text(
        MANIFESTS.replace("kind: BgpConf\nmetadata: {name: default}", "kind: BgpConf\nmetadata: {name: x}")
    )
    result = run(folder, "--node", "n1")
    assert result.stdout.startswith("Node n1 runs no BGP.\n\nNo peer.\n\nNothing is announced.\n")
    assert "NoBgpConf" in result.stdout


def test_objects_that_cannot_be_used_are_counted_and_do_not_fail_the_plan(folder: Path) -> None:
    (folder / "manifests" / "bad.yaml").write_text(
        "apiVersion: network.kubesphere.io/v1alpha2\nkind: Eip\nmetadata: {name: bad}\nspec: {address: x}\n"
    )
    result = run(folder, "--node", "n1")
    assert (result.return_value, result.stderr) == (
        0,
        "1 object cannot be used; openelb-bgp validate says why\n",
    )


def test_an_unknown_node_costs_one_line_that_names_the_others(folder: Path) -> None:
    error = run(folder, "--node", "n9").exception
    assert getattr(error, "exit_code", None) == 2
    assert str(error) == f"there is no Node n9 in {folder / 'manifests'}; its Nodes are: n1, n2"
