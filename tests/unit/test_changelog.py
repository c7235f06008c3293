"""The changelog is kept: its form, and that the manifests are of a version that it names or of the next."""

import re
from pathlib import Path

import yaml

from hack.version import FIRST, ROOT, after_the_newest, released

TEXT = (ROOT / "CHANGELOG.md").read_text()
_HEADS = re.compile(r"^## (.*)$", re.MULTILINE)
_KINDS = re.compile(r"^### (.*)$", re.MULTILINE)


def test_what_is_not_released_yet_comes_first_and_releases_have_a_date() -> None:
    heads = _HEADS.findall(TEXT)
    assert heads[0] == "[Unreleased]"
    assert [
        head for head in heads[1:] if not re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d\d-\d\d", head)
    ] == []


def test_changes_are_sorted_by_the_kinds_of_keep_a_changelog() -> None:
    allowed = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(_KINDS.findall(TEXT)) <= allowed


def test_releases_go_down() -> None:
    numbers = [tuple(map(int, one.split("."))) for one in released(TEXT)]
    assert numbers == sorted(set(numbers), reverse=True)


def test_the_manifests_are_of_the_newest_release_or_of_the_next() -> None:
    chart = yaml.safe_load((ROOT / "manifests" / "chart" / "Chart.yaml").read_text())
    newest = released(TEXT)[:1] or [FIRST]
    assert chart["appVersion"] in {*newest, after_the_newest(Path(ROOT))}
