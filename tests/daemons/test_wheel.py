"""What `pip install openelb-bgp` brings: the wheel, in a virtual environment with nothing else, works."""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.cluster.programs import cache
from openelb_bgp.cli.commands import COMMANDS
from tests.daemons.harness.gobgp import NEW, gobgpd_binary
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.processes import Daemon
from tests.daemons.harness.waiting import wait_until

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "manifests" / "samples" / "openelb"
VERSION = "7.8.9"
"""None that a tag could have given."""
_OURS = ("PYTHONPATH", "VIRTUAL_ENV", "OPENELB_BGP_VERSION")
"""By which what is installed could be helped by the checkout."""


def _run(*argv: str | Path, version: str = "", at: Path = ROOT) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in _OURS}
    environment |= {"OPENELB_BGP_VERSION": version} if version else {}
    done = subprocess.run(
        [str(part) for part in argv], cwd=at, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


def _uv() -> str:
    found = shutil.which("uv") or shutil.which(cache() / "uv" / "bin" / "uv")
    assert found, "uv is missing: `make setup` installs it"
    return str(found)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of both distributions: the wheel is built from the unpacked source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    _run(_uv(), "build", "--quiet", "--out-dir", folder, version=VERSION)
    return folder


@pytest.fixture(scope="module")
def installed(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the wheel, and what it asks for as uv.lock pins it; without our checkout."""
    folder = tmp_path_factory.mktemp("fresh")
    locked = folder / "constraints.txt"
    _run(_uv(), "export", "--frozen", "--quiet", "--no-dev", "--no-emit-project", "--output-file", locked)
    _run(_uv(), "venv", "--quiet", "--python", sys.executable, folder / "venv")
    python = folder / "venv" / "bin" / "python"
    _run(_uv(), "pip", "install", "--quiet", "--python", python, "--requirements", locked)
    _run(_uv(), "pip", "install", "--quiet", "--python", python, _wheel(built), at=folder)
    return folder / "venv"


def _wheel(built: Path) -> Path:
    (wheel,) = built.glob("*.whl")
    return wheel


def test_both_distributions_are_of_the_version_that_was_asked_for(built: Path) -> None:
    assert {path.name for path in built.iterdir() if path.name != ".gitignore"} == {
        f"openelb_bgp-{VERSION}-py3-none-any.whl",
        f"openelb_bgp-{VERSION}.tar.gz",
    }


def test_the_wheel_holds_the_stubs_the_version_and_the_manual_page_and_no_tests(built: Path) -> None:
    names = set(zipfile.ZipFile(_wheel(built)).namelist())
    assert {
        "openelb_bgp/_version.py",
        "openelb_bgp/py.typed",
        *(f"openelb_bgp/bgp/gobgp/_pb/gobgp{number}_pb2.py" for number in (3, 4)),
        f"openelb_bgp-{VERSION}.data/data/share/man/man1/openelb-bgp.1",
        f"openelb_bgp-{VERSION}.dist-info/licenses/LICENSE",
    } <= names
    assert {name.partition("/")[0] for name in names} == {
        "openelb_bgp",
        f"openelb_bgp-{VERSION}.data",
        f"openelb_bgp-{VERSION}.dist-info",
    }


def test_the_source_distribution_builds_to_its_own_version_wherever_it_is_unpacked(
    built: Path, tmp_path: Path
) -> None:
    """Also in somebody else's repository, whose tags say something else."""
    _run("git", "init", "--quiet", tmp_path)
    with tarfile.open(built / f"openelb_bgp-{VERSION}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    _run(_uv(), "build", "--quiet", "--wheel", "--out-dir", tmp_path, tmp_path / f"openelb_bgp-{VERSION}")
    assert (tmp_path / f"openelb_bgp-{VERSION}-py3-none-any.whl").exists()


def test_the_installed_program_says_its_version_and_its_commands(installed: Path, tmp_path: Path) -> None:
    program = installed / "bin" / "openelb-bgp"
    assert _run(program, "--version", at=tmp_path) == f"openelb-bgp, version {VERSION}\n"
    assert re.findall(r"^  ([a-z0-9]+) ", _run(program, "--help", at=tmp_path), re.MULTILINE) == list(
        COMMANDS
    )
    assert (installed / "share" / "man" / "man1" / "openelb-bgp.1").exists()


def test_every_command_of_it_can_be_asked_for_help(installed: Path, tmp_path: Path) -> None:
    """So that nothing that it imports is missing without the packages of development."""
    program = installed / "bin" / "openelb-bgp"
    said = {name: _run(program, name, "--help", at=tmp_path).lower() for name in COMMANDS}
    assert not [name for name, text in said.items() if f"usage: openelb-bgp {name}" not in text]


@pytest.fixture
def running(installed: Path, lan: Lan, tmp_path: Path) -> Iterator[Path]:
    """`run` over OpenELB's samples, in a node of its own; where its manifests and its state are."""
    manifests = shutil.copytree(SAMPLES, tmp_path / "manifests")
    argv = [str(installed / "bin" / "openelb-bgp"), "run", "--files", str(manifests)]
    argv += ["--state", str(tmp_path / "state"), "--runtime-dir", str(tmp_path / "run")]
    argv += ["--gobgpd", str(gobgpd_binary(NEW)), "--node-name", "node1", "--withdraw-on-exit"]
    daemon = Daemon(lan.nodes[0].argv(*argv), log=tmp_path / "run.log")
    daemon.start()
    yield tmp_path
    daemon.end()


async def test_run_gives_the_samples_service_its_address(installed: Path, running: Path) -> None:
    program = installed / "bin" / "openelb-bgp"

    def services() -> str:
        where = ("--files", running / "manifests", "--state", running / "state")
        done = subprocess.run(
            [str(part) for part in (program, "get", "services", *where)],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout

    await wait_until(lambda: "192.168.0.91" in services(), within=60, what="the address")
