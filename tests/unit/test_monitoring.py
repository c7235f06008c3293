"""Alerts, dashboard (manifests/grafana) and pages name only metrics and labels that daemons serve."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pages import metrics
from tests.pages import DOCS

FOLDER = DOCS.parent / "manifests" / "grafana"
_METRIC = re.compile(r"\bopenelb_[a-z0-9_]+\b")
_SELECTED = re.compile(r"\b(openelb_[a-z0-9_]+)\{([^}]*)\}")
# Labels that Prometheus adds by itself.
_ADDED = frozenset({"instance", "le"})


def _served() -> dict[str, frozenset[str]]:
    """The labels of each metric by the names under which Prometheus has it."""
    served: dict[str, frozenset[str]] = {}
    for line in metrics.page().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `openelb_"):
            name, labels = cells[0].strip("`"), frozenset(re.findall(r"`([a-z]+)`", cells[2]))
            ends = ("_bucket", "_sum", "_count") if cells[1] == "histogram" else ("",)
            served.update({f"{name}{end}": labels for end in ends})
    return served


def _alerts() -> list[dict[str, Any]]:
    document = yaml.safe_load((FOLDER / "alerts.yaml").read_text())
    return [rule for group in document["spec"]["groups"] for rule in group["rules"]]


def _panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    return panels


def _expressions() -> Iterator[str]:
    yield from (alert["expr"] for alert in _alerts())
    yield from (target["expr"] for panel in _panels() for target in panel.get("targets", ()))


def test_every_metric_that_is_asked_for_is_served() -> None:
    asked = {name for expression in _expressions() for name in _METRIC.findall(expression)}
    assert asked - set(_served()) == set()


def test_every_label_that_is_asked_for_is_one_of_that_metric() -> None:
    served = _served()
    asked = {
        (name, label)
        for expression in _expressions()
        for name, selector in _SELECTED.findall(expression)
        for label in re.findall(r"([a-z_]+)\s*=", selector)
    }
    assert {(name, label) for name, label in asked if label not in served[name] | _ADDED} == set()


def test_every_alert_says_what_is_wrong_and_how_bad_it_is() -> None:
    assert {alert["labels"]["severity"] for alert in _alerts()} == {"critical", "warning"}
    assert all(alert["annotations"]["summary"].endswith((".", "?")) for alert in _alerts())
    assert len({alert["alert"] for alert in _alerts()}) == len(_alerts())


def test_every_alert_is_told_of_in_operations() -> None:
    told = set(re.findall(r"`(Openelb[A-Za-z0-9]+)`", (DOCS / "operations.md").read_text()))
    assert told == {alert["alert"] for alert in _alerts()}


def test_no_panel_lies_on_another() -> None:
    taken = [
        (x, y)
        for panel in _panels()
        for place in [panel["gridPos"]]
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert len({panel["id"] for panel in _panels()}) == len(_panels())


@pytest.mark.parametrize("page", ["operations.md", "layer2.md", "vip.md"])
def test_a_page_names_no_metric_that_is_not_served(page: str) -> None:
    text = Path(DOCS / page).read_text()
    named = {name.rstrip("_") for name in _METRIC.findall(text)} - {"openelb_bgp_vip"}
    assert named - set(_served()) == set()
