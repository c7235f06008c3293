"""What the lab prints: it fits the terminal, says what a failing step saw, and sums up what was lost."""

import io

import pytest
from rich.console import Console

from lab.errors import StepFailed
from lab.lab import Lab
from lab.manifests import Object, edit, objects
from lab.show import Screen
from lab.steps import CLUSTER_TOUR, Finding, Step
from lab.topology import load
from lab.tour import tour
from lab.tours import TOURS, Tour
from lab.traffic import Answer, Tally

TALLY = Tally(
    (
        Answer(sent=1.0, backend="pod1"),
        Answer(sent=2.0, backend="pod2", tries=2),
        Answer(sent=3.0, backend=None, error="TimeoutError"),
    )
)
MODES = {"ecmp": "bgp", "layer2": "layer2", "vip": "vip"}


def _holds(lab: Lab) -> Finding:
    rows = [("198.51.100.1/32", "node1 node2 node3 " * 3, 3), ("2001:db8:100::10/128", "[none]", 0)]
    return Finding("Of 3 requests one was lost. " * 4, ("route", "next hops", "count"), rows, TALLY)


def _fails(lab: Lab) -> Finding:
    raise StepFailed("expected: none of 3 requests lost\nsaw: 1 lost [TimeoutError]")


def _taken(lab: Lab, *steps: Step, width: int = 80) -> tuple[bool, str]:
    written = io.StringIO()
    held = tour(lab, Screen(Console(file=written, width=width, highlight=False)), steps)
    return held, written.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_of_a_tour_is_wider_than_the_terminal(bare: Lab, width: int) -> None:
    held, text = _taken(bare, *(Step(one.title, one.does, _holds) for one in CLUSTER_TOUR), width=width)
    assert held
    assert [line for line in text.splitlines() if len(line) > width] == []


@pytest.mark.parametrize("one", TOURS.values(), ids=lambda one: one.name)
def test_what_a_step_is_about_to_do_fits_one_line_of_80_columns(one: Tour) -> None:
    assert [step.does for step in (*one.steps, *one.in_cluster) if len(step.does) > 80] == []


def test_the_summary_counts_what_was_sent_twice_what_was_lost_and_for_how_long(bare: Lab) -> None:
    held, text = _taken(bare, Step("A node falls silent", "It does.", _holds))
    row = next(line.split() for line in text.splitlines()[::-1] if "A node falls silent" in line)
    assert (held, row) == (True, ["A", "node", "falls", "silent", "3", "1", "1", "0.0", "s"])


def test_a_failing_step_ends_the_tour_and_says_what_it_saw(bare: Lab) -> None:
    held, text = _taken(bare, Step("First", "It fails.", _fails), Step("Second", "Not reached.", _holds))
    assert not held
    assert "✗ This step failed." in text
    assert "expected: none of 3 requests lost\nsaw: 1 lost [TimeoutError]\n" in text
    assert "Second" not in text


def _next_commands(lab: Lab, *, service: str = "default/web") -> list[str]:
    written = io.StringIO()
    Screen(Console(file=written, width=40, highlight=False)).next_commands(lab, service=service)
    return [line.strip() for line in written.getvalue().splitlines()]


def test_the_commands_to_try_next_are_whole_lines(bare: Lab) -> None:
    bare.copy_manifests()
    commands = _next_commands(bare)
    assert f"ip netns exec {bare.routers['leaf1'].name} ip route show proto bgp" in commands
    assert "make demo-down" in commands


@pytest.mark.parametrize(
    ("service", "address"),
    [
        ("default/web", "198.51.100.1"),
        ("default/web-local", "198.51.100.2"),
        ("default/gone", "198.51.100.1"),
    ],
)
def test_the_commands_to_try_next_name_an_address_of_the_service_or_of_any(
    bare: Lab, service: str, address: str
) -> None:
    bare.copy_manifests()
    _give(bare, "web", "198.51.100.1")
    _give(bare, "web-local", "198.51.100.2")
    request = f"ip netns exec {bare.client.name} curl -s http://{address}/"
    assert request in _next_commands(bare, service=service)


def _give(lab: Lab, service: str, address: str) -> None:
    status = {"loadBalancer": {"ingress": [{"ip": address}]}}
    edit(lab.paths.manifests, "Service", service, lambda it: it.update(status=status))


@pytest.mark.parametrize("one", TOURS.values(), ids=lambda one: one.name)
def test_the_service_whose_address_is_named_is_one_of_the_tours_own_mode(one: Tour) -> None:
    folders = (load(one.topology).in_group("node")[0].bound("/etc/openelb-bgp"), *one.more)
    known = [item for folder in folders if folder is not None for item in objects(folder)]
    service = next(item for item in known if _is(item, "Service", one.service.removeprefix("default/")))
    named = service["metadata"]["annotations"].get("eip.openelb.kubesphere.io/v1alpha2")
    pools = [item for item in known if item["kind"] == "Eip" and named in (None, item["metadata"]["name"])]
    defaults = [item for item in pools if named or "annotations" in item["metadata"]]
    assert {item["spec"].get("protocol", "bgp") for item in defaults} == {MODES[one.name]}


def _is(item: Object, kind: str, name: str) -> bool:
    return (item["kind"], item["metadata"]["name"]) == (kind, name)
