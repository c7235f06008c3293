"""kube-proxy's stand-in: which endpoints a node uses, and the rules it writes."""

from typing import Any

from lab.health import answers
from lab.kubeproxy import Endpoint, Exposed, ingress_of, render, services

SERVICE: dict[str, Any] = {
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"externalTrafficPolicy": "Local", "ports": [{"name": "http", "port": 80}]},
}


def _slice(family: str, *endpoints: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "EndpointSlice",
        "metadata": {"namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": family,
        "ports": [{"name": "http", "port": 8080}],
        "endpoints": list(endpoints),
    }


def _exposed(*endpoints: Endpoint, local: bool = False) -> Exposed:
    return Exposed(
        service="shop/web", address="192.0.2.1", protocol="tcp", port=80, local=local, endpoints=endpoints
    )


def test_a_service_is_exposed_at_each_address_with_the_endpoints_of_its_family() -> None:
    v4 = _slice("IPv4", {"addresses": ["10.0.0.1"], "nodeName": "a", "conditions": {"ready": False}})
    v6 = _slice("IPv6", {"addresses": ["fd00::1"], "nodeName": "b"})
    found = services(
        [SERVICE, v4, v6], {"shop/web": ("192.0.2.1", "2001:db8::1"), "shop/other": ("192.0.2.2",)}
    )
    assert found == (
        _exposed(Endpoint("10.0.0.1", 8080, "a", ready=False, serving=False), local=True),
        Exposed("shop/web", "2001:db8::1", "tcp", 80, True, (Endpoint("fd00::1", 8080, "b"),)),
    )


def test_a_service_without_ports_or_status_exposes_nothing_and_stops_nothing() -> None:
    bare = SERVICE | {"metadata": {"name": "bare", "namespace": "shop"}, "spec": {"ports": None}}
    found = services([bare, SERVICE], {"shop/bare": ("192.0.2.9",), "shop/web": ("192.0.2.1",)})
    assert found == (_exposed(local=True),)
    assert ingress_of(bare | {"status": None}) == ()
    assert ingress_of(
        {"status": {"loadBalancer": {"ingress": [{"ip": "2001:db8::1"}, {"ip": "192.0.2.1"}]}}}
    ) == (
        "192.0.2.1",
        "2001:db8::1",
    )


def test_cluster_policy_uses_every_ready_endpoint_and_local_only_the_nodes_own() -> None:
    here, there = Endpoint("10.0.0.1", 80, "a"), Endpoint("10.0.0.2", 80, "b")
    assert _exposed(there, here).chosen("a") == (here, there)
    assert _exposed(there, here, local=True).chosen("a") == (here,)


def test_a_terminating_endpoint_serves_only_while_none_is_ready() -> None:
    leaving = Endpoint("10.0.0.1", 80, "a", ready=False, serving=True, terminating=True)
    ready = Endpoint("10.0.0.2", 80, "a")
    assert _exposed(leaving, ready).chosen("a") == (ready,)
    assert _exposed(leaving).chosen("a") == (leaving,)


def test_a_starting_endpoint_of_a_local_service_has_its_rules_before_a_route_can_lead_to_it() -> None:
    starting = Endpoint("10.0.0.1", 80, "a", ready=False, serving=False)
    ready = Endpoint("10.0.0.2", 80, "a")
    assert _exposed(starting, local=True).chosen("a") == (starting,)
    assert _exposed(starting, ready, local=True).chosen("a") == (ready,)
    assert _exposed(starting).chosen("a") == ()


def test_cluster_traffic_is_masqueraded_and_local_traffic_keeps_the_clients_address() -> None:
    backend = Endpoint("10.0.0.1", 8080, "a")
    assert "ip daddr 192.0.2.1 tcp dport 80 meta mark set 0x4000 dnat ip to 10.0.0.1:8080\n" in render(
        [_exposed(backend)], node="a"
    )
    assert "ip daddr 192.0.2.1 tcp dport 80 dnat ip to 10.0.0.1:8080\n" in render(
        [_exposed(backend, local=True)], node="a"
    )


def test_without_an_endpoint_cluster_refuses_and_local_drops() -> None:
    assert "ip daddr 192.0.2.1 tcp dport 80 reject\n" in render([_exposed()], node="a")
    assert "ip daddr 192.0.2.1 tcp dport 80 drop\n" in render([_exposed(local=True)], node="a")


def test_rules_do_not_depend_on_the_order_of_their_input() -> None:
    one, two = Endpoint("10.0.0.1", 80, "a"), Endpoint("10.0.0.2", 80, "b")
    assert render([_exposed(one, two)], node="a") == render([_exposed(two, one)], node="a")


def test_a_local_services_health_port_answers_200_where_a_pod_of_it_is_ready() -> None:
    checked = SERVICE | {"spec": SERVICE["spec"] | {"healthCheckNodePort": 30100}}
    part = _slice(
        "IPv4",
        {"addresses": ["10.0.0.1"], "nodeName": "a"},
        {"addresses": ["10.0.0.2"], "nodeName": "b", "conditions": {"ready": False}},
    )
    exposed = services([checked, part], {"shop/web": ("192.0.2.1",)})
    assert {node: answers([checked], exposed, node=node) for node in "abc"} == {
        "a": {10256: (200, {}), 30100: (200, {"localEndpoints": 1})},
        "b": {10256: (200, {}), 30100: (503, {"localEndpoints": 0})},
        "c": {10256: (200, {}), 30100: (503, {"localEndpoints": 0})},
    }
