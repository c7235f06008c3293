"""kube-proxy in IPVS mode without strictARP, as the node's sysctls tell."""

from pathlib import Path

import pytest

from openelb_bgp.host.strict_arp import answers_for_services
from openelb_bgp.model.facts import Link

IPVS = (Link(name="eth0", index=2), Link(name="kube-ipvs0", index=9))


def sysctls(folder: Path, **values: int) -> Path:
    for name, value in values.items():
        where, _, which = name.partition("__")
        path = folder / {"all": "all", "ipvs": "kube-ipvs0"}[where] / which
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{value}\n")
    return folder


@pytest.mark.parametrize(
    ("values", "lax"),
    [
        ({}, "net.ipv4.conf.all.arp_ignore=0, net.ipv4.conf.all.arp_announce=0"),
        ({"all__arp_ignore": 1, "all__arp_announce": 2}, ""),
        ({"ipvs__arp_ignore": 1, "all__arp_announce": 2}, ""),
        ({"all__arp_ignore": 1, "all__arp_announce": 1}, "net.ipv4.conf.all.arp_announce=1"),
    ],
)
def test_the_sysctls_that_let_it_answer_are_named(tmp_path: Path, values: dict[str, int], lax: str) -> None:
    assert answers_for_services(IPVS, sysctls(tmp_path, **values)) == lax


def test_without_kube_ipvs0_there_is_nothing_to_answer_for(tmp_path: Path) -> None:
    assert answers_for_services(IPVS[:1], tmp_path) == ""
