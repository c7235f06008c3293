"""The figures of layer2, without labels that grow with the cluster."""

from collections.abc import Iterator

from prometheus_client import REGISTRY, Counter, Gauge
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from .apart import Apart

OWNED = Gauge("openelb_layer2_owned", "Addresses that this node answers for")
FAILOVERS = Counter("openelb_layer2_failovers", "Addresses that this node took over from another", ["reason"])
CONFLICTS = Counter("openelb_layer2_conflicts", "Times that another announced an address of ours", ["by"])
NOT_HEARD = Gauge("openelb_layer2_not_heard", "Addresses of other nodes that do not answer this one")


class Counts(Collector):
    """What the responder of this process has counted, read when somebody asks."""

    def __init__(self) -> None:
        self.of: Apart | None = None

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Requests by what became of them, and announcements by form."""
        requests = CounterMetricFamily(
            "openelb_layer2_requests",
            "ARP and NDP frames about addresses of ours, by family and by what became of them",
            labels=["family", "result"],
        )
        announced = CounterMetricFamily(
            "openelb_layer2_announcements", "Announcements sent without being asked, by form", labels=["form"]
        )
        if self.of is not None:
            for (family, result), count in sorted(self.of.counts().items(), key=str):
                requests.add_metric([str(family), result.value], count)
            for form, count in sorted(self.of.announced().items(), key=str):
                announced.add_metric([form.name.lower()], count)
        yield requests
        yield announced


COUNTS = Counts()
REGISTRY.register(COUNTS)
