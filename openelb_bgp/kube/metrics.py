"""Figures of the traffic with the API server, without labels that grow with the cluster."""

from prometheus_client import Counter, Gauge

REQUESTS = Counter(
    "openelb_bgp_kube_requests",
    "Requests to the API server by verb, resource and HTTP status, or what went wrong before there was one",
    ["verb", "resource", "status"],
)
LISTS = Counter("openelb_bgp_kube_lists", "Times that a kind was listed whole", ["resource"])
WATCHES = Counter(
    "openelb_bgp_kube_watches", "Watches begun, by what ended the one before", ["resource", "after"]
)
EVENTS = Counter("openelb_bgp_kube_watch_events", "Events received by watches, bookmarks too", ["resource"])
HEARD_AT = Gauge(
    "openelb_bgp_kube_heard_timestamp_seconds",
    "When a list or a watch of the kind was last answered, in seconds since the epoch",
    ["resource"],
)
LEADING = Gauge("openelb_bgp_leading", "1 while this process leads, else 0")
