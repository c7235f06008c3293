"""The page about metrics: each that a daemon of ours serves, from where it is registered."""

from collections.abc import Iterator, Mapping
from types import ModuleType

from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric

from openelb_bgp.bgp import metrics as bgp
from openelb_bgp.kube import events
from openelb_bgp.kube import metrics as kube
from openelb_bgp.layer2 import metrics as layer2
from openelb_bgp.membership import metrics as membership
from openelb_bgp.runtime import pool_metrics
from openelb_bgp.vip import metrics as vip

from .tables import table

_ROOMS: Mapping[str, tuple[str, tuple[ModuleType, ...]]] = {
    "Pools": ("Served by the controller that leads.", (pool_metrics,)),
    "BGP": ("Served by speakers.", (bgp,)),
    "layer2": ("Served by speakers, once there is a pool of protocol layer2.", (layer2,)),
    "vip": ("Served by speakers, once there is a pool of protocol vip.", (vip,)),
    "Membership": ("Served by speakers.", (membership,)),
    "Kubernetes API": ("Served by controllers and speakers in a cluster.", (kube, events)),
}
_HEAD = """\
# Metrics

`/metrics` on `--metrics-addr` (`:50052` of a controller, `:50053` of a speaker or of `run`), for
Prometheus. No label grows with the number of Services; those of
pools grow with the number of Eips.
"""


def page() -> str:
    """The whole page."""
    return "\n".join(_page()).rstrip("\n") + "\n"


def _page() -> Iterator[str]:
    yield _HEAD
    for title, (where, modules) in _ROOMS.items():
        yield f"## {title}"
        yield ""
        yield where
        yield ""
        rows = sorted(row for module in modules for row in _rows(module))
        yield from table(("metric", "type", "labels", "what it counts"), rows)


def _rows(module: ModuleType) -> Iterator[tuple[str, str, str, str]]:
    for value in vars(module).values():
        if isinstance(value, MetricWrapperBase):
            for family in value.describe():
                yield _row(family, value._labelnames)
    if module is layer2:
        for counted in layer2.COUNTS.collect():
            yield _row(counted, counted._labelnames)


def _row(family: Metric, labels: tuple[str, ...]) -> tuple[str, str, str, str]:
    ends = "_total" if family.type == "counter" else ""
    return (
        f"`{family.name}{ends}`",
        family.type,
        ", ".join(f"`{label}`" for label in labels) or "–",
        family.documentation,
    )
