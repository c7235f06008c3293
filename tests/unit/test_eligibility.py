"""Who may announce an address."""

from openelb_bgp.eligibility import Backends, Eligibility, backends, eligible_nodes, node_states
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.meta import Key
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.routing import Drain
from openelb_bgp.model.services import Endpoint
from tests.unit.plan_world import (
    address,
    conf,
    drained,
    endpoint,
    node,
    selector,
    service,
    slices,
    world,
)

V4 = Family.IPV4


def answers(
    *nodes: Node, endpoints: tuple[Endpoint, ...] | None = None, local: bool = False
) -> dict[str, str]:
    """Node → "yes" or the reason, for one address of a Service with pods on nodes a and b."""
    pods = (endpoint("a"), endpoint("b")) if endpoints is None else endpoints
    eligibility = Eligibility(node_states({one.name: one for one in nodes}, drain=Drain()))
    asked = service("web", "192.0.2.1", local=local)
    found = eligibility.candidates(asked, backends(slices("web", *pods), V4)).verdicts()
    return {name: "yes" if refused is None else refused.reason.value for name, refused in found.items()}


def test_every_good_node_may_announce_a_cluster_service_that_has_one_ready_endpoint_anywhere() -> None:
    nodes = (node("a", 1), node("b", 2), node("c", 3))
    assert answers(*nodes, endpoints=(endpoint("b"),)) == {"a": "yes", "b": "yes", "c": "yes"}


def test_only_nodes_with_a_ready_endpoint_announce_a_local_service() -> None:
    nodes = (node("a", 1), node("b", 2), node("c", 3))
    assert answers(*nodes, local=True) == {"a": "yes", "b": "yes", "c": "NoLocalEndpoint"}


def test_a_terminating_endpoint_that_still_serves_counts_while_no_node_has_a_ready_one() -> None:
    nodes = (node("a", 1), node("b", 2))
    leaving = endpoint("a", leaving=True)
    assert answers(*nodes, endpoints=(leaving,), local=True) == {"a": "yes", "b": "NoLocalEndpoint"}
    assert answers(*nodes, endpoints=(leaving, endpoint("b")), local=True) == {
        "a": "NoLocalEndpoint",
        "b": "yes",
    }
    assert answers(*nodes, endpoints=(leaving,)) == {"a": "yes", "b": "yes"}


def test_an_endpoint_that_is_neither_ready_nor_leaving_counts_for_nothing() -> None:
    assert answers(node("a", 1), endpoints=(endpoint("a", ready=False),)) == {"a": "NoEndpoints"}


def test_a_service_without_slices_is_told_how_to_write_one() -> None:
    found = backends((), V4)
    assert found.refused is not None
    assert found.refused.reason is Reason.NO_ENDPOINTS
    assert keys.SERVICE_NAME_LABEL in found.refused.message


def test_where_kubernetes_writes_them_the_selector_and_the_pods_are_what_to_look_at() -> None:
    found = backends((), V4, in_cluster=True)
    assert found.refused is not None
    assert found.refused.message.startswith("it has no IPv4 endpoint; look at its selector, and at the pods")


def test_endpoints_of_the_other_family_do_not_count() -> None:
    only_v4 = slices("web", endpoint("a"), families=(Family.IPV4,))
    assert backends(only_v4, Family.IPV4) == Backends(by_node={"a": 1})
    refused = backends(only_v4, Family.IPV6).refused
    assert refused is not None
    assert "IPv6" in refused.message


def test_endpoints_are_counted_by_node() -> None:
    found = backends(slices("web", endpoint("a"), endpoint("a"), endpoint("b")), V4)
    assert found == Backends(by_node={"a": 2, "b": 1})


def test_an_endpoint_without_a_node_counts_for_cluster_services_only() -> None:
    assert answers(node("a", 1), endpoints=(endpoint(""),)) == {"a": "yes"}
    assert answers(node("a", 1), endpoints=(endpoint(""),), local=True) == {"a": "NoLocalEndpoint"}


def test_a_node_that_is_not_ready_is_out() -> None:
    nodes = (node("a", 1, ready=False), node("b", 2, ready=True), node("c", 3))
    assert answers(*nodes) == {"a": "NodeNotReady", "b": "yes", "c": "yes"}


def test_readiness_is_not_believed_while_more_than_half_of_the_nodes_are_not_ready() -> None:
    sick = tuple(node(name, number, ready=False) for number, name in enumerate("abc", 1))
    assert answers(*sick, node("d", 4)) == dict.fromkeys("abcd", "yes")
    assert answers(*sick[:2], node("c", 3), node("d", 4))["a"] == "NodeNotReady"


def test_a_node_without_network_is_out_whatever_its_readiness() -> None:
    assert answers(node("a", 1, network_unavailable=True), node("b", 2))["a"] == "NodeNetworkUnavailable"


def test_an_excluded_node_is_out_unless_every_node_is_excluded_or_the_label_is_ignored() -> None:
    labelled = node("a", 1, labels={keys.EXCLUDE_LABEL: ""})
    assert answers(labelled, node("b", 2)) == {"a": "NodeExcluded", "b": "yes"}
    assert answers(labelled) == {"a": "yes"}
    ignored = node_states({"a": labelled, "b": node("b", 2)}, drain=Drain(), ignore_exclude_label=True)
    assert ignored["a"].refused is None


def test_a_draining_node_is_out_while_another_stays() -> None:
    assert answers(drained("a", 1), node("b", 2)) == {"a": "NodeDraining", "b": "yes"}


def test_the_last_nodes_of_an_address_keep_it_while_they_all_drain() -> None:
    assert answers(drained("a", 1), drained("b", 2)) == {"a": "yes", "b": "yes"}
    pods = (endpoint("a"),)
    assert answers(drained("a", 1), node("b", 2), endpoints=pods, local=True)["a"] == "yes"


def test_taints_that_announce_a_removal_drain_and_a_cordon_does_not() -> None:
    tainted = node("a", 1, taints=("karpenter.sh/disrupted",))
    cordoned = node("b", 2, unschedulable=True, taints=("node.kubernetes.io/unschedulable",))
    assert answers(tainted, cordoned) == {"a": "NodeDraining", "b": "yes"}


def test_a_cordon_drains_where_its_taint_is_listed() -> None:
    listed = Drain(taints=("node.kubernetes.io/unschedulable",))
    states = node_states({"a": node("a", 1, unschedulable=True)}, drain=listed)
    assert states["a"].draining


def test_a_node_that_is_being_deleted_drains() -> None:
    assert answers(node("a", 1, deleting=True), node("b", 2))["a"] == "NodeDraining"


def test_a_node_that_is_shutting_down_drains_and_the_last_one_keeps_the_address() -> None:
    going, other = node("a", 1, shutting_down=True), node("b", 2, shutting_down=True)
    assert answers(going, node("b", 2)) == {"a": "NodeDraining", "b": "yes"}
    assert answers(going, other) == {"a": "yes", "b": "yes"}


def test_a_node_that_does_not_exist_announces_nothing_though_it_has_endpoints() -> None:
    eligibility = Eligibility(node_states({"a": node("a", 1)}, drain=Drain()))
    asked = service("web", "192.0.2.1", local=True)
    found = eligibility.candidates(asked, backends(slices("web", endpoint("gone")), V4))
    assert found.announcing == frozenset()
    refused = found.refusal("gone")
    assert refused is not None
    assert refused.reason is Reason.NODE_UNKNOWN


def test_a_pools_node_selector_leaves_the_other_nodes_out() -> None:
    nodes = {"a": node("a", 1, labels={"edge": "yes"}), "b": node("b", 2)}
    eligibility = Eligibility(node_states(nodes, drain=Drain()))
    found = eligibility.candidates(
        service("web", "192.0.2.1"),
        backends(slices("web", endpoint("b")), V4),
        selector=selector(edge="yes"),
    )
    assert found.eligible == {"a"}
    refused = found.refusal("b")
    assert refused is not None
    assert refused.reason is Reason.NODE_NOT_SELECTED


def test_cluster_services_share_one_answer() -> None:
    eligibility = Eligibility(node_states({"a": node("a", 1)}, drain=Drain()))
    pods = backends(slices("web", endpoint("a")), V4)
    assert eligibility.candidates(service("x", "192.0.2.1"), pods) is eligibility.candidates(
        service("y", "192.0.2.2"), pods
    )


def test_the_whole_question_can_be_asked_of_a_snapshot() -> None:
    found = world().with_(nodes=[drained("a", 1), node("b", 2)], bgp_confs=[conf()])
    eligibility = Eligibility.of(found.snapshot)
    web = found.snapshot.services[Key("shop", "web")]
    assert eligible_nodes(found.snapshot, web, address("192.0.2.1"), eligibility=eligibility).announcing == {
        "b"
    }
