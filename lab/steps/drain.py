"""A node taken out on purpose: it leaves the routers' kernels before it stops serving."""

import time

from lab.lab import Lab
from lab.manifests import Object
from lab.steps.step import Finding, addresses, await_hops, await_value, expect_none_lost, moved
from lab.traffic import under_load
from openelb_bgp.model.meta import Kind

_NODE = "node3"
_KEY = "openelb.kubesphere.io/drain"


def a_drained_node_loses_nothing(lab: Lab) -> Finding:
    """A node is drained under load: it leaves the next hops and comes back; no request is lost."""
    address, _ = addresses(lab, "web")
    others = tuple(node for node in lab.nodes if node != _NODE)
    await_hops(lab, address, lab.nodes)
    rows = []

    def moment(what: str, since: float, nodes: tuple[str, ...]) -> None:
        rows.append((what, f"{time.monotonic() - since:.1f} s", " ".join(nodes)))

    try:
        with under_load(lab.client, address) as load:
            started = time.monotonic()
            set_draining(lab, _NODE, draining=True)
            await_hops(lab, address, others)
            moment(f"{_NODE} asks to be left alone (GRACEFUL_SHUTDOWN)", started, others)
            _await_paths(lab, address, len(others))
            moment("its paths are withdrawn: it may go", started, others)
            started = time.monotonic()
            set_draining(lab, _NODE, draining=False)
            await_hops(lab, address, lab.nodes)
            moment("the annotation goes, and it serves again", started, lab.nodes)
    finally:
        set_draining(lab, _NODE, draining=False)
    expect_none_lost(load.tally())
    return Finding(
        f"Of {load.tally().sent} requests none was lost.{moved(load.tally())}",
        (f"what happens once {_NODE} is annotated", "after", "next hops in both routers"),
        rows,
        load.tally(),
    )


def _await_paths(lab: Lab, address: str, count: int) -> None:
    """Wait until both routers have that many paths to an address in their BGP tables."""
    await_value(
        lambda: {name: len(router.paths(f"{address}/32")) for name, router in lab.routers.items()},
        lambda seen: set(seen.values()) == {count},
        expected=f"{count} paths to {address} in each router",
    )


def set_draining(lab: Lab, node: str, *, draining: bool) -> None:
    """Annotate a node to be drained, or take that back."""

    def change(item: Object) -> None:
        annotations = item["metadata"].setdefault("annotations", {})
        annotations.pop(_KEY, None)
        if draining:
            annotations[_KEY] = "true"

    lab.desk.edit(Kind.NODE, node, change)
