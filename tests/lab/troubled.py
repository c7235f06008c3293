"""A lab with mistakes in it on purpose: what docs/troubleshooting.md shows is printed there.

It is that of the ECMP tour with the objects of `tests/troubles`, a router that is told another AS number, one
that is told another password, and a node that drains.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.lab import TOPOLOGIES, Lab, held_lab
from lab.manifests import Object, edit
from lab.steps.step import await_value
from openelb_bgp.model.meta import Kind

NAME = "troubled"
_MISTAKES = Path(__file__).parents[1] / "troubles"
_LAST_WORD = "the ASNs do not match"
"""What a session says once the first attempts have failed: nothing is said after it."""


@contextmanager
def troubled() -> Iterator[Lab]:
    """That lab, once all has happened in it that will."""
    with held_lab(TOPOLOGIES / "ecmp.clab.yml", name=NAME) as lab:
        lab.copy_manifests(_MISTAKES)
        edit(lab.paths.manifests, "BgpPeer", "leaf2-v6", _other_as)
        edit(lab.paths.manifests, "BgpPeer", "leaf2", _other_password)
        edit(lab.paths.manifests, "Node", "node3", _drained)
        lab.start_daemons()
        await_value(
            lambda: _said_of(lab, "leaf2-v6"),
            lambda said: _LAST_WORD in said and "node1, node2, node3" in said,
            expected=f"all nodes say {_LAST_WORD!r}",
        )
        yield lab


def _other_as(peer: Object) -> None:
    peer["spec"]["conf"]["peerAs"] = 65009


def _other_password(peer: Object) -> None:
    peer["spec"]["conf"]["authPassword"] = "not-the-routers"


def _drained(node: Object) -> None:
    node["metadata"]["annotations"] = {"openelb.kubesphere.io/drain": "true"}


def _said_of(lab: Lab, peer: str) -> str:
    found = (one for one in lab.desk.objects(Kind.BGP_PEER) if one["metadata"]["name"] == peer)
    conditions = next(found, {}).get("status", {}).get("conditions", ())
    return " ".join(str(one["message"]) for one in conditions if one["type"] == "Ready")
