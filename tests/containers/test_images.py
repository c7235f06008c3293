"""What is in the images, and what is not."""

import hashlib
import json
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lab.engine import images
from lab.engine.engine import Engine
from lab.engine.standins import BASE, REPOSITORY
from openelb_bgp.settings import GOBGP_VERSION

pytestmark = pytest.mark.timeout(1800)

MEGABYTES_AT_MOST = 150.0


def _inside(engine: Engine, image: str, script: str) -> str:
    """What a shell script prints in a container as the image's user, its root read-only."""
    return engine.docker("run", "--rm", "--read-only", "--entrypoint", "sh", image, "-c", script)


def _config(engine: Engine, image: str) -> Mapping[str, Any]:
    config: Mapping[str, Any] = json.loads(
        engine.docker("image", "inspect", "--format", "{{json .Config}}", image)
    )
    return config


def _version(engine: Engine) -> str:
    """What the label says, in the words that `--version` takes."""
    return str(_config(engine, images.DAEMON)["Labels"]["org.opencontainers.image.version"])


class File(NamedTuple):
    """A file of an image. `changed` is 0 for those that are not ours: they have the time of the build."""

    kind: bytes
    mode: int
    owner: tuple[int, int]
    content: str
    """Its digest; of a link where it leads."""
    changed: int


def _is_ours(path: str) -> bool:
    return path.startswith("opt/openelb-bgp/") or path == "usr/local/bin/gobgpd"


def _files(engine: Engine, image: str, folder: Path) -> Mapping[str, File]:
    """All files of an image, by their paths."""
    container, packed = engine.docker("create", image).strip(), folder / "image.tar"
    try:
        engine.docker("export", "--output", str(packed), container, timeout=300.0)
    finally:
        engine.docker("rm", container)
    with tarfile.open(packed) as archive:
        return {member.name: _file(archive, member) for member in archive}


def _file(archive: tarfile.TarFile, member: tarfile.TarInfo) -> File:
    read = archive.extractfile(member) if member.isreg() else None
    content = hashlib.sha256(read.read()).hexdigest() if read else member.linkname
    changed = int(member.mtime) if _is_ours(member.name) else 0
    return File(member.type, member.mode, (member.uid, member.gid), content, changed)


def test_the_daemon_is_not_large(engine: Engine) -> None:
    size = images.unpacked(engine, images.DAEMON) - images.unpacked(engine, BASE)
    assert size / 1e6 <= MEGABYTES_AT_MOST


def test_it_runs_as_nobody_in_particular_and_says_its_version(engine: Engine) -> None:
    version = _version(engine)
    assert version
    assert _inside(engine, images.DAEMON, "id -u; openelb-bgp --version") == (
        f"65532\nopenelb-bgp, version {version}\n"
    )


def test_both_daemons_are_in_it_at_the_versions_that_we_ship(engine: Engine) -> None:
    said = _inside(engine, images.DAEMON, "gobgpd --version; keepalived --version 2>&1")
    assert f"gobgpd version {GOBGP_VERSION}" in said
    assert "Keepalived v2." in said


def test_nothing_is_in_it_that_builds_or_fetches(engine: Engine) -> None:
    tools = "pip pip3 uv cc gcc c++ make go git curl wget"
    assert _inside(engine, images.DAEMON, f"for it in {tools}; do command -v $it; done; true") == ""
    assert _inside(engine, images.DAEMON, "python -m pip 2>&1 || true") == (
        "/opt/openelb-bgp/bin/python: No module named pip\n"
    )


def test_every_module_of_ours_can_be_imported(engine: Engine) -> None:
    script = (
        "import pkgutil, importlib, openelb_bgp as top\n"
        "for found in pkgutil.walk_packages(top.__path__, 'openelb_bgp.'):\n"
        "    if not found.name.endswith('__main__'): importlib.import_module(found.name)\n"
        "print('all')"
    )
    said = engine.docker("run", "--rm", "--read-only", "--entrypoint", "python", images.DAEMON, "-c", script)
    assert said == "all\n"


def test_packages_are_those_of_the_lock_file(engine: Engine) -> None:
    script = (
        "from importlib.metadata import distributions\n"
        "print(*(f'{one.name}=={one.version}' for one in distributions()))"
    )
    said = engine.docker("run", "--rm", "--entrypoint", "python", images.DAEMON, "-c", script).lower()
    lock = (REPOSITORY / "uv.lock").read_text()
    pinned = {
        f"{name}=={version}"
        for name, version in re.findall(r'^name = "(\S+)"\nversion = "(\S+)"$', lock, flags=re.MULTILINE)
    }
    assert set(said.replace("_", "-").split()) - pinned == {f"openelb-bgp=={_version(engine)}"}


def test_the_stop_signals_are_those_that_the_manifests_count_on(engine: Engine) -> None:
    signals = {name: _config(engine, name).get("StopSignal") for name in images.IMAGES}
    assert signals["openelb-bgp-gobgpd"] == "SIGKILL"
    assert signals["openelb-bgp-keepalived"] == "SIGTERM"
    assert signals[images.DAEMON] is None


def test_images_say_what_they_are(engine: Engine) -> None:
    labels = _config(engine, images.DAEMON)["Labels"]
    assert labels["org.opencontainers.image.title"] == "openelb-bgp"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert _config(engine, images.DAEMON)["Healthcheck"]["Test"] == ["CMD", "openelb-bgp", "health"]


def test_built_again_from_nothing_every_file_is_the_same(engine: Engine, tmp_path: Path) -> None:
    first = _files(engine, images.DAEMON, tmp_path)
    again = _files(engine, images.build_again(engine), tmp_path)
    assert first.keys() == again.keys()
    assert {path: (one, again[path]) for path, one in first.items() if one != again[path]} == {}


def test_all_files_of_ours_are_of_the_time_that_the_build_was_told(engine: Engine, tmp_path: Path) -> None:
    times = {one.changed for path, one in _files(engine, images.DAEMON, tmp_path).items() if _is_ours(path)}
    assert times == {images.epoch()}


def test_who_lists_what_the_image_is_made_of_finds_it_written_down(engine: Engine) -> None:
    # Of the wheels the test of uv.lock reads it; of the rest dpkg and Go's build info tell.
    script = (
        "dpkg-query --show --showformat '${Package}\n' keepalived; "
        "grep --text --only-matching 'mod\tgithub.com/osrg/gobgp/v[0-9]*\tv[0-9.]*' /usr/local/bin/gobgpd "
        "| sort -u"
    )
    major = GOBGP_VERSION.partition(".")[0]
    assert _inside(engine, images.DAEMON, script) == (
        f"keepalived\nmod\tgithub.com/osrg/gobgp/v{major}\tv{GOBGP_VERSION}\n"
    )


def test_bytecode_is_there_and_is_not_looked_at_twice(engine: Engine) -> None:
    # PEP 552: the flag of an unchecked hash-based pyc is 1, so no source file is read at a start.
    script = (
        "from pathlib import Path; import openelb_bgp\n"
        "found = list((Path(openelb_bgp.__file__).parent / '__pycache__').glob('*.pyc'))\n"
        "print(len(found) > 0, {int.from_bytes(one.read_bytes()[4:8], 'little') for one in found})"
    )
    said = engine.docker("run", "--rm", "--entrypoint", "python", images.DAEMON, "-c", script)
    assert said == "True {1}\n"
