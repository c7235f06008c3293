"""The documentation's site: it builds, its links lead somewhere, and it fetches nothing from elsewhere."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pages.links import DeadLink, for_the_site

TOP = Path(__file__).parents[2]
PLACES = {"README.md", "docs/vip.md", "docs/reference/eip.md", "manifests/samples", "lab/tour.py"}

FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]+src="?(https?:[^">\s]+)|<link[^>]+href="?(https?:\S+)"""
)


def _build(top: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site))
    return subprocess.run(command, cwd=top, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    built = tmp_path_factory.mktemp("site")
    done = _build(TOP, built)
    assert done.returncode == 0, done.stderr
    return built


def test_the_site_builds_and_no_link_of_it_leads_nowhere(site: Path) -> None:
    # What `--strict` refuses, the test below sees refused.
    assert (site / "index.html").is_file()


def test_nothing_is_fetched_from_elsewhere_when_a_page_is_read(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert pages
    assert {page.name: found for page in pages if (found := FETCHED.findall(page.read_text()))} == {}


@pytest.mark.parametrize(
    ("broken", "complaint"),
    [
        ("[away](gone.md)", "there is no gone.md"),
        ("[away](operations.md#gone)", "does not contain an anchor '#gone'"),
    ],
)
def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path, broken: str, complaint: str) -> None:
    top = tmp_path / "top"
    for folder in ("pages", "docs"):
        shutil.copytree(TOP / folder, top / folder)
    for one in TOP.iterdir():
        if not (top / one.name).exists():
            (top / one.name).symlink_to(one)
    with (top / "docs" / "vip.md").open("a") as page:
        page.write(f"\n{broken}\n")
    done = _build(top, tmp_path / "site")
    assert done.returncode != 0
    assert complaint in done.stderr


def _linked(text: str, source: str) -> str:
    return for_the_site(text, source=source, exists=PLACES.__contains__)


def test_links_between_the_top_folder_and_docs_hold_on_the_site() -> None:
    assert _linked("[a](docs/vip.md)", "README.md") == "[a](vip.md)"
    assert _linked("[a](../README.md#try)", "docs/vip.md") == "[a](index.md#try)"
    assert _linked("[a](../vip.md#x)", "docs/reference/eip.md") == "[a](../vip.md#x)"


def test_a_file_that_is_no_page_is_named_without_a_link() -> None:
    assert _linked("see [the tour](../lab/tour.py)", "docs/vip.md") == "see the tour"


def test_what_leads_elsewhere_and_what_is_shown_as_code_stays() -> None:
    for text in ("[a](https://example.org/x.md)", "[a](#here)", "```\n[a](gone.md)\n```"):
        assert _linked(text, "docs/vip.md") == text


def test_a_link_to_a_file_that_is_not_there_is_told() -> None:
    with pytest.raises(DeadLink, match=r"docs/vip.md: there is no gone.md"):
        _linked("[a](gone.md)", "docs/vip.md")
