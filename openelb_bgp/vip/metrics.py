"""The vip announcer's figures, without labels that grow with the cluster."""

from prometheus_client import Counter, Gauge

MASTERS = Gauge("openelb_bgp_vip_masters", "VRRP instances of which this node is master")
ADDRESSES = Gauge("openelb_bgp_vip_addresses", "Addresses that this node holds as VRRP master")
INSTANCES = Gauge("openelb_bgp_vip_instances", "VRRP instances that this node takes part in")
TRANSITIONS = Counter("openelb_bgp_vip_transitions", "State changes of VRRP instances", ["state"])
ADVERTS_SENT = Gauge("openelb_bgp_vip_adverts_sent", "Advertisements that the running keepalived has sent")
ADVERTS_RECEIVED = Gauge("openelb_bgp_vip_adverts_received", "Advertisements that it has received")
RELOADS = Counter("openelb_bgp_vip_reloads", "Configurations that keepalived has loaded")
REFUSALS = Counter("openelb_bgp_vip_config_refusals", "Configurations that keepalived has refused")
RESTARTS = Gauge("openelb_bgp_vip_keepalived_restarts", "Lives of keepalived that ended by themselves")
