"""Membership's figures, without labels that grow with the cluster."""

from prometheus_client import Counter, Gauge

MEMBERS = Gauge("openelb_members", "Other speakers' interfaces that serve pools, by state", ["state"])
VOID = Gauge("openelb_membership_void", "1 while this node owns nothing because it has not heard the others")
DROPPED = Counter("openelb_membership_dropped", "Datagrams that were not accepted, by reason", ["reason"])
SENT = Counter("openelb_membership_sent", "Datagrams that were sent to other speakers")
RECEIVED = Counter("openelb_membership_received", "Datagrams that were accepted")
DEATHS = Counter("openelb_membership_deaths", "Times that another speaker's interface was found dead")
