"""What admission says of pools where kube-proxy's IPVS answers ARP on every node."""

import pytest

from openelb_bgp.admission import check
from openelb_bgp.decode.pool_text import ranges
from openelb_bgp.model import keys
from openelb_bgp.model.cluster import ConfigMap
from openelb_bgp.model.meta import Kind, Meta
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.snapshot import Snapshot

IPVS = "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\n"


def pools(config: str) -> dict[str, str]:
    """What is said of pools of each protocol and family, by name."""
    eips = [
        Eip(meta=Meta(name="l2"), ranges=ranges("192.0.2.0/28"), protocol=Protocol.LAYER2),
        Eip(meta=Meta(name="v6"), ranges=ranges("2001:db8::/120"), protocol=Protocol.LAYER2),
        Eip(meta=Meta(name="vip"), ranges=ranges("192.0.2.16/28"), protocol=Protocol.VIP),
        Eip(meta=Meta(name="bgp"), ranges=ranges("192.0.2.32/28")),
    ]
    name = keys.KUBE_PROXY_CONFIG
    held = ConfigMap(Meta(name=name.name, namespace=name.namespace), {keys.KUBE_PROXY_KEY: config})
    snapshot = Snapshot(
        eips={eip.name: eip for eip in eips}, config_maps={name: held}, listed=frozenset(Kind)
    )
    return {ref.key.name: defect.reason for ref, (defect,) in check(snapshot).items() if not defect.fatal}


@pytest.mark.parametrize(
    "ipvs", ["", "ipvs: null\n", "ipvs:\n  strictARP: false\n", "ipvs: {scheduler: rr}\n"]
)
def test_ipvs_without_strict_arp_is_told_of_each_pool_that_answers_arp_itself(ipvs: str) -> None:
    assert pools(IPVS + ipvs) == {"l2": "IPVSWithoutStrictARP", "vip": "IPVSWithoutStrictARP"}


@pytest.mark.parametrize(
    "config",
    [
        "",
        "mode: iptables",
        "mode: ''\nipvs: {strictARP: false}",
        "- a list",
        "{",
        "\x00",
        f"{IPVS}ipvs: {{strictARP: true}}",
    ],
)
def test_nothing_is_said_where_it_is_not_so_or_cannot_be_read(config: str) -> None:
    assert pools(config) == {}
