"""A node taken out on purpose: it leaves the routers' kernels before it stops serving."""

import time

from lab.lab import Lab
from lab.manifests import Object, edit
from lab.steps.step import Finding, addresses, await_hops, expect_none_lost
from lab.traffic import under_load

_NODE = "node3"
_KEY = "openelb.kubesphere.io/drain"


def a_drained_node_loses_nothing(lab: Lab) -> Finding:
    """A node is drained under load: it leaves the next hops and comes back; no request is lost."""
    address, _ = addresses(lab, "web")
    others = tuple(node for node in lab.nodes if node != _NODE)
    await_hops(lab, address, lab.nodes)
    try:
        with under_load(lab.client, address) as load:
            started = time.monotonic()
            _annotate(lab, draining=True)
            await_hops(lab, address, others, within=20.0)
            gone = time.monotonic() - started
            _annotate(lab, draining=False)
            started = time.monotonic()
            await_hops(lab, address, lab.nodes, within=20.0)
            back = time.monotonic() - started
    finally:
        _annotate(lab, draining=False)
    expect_none_lost(load.tally())
    return Finding(
        f"{_NODE} was drained and taken back: of {load.tally().sent} requests none was lost.",
        ("what happened", "in both kernels after"),
        [
            (f"{_NODE} is annotated {_KEY}: next hops {', '.join(others)}", f"{gone:.1f} s"),
            (f"the annotation goes: next hops {', '.join(lab.nodes)}", f"{back:.1f} s"),
        ],
    )


def _annotate(lab: Lab, *, draining: bool) -> None:
    def change(node: Object) -> None:
        annotations = node["metadata"].setdefault("annotations", {})
        annotations.pop(_KEY, None)
        if draining:
            annotations[_KEY] = "true"

    edit(lab.paths.manifests, "Node", _NODE, change)
