"""The images of this checkout, built by an engine from the Dockerfile as it stands."""

import json
from collections.abc import Mapping

from lab.engine import standins
from lab.engine.engine import Engine
from lab.shell import run
from openelb_bgp.settings import GOBGP_VERSION

DAEMON = "openelb-bgp"
IMAGES: Mapping[str, str] = {
    DAEMON: "daemon",
    "openelb-bgp-gobgpd": "gobgpd",
    "openelb-bgp-keepalived": "keepalived",
    "openelb-bgp-lab": "lab",
    "openelb-bgp-router": "router",
}
"""By name: the stage of the Dockerfile."""
_BUILDERS = ("build-gobgpd", "build")
"""Named too, so that clearing away what has no name keeps what they have built."""
_SLOW = 1800.0


def build(engine: Engine) -> None:
    """Build all of them; what has not changed since the last time costs nothing. Raises LabError."""
    standins.ensure(engine, gobgp=GOBGP_VERSION)
    script = str(standins.REPOSITORY / "hack/build-images")
    engine.run(script, *_BUILDERS, *IMAGES.values(), timeout=_SLOW)
    engine.docker("image", "prune", "--force")


def build_again(engine: Engine) -> str:
    """Build the daemon's image once more, with nothing that was built before; its name. Raises LabError."""
    labels = json.loads(engine.docker("image", "inspect", "--format", "{{json .Config.Labels}}", DAEMON))
    arguments = {
        "GOBGP_VERSION": GOBGP_VERSION,
        "SOURCE_DATE_EPOCH": epoch(),
        "VERSION": labels["org.opencontainers.image.version"],
        "REVISION": labels["org.opencontainers.image.revision"],
    }
    words = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    name = f"{DAEMON}:again"
    what = ("--no-cache", "--target", IMAGES[DAEMON], "--tag", name)
    engine.docker("build", "--quiet", *what, *words, str(standins.REPOSITORY), timeout=_SLOW)
    return name


def epoch() -> int:
    """The seconds since 1970 that images of this checkout give their files. Raises LabError."""
    return int(run(("git", "-C", str(standins.REPOSITORY), "log", "-1", "--format=%ct")))


def unpacked(engine: Engine, name: str) -> int:
    """Bytes that an image takes on a disk."""
    return int(engine.docker("image", "inspect", "--format", "{{.Size}}", name))
