"""The version of this checkout, from its git tags; hatchling asks when it builds (`[tool.hatch.version]`).

At the tag v1.2.3 it is 1.2.3; 4 commits later 1.2.4.dev4+gSHA. Where no tag is to be seen (none made yet, a
shallow clone, an unpacked archive) it is the number after the newest release in CHANGELOG.md, as .dev0.
OPENELB_BGP_VERSION says otherwise, for who builds without the history. A source distribution carries its
version in PKG-INFO, and nobody asks here. Standard library only; it calls git.
"""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIRST = "0.1.0"
"""What comes when nothing has been released yet."""

_TAG = re.compile(r"v(\d+)\.(\d+)\.(\d+)")
_DESCRIBED = re.compile(rf"(?P<tag>{_TAG.pattern})-(?P<ahead>\d+)-(?P<sha>g[0-9a-f]+)(?P<dirty>-dirty)?")
_RELEASE = re.compile(r"^## \[(\d+)\.(\d+)\.(\d+)\]", re.MULTILINE)


def version(root: Path = ROOT) -> str:
    """The version of the checkout in that folder, by PEP 440."""
    chosen = os.environ.get("OPENELB_BGP_VERSION", "")
    if chosen:
        return chosen
    described = _git(root, "describe", "--tags", "--long", "--dirty", "--match", "v[0-9]*")
    if found := _DESCRIBED.fullmatch(described):
        return _since(found)
    sha = _git(root, "rev-parse", "--short", "HEAD")
    return f"{after_the_newest(root)}.dev0" + (f"+g{sha}" if sha else "")


def released(changelog: str) -> list[str]:
    """The releases of a changelog, newest first."""
    return [".".join(numbers) for numbers in _RELEASE.findall(changelog)]


def after_the_newest(root: Path) -> str:
    """The number that follows the newest release of the changelog."""
    known = released((root / "CHANGELOG.md").read_text())
    return _next(*known[0].split(".")) if known else FIRST


def _since(found: re.Match[str]) -> str:
    major, minor, patch = found.group(2, 3, 4)
    if found["ahead"] == "0" and not found["dirty"]:
        return f"{major}.{minor}.{patch}"
    changed = ".dirty" if found["dirty"] else ""
    return f"{_next(major, minor, patch)}.dev{found['ahead']}+{found['sha']}{changed}"


def _next(major: str, minor: str, patch: str) -> str:
    return f"{major}.{minor}.{int(patch) + 1}"


def _git(root: Path, *arguments: str) -> str:
    """What git says of the repository whose top is this folder; nothing where it is none, or without git."""
    # Somebody else's checkout, as in a container: nothing of it is run here.
    argv = ("git", "-c", f"safe.directory={root}", "-C", str(root))
    try:
        top = _said(*argv, "rev-parse", "--show-toplevel")
        return _said(*argv, *arguments) if Path(top).resolve() == root.resolve() else ""
    except (OSError, subprocess.CalledProcessError):
        return ""


def _said(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
