"""The BGP announcer's figures, without labels that grow with the cluster."""

from prometheus_client import Counter, Gauge, Histogram

SESSIONS = Gauge("openelb_bgp_sessions", "BGP sessions configured on this node")
SESSIONS_UP = Gauge("openelb_bgp_sessions_established", "BGP sessions that are established")
ROUTES_DESIRED = Gauge("openelb_bgp_routes_desired", "Paths that this node wants to announce")
ROUTES_ANNOUNCED = Gauge("openelb_bgp_routes_announced", "Paths of ours in gobgpd")
APPLY_SECONDS = Histogram(
    "openelb_bgp_apply_seconds",
    "Time to bring gobgpd to the plan",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
)
APPLY_FAILURES = Counter("openelb_bgp_apply_failures", "Cycles in which gobgpd did not answer")
RESYNCS = Counter("openelb_bgp_resyncs", "Times that gobgpd was read back whole")
GOBGPD_RESTARTS = Counter("openelb_bgp_gobgpd_restarts", "Times that gobgpd was found to have been replaced")
