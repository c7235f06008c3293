"""One address on several Services: who may, who must ask, who is refused and why."""

from typing import Any

import msgspec
import pytest

from openelb_bgp.model import keys
from openelb_bgp.model.services import Service
from tests.ipam_cluster import OURS, Cluster, eip, service

POOL = eip("a", "192.0.2.0/24", default=True)
INVITED = OURS | {keys.ALLOW_SHARED_ANNOTATION: "front"}


def shares(one: Service, other: Service) -> str:
    """`shared` if the second, which names the address of the first, gets it; else what it is told."""
    cluster = Cluster(POOL, one).settle()
    cluster.put(other)
    cluster.settle()
    name, namespace = other.key.name, other.key.namespace
    if cluster.has(name, namespace=namespace) == cluster.has():
        return "shared"
    return cluster.message(name, namespace=namespace)


def web(**spec: Any) -> Service:
    return service("web", names_address="192.0.2.5", created=1.0, **{"ports": "TCP/80", **spec})


def dns(**spec: Any) -> Service:
    return service("dns", names_address="192.0.2.5", created=2.0, **{"ports": "UDP/53", **spec})


def test_different_ports_share_a_named_address() -> None:
    assert shares(web(), dns()) == "shared"


def test_one_port_by_different_protocols_is_shared() -> None:
    assert shares(web(ports="TCP/53"), dns(ports="UDP/53")) == "shared"


def test_the_same_port_and_protocol_is_not_shared() -> None:
    assert shares(web(ports="TCP/80,TCP/443"), dns(ports="UDP/53,TCP/443")) == (
        "192.0.2.5 is in use by Service shop/web and cannot be shared with it: both listen on TCP port 443; "
        "give one of them another port or address"
    )


def test_different_namespaces_do_not_share_uninvited() -> None:
    assert shares(web(), dns(namespace="bazaar")) == (
        "192.0.2.5 is in use by Service shop/web and cannot be shared with it: they are in different "
        "namespaces; give both the annotation openelb.kubesphere.io/allow-shared-ip with the same value"
    )


def test_different_namespaces_share_where_both_carry_the_same_value() -> None:
    assert shares(web(annotations=INVITED), dns(namespace="bazaar", annotations=INVITED)) == "shared"


@pytest.mark.parametrize("value", ["back", ""])
def test_an_invitation_of_another_value_is_none(value: str) -> None:
    other = dns(namespace="bazaar", annotations=OURS | {keys.ALLOW_SHARED_ANNOTATION: value})
    assert "different namespaces" in shares(web(annotations=INVITED), other)


def test_local_services_share_with_equal_backends() -> None:
    assert shares(web(local=True, selector={"app": "x"}), dns(selector={"app": "x"})) == "shared"


@pytest.mark.parametrize("selector", [{"app": "y"}, {}])
def test_local_services_do_not_share_with_other_backends(selector: dict[str, str]) -> None:
    assert "their backends differ" in shares(web(selector={"app": "x"}), dns(local=True, selector=selector))


def test_local_services_of_different_namespaces_have_different_backends() -> None:
    one = web(local=True, selector={"app": "x"}, annotations=INVITED)
    other = dns(namespace="bazaar", local=True, selector={"app": "x"}, annotations=INVITED)
    assert "their backends differ" in shares(one, other)


def test_backends_do_not_matter_where_no_policy_is_local() -> None:
    assert shares(web(selector={"app": "x"}), dns(selector={"app": "y"})) == "shared"


def test_an_address_is_shared_only_with_who_names_it() -> None:
    tiny = eip("a", "192.0.2.5", default=True)
    cluster = Cluster(tiny, web(), service("auto", ports="UDP/53", created=2.0)).settle()
    assert (cluster.has("auto"), cluster.reason("auto")) == ("", "PoolFull")


def test_a_newcomer_must_get_on_with_every_sharer() -> None:
    third = service("third", names_address="192.0.2.5", ports="UDP/53", created=3.0)
    cluster = Cluster(POOL, web(), dns(), third).settle()
    assert (cluster.has(), cluster.has("dns"), cluster.has("third")) == ("192.0.2.5", "192.0.2.5", "")
    assert "in use by Service shop/dns" in cluster.message("third")


def test_two_newcomers_may_share_from_the_start() -> None:
    cluster = Cluster(POOL, dns(), web()).settle()
    assert (cluster.has(), cluster.has("dns")) == ("192.0.2.5", "192.0.2.5")


def test_sharers_whose_ports_come_to_clash_are_parted_and_the_earlier_keeps_the_address() -> None:
    cluster = Cluster(POOL, web(), dns()).settle()
    clashing = msgspec.structs.replace(cluster.decision("dns").service, ports=web().ports)
    cluster.put(clashing)
    cluster.settle()
    assert (cluster.has(), cluster.has("dns"), cluster.reason("dns")) == ("192.0.2.5", "", "SharingRefused")


def test_a_sharer_that_stays_goes_on_having_the_address_when_the_first_goes() -> None:
    cluster = Cluster(POOL, web(), dns()).settle()
    del cluster.services[web().key]
    assert cluster.settle().has("dns") == "192.0.2.5"


def test_a_newcomer_does_not_share_by_the_privilege_of_a_take_over() -> None:
    sharers = [
        service(name, has="192.0.2.5", label="a", created=age) for name, age in (("x", 1.0), ("y", 2.0))
    ]
    late = service("late", names_address="192.0.2.5", created=3.0)
    cluster = Cluster(POOL, *sharers, late).settle()
    assert (cluster.has("x"), cluster.has("y"), cluster.has("late")) == ("192.0.2.5", "192.0.2.5", "")


def test_a_newcomer_waits_while_the_address_stands_in_a_status_that_is_not_ours() -> None:
    theirs = service("theirs", annotations={}, has="192.0.2.5", ports="UDP/999")
    cluster = Cluster(POOL, service("old", has="192.0.2.5", ports="TCP/22"), theirs, web()).settle()
    assert (cluster.has("old"), cluster.has(), cluster.reason()) == ("192.0.2.5", "", "AddressInUse")
