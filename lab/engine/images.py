"""The images of this checkout, built by an engine from the Dockerfile as it stands."""

from collections.abc import Mapping

from lab.engine import standins
from lab.engine.engine import Engine
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


def unpacked(engine: Engine, name: str) -> int:
    """Bytes that an image takes on a disk."""
    return int(engine.docker("image", "inspect", "--format", "{{.Size}}", name))
