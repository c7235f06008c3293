"""`hack/setup` takes gobgpd, Helm and Kubernetes from their official releases, if it gets what was published.

Else it builds them. curl is a script that knows the addresses that a test gives it, and go one that writes
programs.
"""

import hashlib
import io
import os
import platform
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab.cluster.programs import CONTAINERLAB_VERSION, HELM_VERSION, KUBE_VERSION

TOP = Path(__file__).parents[2]
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
CURL = """\
#!/bin/sh
while [ $# -gt 1 ]; do case $1 in -o) file=$2; shift 2 ;; *) shift ;; esac; done
cp "$MIRROR/${1#https://}" "$file" 2>/dev/null || exit 22
"""
GO = """\
#!/bin/bash
[[ $GO_WORKS ]] || { printf 'go: downloading x\nx.go:1: syntax error\n' >&2; exit 1; }
folder=$GOBIN version=$GO_WORKS packages=()
while (($#)); do
  case $1 in -o) folder=$2; shift ;; -*) ;; */*) packages+=("${1%@*}") ;; esac
  shift
done
for package in "${packages[@]}"; do
  case ${package##*/} in
    gobgpd) says="gobgpd version $version" ;; helm) says="v$version" ;; containerlab) says=$version ;;
    *) says="Kubernetes v$version" ;;
  esac
  printf '#!/bin/sh\necho %s\n' "$says" > "$folder/${package##*/}"
  chmod 755 "$folder/${package##*/}"
done
"""
LIBRARIES = "for name in base go delivery gobgp helm kube containerlab; do source hack/lib/$name.sh; done"
FIND_GO = "find_go() { GO=$TOOLS/go; [[ -x $GO ]]; }"
VERSIONS = {
    "gobgp": "9.9.9",
    "helm": HELM_VERSION,
    "kubernetes": KUBE_VERSION,
    "containerlab": CONTAINERLAB_VERSION,
}
"""gobgpd's is the caller's to say; there is no package of this one."""
SAYS = {"gobgpd": "gobgpd version {}", "helm": "v{}+g1234567", "kube-apiserver": "Kubernetes v{}"}


@dataclass
class Machine:
    """A cache, and what can be downloaded: contents by address."""

    folder: Path
    offered: dict[str, bytes] = field(default_factory=dict)
    go: str | None = None
    """The version of what Go builds; empty where it fails, None where there is no Go."""

    @property
    def cache(self) -> Path:
        return self.folder / "cache"

    def run(self, command: str) -> "subprocess.CompletedProcess[str]":
        """A command of the libraries."""
        for address, content in self.offered.items():
            file = self.folder / "mirror" / address
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        tools = self.folder / "tools"
        tools.mkdir(exist_ok=True)
        for name, text in (("curl", CURL), ("go", GO if self.go is not None else None)):
            if text is not None:
                (tools / name).write_text(text)
                (tools / name).chmod(0o755)
        environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "TOOLS": str(tools),
            "GO_WORKS": self.go or "",
            "MIRROR": str(self.folder / "mirror"),
            "OPENELB_BGP_CACHE": str(self.cache),
        }
        script = f"set -euo pipefail; {LIBRARIES}; {FIND_GO}; {command}"
        return subprocess.run(
            ("bash", "-c", script), cwd=TOP, env=environment, capture_output=True, text=True, check=False
        )

    def got(self) -> Mapping[str, list[str]]:
        """What is in the cache: files by the folder of their program and version."""
        folders = [one for program in self.cache.glob("*") for one in program.iterdir()]
        return {
            f"{one.parent.name}/{one.name}": sorted(file.name for file in one.iterdir()) for one in folders
        }


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    made.cache.mkdir()
    return made


def _program(name: str, version: str) -> bytes:
    return f"#!/bin/sh\necho '{SAYS.get(name, '{}').format(version)}'\n".encode()


def _packed(files: Mapping[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o755
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


def _sum(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _gobgp(version: str) -> dict[str, bytes]:
    base = "github.com/osrg/gobgp/releases/download/v9.9.9"
    name = f"gobgp_9.9.9_linux_{ARCH}.tar.gz"
    programs = {one: _program(one, version) for one in ("gobgp", "gobgpd")}
    archive = _packed({**programs, "README.md": b"read me"})
    sums = f"{_sum(b'another')}  gobgp_9.9.9_darwin_amd64.tar.gz\n{_sum(archive)}  {name}\n"
    return {f"{base}/{name}": archive, f"{base}/gobgp_9.9.9_checksums.txt": sums.encode()}


def _helm(version: str) -> dict[str, bytes]:
    name = f"helm-v{HELM_VERSION}-linux-{ARCH}.tar.gz"
    archive = _packed({f"linux-{ARCH}/LICENSE": b"licence", f"linux-{ARCH}/helm": _program("helm", version)})
    sums = f"{_sum(archive)}  {name}\n"
    return {f"get.helm.sh/{name}": archive, f"get.helm.sh/{name}.sha256sum": sums.encode()}


def _containerlab(version: str) -> dict[str, bytes]:
    base = f"github.com/srl-labs/containerlab/releases/download/v{CONTAINERLAB_VERSION}"
    name = f"containerlab_{CONTAINERLAB_VERSION}_linux_{ARCH}.tar.gz"
    archive = _packed({"containerlab": _program("containerlab", version), "LICENSE": b"licence"})
    sums = f"{_sum(b'another')}  {name.replace(ARCH, 's390x')}\n{_sum(archive)}  {name}\n"
    return {f"{base}/{name}": archive, f"{base}/checksums.txt": sums.encode()}


def _kubernetes(version: str) -> dict[str, bytes]:
    base = f"dl.k8s.io/release/v{KUBE_VERSION}/bin/linux/{ARCH}"
    programs = {
        name: _program(name, version) for name in ("kube-apiserver", "kube-controller-manager", "kubectl")
    }
    sums = {f"{base}/{name}.sha256": _sum(content).encode() for name, content in programs.items()}
    return {f"{base}/{name}": content for name, content in programs.items()} | sums


PROGRAMS = {
    "gobgp": (_gobgp, "get_gobgp 9.9.9", ["gobgp", "gobgpd", "machine"]),
    "helm": (_helm, "get_helm", ["helm", "machine"]),
    "kubernetes": (
        _kubernetes,
        "get_kube",
        ["kube-apiserver", "kube-controller-manager", "kubectl", "machine"],
    ),
    "containerlab": (_containerlab, "get_containerlab", ["containerlab", "machine"]),
}
every_program = pytest.mark.parametrize("name", PROGRAMS)


@every_program
def test_a_release_is_in_the_cache_whole_and_nothing_else_of_it(name: str, machine: Machine) -> None:
    offer, command, files = PROGRAMS[name]
    machine.offered = offer(VERSIONS[name])
    done = machine.run(command)
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.got() == {f"{name}/{VERSIONS[name]}": files}
    folder = machine.cache / name / VERSIONS[name]
    assert [file for file in files if os.access(folder / file, os.X_OK)] == [
        file for file in files if file != "machine"
    ]


@every_program
def test_what_is_in_the_cache_already_is_not_fetched_again(name: str, machine: Machine) -> None:
    offer, command, _ = PROGRAMS[name]
    machine.offered = offer(VERSIONS[name])
    machine.run(command)
    again = machine.run(command)
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


@every_program
def test_what_was_made_for_another_kind_of_machine_is_fetched_again(name: str, machine: Machine) -> None:
    offer, command, _ = PROGRAMS[name]
    machine.offered = offer(VERSIONS[name])
    machine.run(command)
    note = machine.cache / name / VERSIONS[name] / "machine"
    mine, _ = note.read_text(), note.write_text("pdp11\n")
    assert machine.run(command).returncode == 0
    assert note.read_text() == mine


@every_program
def test_what_somebody_has_put_there_by_hand_is_taken_as_it_is(name: str, machine: Machine) -> None:
    _, command, files = PROGRAMS[name]
    folder = machine.cache / name / VERSIONS[name]
    folder.mkdir(parents=True)
    for file in files:
        if file != "machine":
            (folder / file).write_bytes(b"#!/bin/sh\n")
            (folder / file).chmod(0o755)
    done = machine.run(command)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@every_program
def test_what_does_not_match_its_checksum_is_not_used(name: str, machine: Machine) -> None:
    offer, command, _ = PROGRAMS[name]
    machine.offered = offer(VERSIONS[name])
    spoilt = next(address for address in machine.offered if "sha256" not in address)
    machine.offered[spoilt] += b"\n"
    done = machine.run(command)
    assert done.returncode != 0
    assert f"https://{spoilt} does not match its checksum and is not used" in done.stderr
    assert machine.got() == {}


@every_program
def test_a_release_that_says_it_is_of_another_version_is_not_used(name: str, machine: Machine) -> None:
    offer, command, _ = PROGRAMS[name]
    machine.offered = offer("0.0.1")
    done = machine.run(command)
    assert done.returncode != 0
    assert "could deliver it" in done.stderr
    assert machine.got() == {}


@every_program
def test_without_release_and_go_one_is_told_what_to_do_and_nothing_stays(name: str, machine: Machine) -> None:
    done = machine.run(PROGRAMS[name][1])
    assert done.returncode != 0
    assert "neither a release" in done.stderr
    assert machine.got() == {}


@every_program
def test_without_a_release_it_is_built_with_go(name: str, machine: Machine) -> None:
    _, command, files = PROGRAMS[name]
    machine.go = VERSIONS[name]
    done = machine.run(command)
    assert (done.returncode, done.stderr) == (0, "")
    assert machine.got() == {f"{name}/{VERSIONS[name]}": files}


@every_program
def test_a_build_that_fails_says_why_and_leaves_nothing(name: str, machine: Machine) -> None:
    machine.go = ""
    done = machine.run(PROGRAMS[name][1])
    assert done.returncode != 0
    assert done.stderr.splitlines()[0] == "    x.go:1: syntax error"
    assert machine.got() == {}
