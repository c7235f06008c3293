"""Which version a checkout is of, told by real repositories."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.version import Version

from hack.version import released, version

Git = Callable[..., str]

CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n- New.\n"
RELEASED = CHANGELOG + "\n## [1.2.0] - 2026-11-28\n\n- Old.\n\n## [1.1.9] - 2026-11-01\n"


@pytest.fixture(autouse=True)
def _nothing_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENELB_BGP_VERSION", raising=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    folder.mkdir()
    (folder / "CHANGELOG.md").write_text(CHANGELOG)
    return folder


@pytest.fixture
def git(checkout: Path) -> Git:
    """Runs git in the checkout, which it has made a repository of one commit."""
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")

    def run(*arguments: str, at: Path = checkout) -> str:
        argv = ("git", *who, "-C", str(at), *arguments)
        return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()

    run("init", "--quiet")
    run("add", ".")
    run("commit", "--quiet", "--message", "First")
    return run


def _more(git: Git, count: int) -> str:
    for number in range(count):
        git("commit", "--quiet", "--allow-empty", "--message", f"Change {number}")
    return "g" + git("rev-parse", "--short", "HEAD")


def test_at_a_tag_it_is_the_tag(checkout: Path, git: Git) -> None:
    git("tag", "v1.2.0")
    assert version(checkout) == "1.2.0"


def test_after_a_tag_it_counts_the_commits_towards_the_next(checkout: Path, git: Git) -> None:
    git("tag", "v1.2.0")
    sha = _more(git, 3)
    assert version(checkout) == f"1.2.1.dev3+{sha}"
    assert Version("1.2.0") < Version(version(checkout)) < Version("1.2.1")


def test_a_changed_checkout_of_a_tag_is_not_the_release(checkout: Path, git: Git) -> None:
    git("tag", "v1.2.0")
    (checkout / "CHANGELOG.md").write_text("changed")
    sha = git("rev-parse", "--short", "HEAD")
    assert version(checkout) == f"1.2.1.dev0+g{sha}.dirty"


def test_other_tags_count_for_nothing(checkout: Path, git: Git) -> None:
    git("tag", "v1.2.0")
    _more(git, 1)
    git("tag", "nightly")
    assert version(checkout).startswith("1.2.1.dev1+g")


def test_without_a_tag_it_comes_before_the_first_release(checkout: Path, git: Git) -> None:
    assert version(checkout) == f"0.1.0.dev0+g{git('rev-parse', '--short', 'HEAD')}"


def test_a_shallow_clone_takes_the_number_from_the_changelog(
    checkout: Path, git: Git, tmp_path: Path
) -> None:
    (checkout / "CHANGELOG.md").write_text(RELEASED)
    git("commit", "--quiet", "--all", "--message", "Release 1.2.0")
    git("tag", "v1.2.0")
    sha = _more(git, 2)
    clone = tmp_path / "clone"
    git("clone", "--quiet", "--depth=1", f"file://{checkout}", str(clone), at=tmp_path)
    assert version(clone) == f"1.2.1.dev0+{sha}"


def test_a_shallow_clone_of_a_tag_is_the_release(checkout: Path, git: Git, tmp_path: Path) -> None:
    git("tag", "v1.2.0")
    clone = tmp_path / "clone"
    git("clone", "--quiet", "--depth=1", "--branch=v1.2.0", f"file://{checkout}", str(clone), at=tmp_path)
    assert version(clone) == "1.2.0"


def test_an_unpacked_archive_takes_the_number_from_the_changelog(checkout: Path) -> None:
    assert version(checkout) == "0.1.0.dev0"
    (checkout / "CHANGELOG.md").write_text(RELEASED)
    assert version(checkout) == "1.2.1.dev0"


def test_a_repository_around_it_is_not_asked(checkout: Path, git: Git) -> None:
    git("tag", "v9.9.9")
    inner = checkout / "vendored"
    inner.mkdir()
    (inner / "CHANGELOG.md").write_text(RELEASED)
    assert version(inner) == "1.2.1.dev0"


def test_without_git_it_is_known_all_the_same(
    checkout: Path, git: Git, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    git("tag", "v1.2.0")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shutil.which("git") is None
    assert version(checkout) == "0.1.0.dev0"


def test_whoever_builds_may_say_it(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENELB_BGP_VERSION", "1.2.0")
    assert version(checkout) == "1.2.0"


def test_the_changelogs_releases_come_newest_first() -> None:
    assert released(RELEASED) == ["1.2.0", "1.1.9"]
