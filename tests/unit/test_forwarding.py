"""Which health checks are asked, and what their answers allow to announce."""

from typing import Any

import msgspec

from openelb_bgp.forwarding import (
    BOOT_PATIENCE,
    FIRST_ANSWERS,
    NOBODY_LIMIT,
    NODE_LIMIT,
    SERVICE_LIMIT,
    Concluded,
    ServiceChecks,
    Vouched,
    concluded,
    judge,
    service_checks,
    vouched,
)
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.forwarding import CheckFact, Forwarding, HealthFact
from openelb_bgp.model.meta import Key, Kind, Meta, ref
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.services import EndpointSlice, Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import Problem, RouteCounts, SpeakerStatus
from tests.unit.plan_world import endpoint, service, slices

START = 1000.0
BOOT = START - 10
DNS = Key("shop", "dns")
READY = Node(meta=Meta(name="a"), ready=True, boot_id="this boot")
REFUSED: dict[str, Any] = {"nobody": True, "answer": "has no listener"}
SAYS_503: dict[str, Any] = {"answer": "answers 503"}
WEB = Key("shop", "web")


def node_check(**changes: Any) -> CheckFact:
    return CheckFact(port=10256, since=START, **changes)


def service_check(**changes: Any) -> CheckFact:
    return CheckFact(port=31000, since=changes.pop("since", START), **changes)


def health(node: CheckFact, dns: CheckFact | None = None, *, heard: bool = True) -> HealthFact:
    services = {} if dns is None else {DNS: dns}
    return HealthFact(node=node, services=services, began=START, booted=BOOT, heard=heard)


def judged(facts: HealthFact, now: float, before: Forwarding | None = None) -> Forwarding:
    return judge(facts, node="a", now=now, before=before or Forwarding())


def reasons(found: Forwarding) -> dict[str, str]:
    said = {str(key): why.reason.value for key, why in found.services.items()}
    said |= {str(about): why.reason.value for about, why in found.unproven.items()}
    return said | ({} if found.refused is None else {"node": found.refused.reason.value})


def test_a_node_announces_once_kube_proxy_has_answered() -> None:
    asking = judged(health(node_check(**SAYS_503)), START + 1)
    assert reasons(asking) == {"node": "ForwardingNotProven"}
    assert asking.refused is not None
    assert "port 10256 answers 503; look at kube-proxy" in asking.refused.message
    assert reasons(judged(health(node_check(passed=START + 2)), START + 2)) == {}


def test_after_the_limit_it_announces_all_the_same_and_says_so() -> None:
    facts = health(node_check(**SAYS_503))
    assert judged(facts, START + NODE_LIMIT - 1).deadline == START + NODE_LIMIT
    after = judged(facts, START + NODE_LIMIT)
    assert reasons(after) == {"Node a": "AnnouncedUnproven"}
    assert "it answers 503" in after.unproven[ref(Kind.NODE, "a")].message


def test_nothing_is_decided_before_the_first_answers_or_when_they_do_not_come() -> None:
    facts, end = health(node_check(), heard=False), START + FIRST_ANSWERS
    assert (judged(facts, START).known, judged(facts, START).deadline) == (False, end)
    assert judged(facts, end).known
    assert judged(health(node_check(passed=START)), START).known


def test_a_local_service_waits_for_its_own_port_and_then_is_announced_unproven() -> None:
    proven = node_check(passed=START)
    facts = health(proven, service_check(**SAYS_503))
    waiting = judged(facts, START + 1)
    assert reasons(waiting) == {"shop/dns": "ForwardingNotProven"}
    assert waiting.deadline == START + SERVICE_LIMIT
    assert reasons(judged(facts, START + SERVICE_LIMIT)) == {"Service shop/dns": "AnnouncedUnproven"}
    assert reasons(judged(health(proven), START + 1)) == {}


def test_its_limit_begins_when_kube_proxy_has_come_up() -> None:
    late = START + NODE_LIMIT / 2
    facts = health(node_check(passed=late), service_check(**REFUSED))
    assert reasons(judged(facts, late + SERVICE_LIMIT - 1)) == {"shop/dns": "ForwardingNotProven"}
    assert reasons(judged(facts, late + SERVICE_LIMIT)) == {"Service shop/dns": "AnnouncedUnproven"}


def test_where_nobody_listens_a_node_that_is_ready_since_the_boot_counts_as_proven() -> None:
    late = BOOT + BOOT_PATIENCE
    facts = health(node_check(**REFUSED))

    def conclusion(node: Node | None, now: float, of: HealthFact = facts) -> bool:
        return concluded(of, node, boot_id="this boot", now=now).node

    assert conclusion(READY, late)
    assert not conclusion(READY, late - 1), "kube-proxy may still be coming up"
    assert not conclusion(None, late)
    assert not conclusion(msgspec.structs.replace(READY, ready=False), late)
    assert not conclusion(msgspec.structs.replace(READY, boot_id="another boot"), late)
    assert not conclusion(READY, late, health(node_check(**SAYS_503)))
    assert not concluded(facts, msgspec.structs.replace(READY, boot_id=""), boot_id="", now=late).node
    assert judged(facts, START + FIRST_ANSWERS).deadline == late


def reported(*problems: Problem, boot: str = "this boot", announced: int = 3) -> Snapshot:
    routes = RouteCounts(desired=3, announced=announced)
    status = SpeakerStatus(boot_id=boot, routes=routes, problems=problems)
    return Snapshot(speakers={"a": Speaker(Meta(name="a"), status)})


def test_what_the_process_before_announced_on_this_boot_goes_on_whatever_is_asked() -> None:
    facts = health(node_check(), service_check())
    found = vouched(reported(), node="a", boot_id="this boot")
    assert found.services(facts) == (DNS,)
    told = health(node_check(**SAYS_503))
    assert concluded(told, READY, boot_id="this boot", now=START, vouched=found.node).node
    assert not concluded(facts, READY, boot_id="this boot", now=START, vouched=found.node).node, "asked first"
    late = START + FIRST_ANSWERS
    assert concluded(facts, READY, boot_id="this boot", now=late, vouched=found.node).node


def test_what_the_process_before_announced_unproven_goes_on_being_so_until_it_is_proven() -> None:
    node, dns = ref(Kind.NODE, "a"), ref(Kind.SERVICE, "dns", namespace="shop")
    told = [Problem.of(about, Reason.ANNOUNCED_UNPROVEN, "no answer") for about in (node, dns)]
    found = vouched(reported(*told), node="a", boot_id="this boot")
    facts = health(node_check(**SAYS_503), service_check(**SAYS_503))
    assert (found.node, found.proven, found.services(facts)) == (True, False, ())
    first = judged(facts, START, Forwarding(unproven=found.unproven))
    unproven = {"Node a": "AnnouncedUnproven", "Service shop/dns": "AnnouncedUnproven"}
    assert reasons(first) == unproven
    assert reasons(judged(facts, START + 1, first)) == unproven
    up = judged(health(node_check(passed=START + 2), service_check(**SAYS_503)), START + 2, first)
    assert reasons(up) == {"Service shop/dns": "AnnouncedUnproven"}
    proven = judged(health(node_check(passed=START + 2)), START + 3, up)
    assert reasons(proven) == {}
    again = judged(health(node_check(passed=START + 2), service_check(since=START + 4)), START + 4, proven)
    assert reasons(again) == {"shop/dns": "ForwardingNotProven"}


def test_nobody_vouches_for_another_boot_for_a_silent_node_or_for_what_waited() -> None:
    waited = Problem.of(ref(Kind.SERVICE, "dns", namespace="shop"), Reason.NOT_PROVEN, "no answer")
    facts = health(node_check(), service_check())
    here = vouched(reported(waited), node="a", boot_id="this boot")
    assert (here.node, here.services(facts)) == (True, ())
    silent = (
        reported(boot="another boot"),
        reported(announced=0),
        reported(*(Problem(object=f"Service shop/{one}", reason="x", message="") for one in range(100))),
        Snapshot(),
    )
    for snapshot in silent:
        found = vouched(snapshot, node="a", boot_id="this boot")
        assert (found, found.services(facts)) == (Vouched(), ())
    assert vouched(reported(boot=""), node="a", boot_id="") == Vouched()


def test_where_there_is_no_kube_proxy_nobody_is_waited_for_long_on_a_services_port() -> None:
    facts = health(node_check(passed=START, **REFUSED), service_check(**REFUSED))
    waiting = judged(facts, START + 1)
    assert (reasons(waiting), waiting.deadline) == (
        {"shop/dns": "ForwardingNotProven"},
        START + NOBODY_LIMIT,
    )
    over = START + NOBODY_LIMIT
    assert concluded(facts, READY, boot_id="", now=over - 1) == Concluded()
    assert concluded(facts, READY, boot_id="", now=over) == Concluded(services=(DNS,))
    assert reasons(judged(facts, over)) == {}
    with_kube_proxy = health(node_check(passed=START), service_check(**REFUSED))
    assert concluded(with_kube_proxy, READY, boot_id="", now=over) == Concluded()


def test_what_says_the_same_is_the_same_object() -> None:
    facts = health(node_check(**SAYS_503), service_check(**SAYS_503))
    first = judged(facts, START + 4)
    second = judged(facts, START + 5, first)
    assert second.refused is first.refused
    assert second.services is first.services
    other = msgspec.structs.replace(facts, services={**facts.services, WEB: service_check(**SAYS_503)})
    third = judged(other, START + 5, first)
    assert third.services[DNS] is first.services[DNS]


def local(name: str, port: int, **changes: Any) -> Service:
    found = service(name, "192.0.2.1", local=True)
    return msgspec.structs.replace(found, health_check_node_port=port, **changes)


def cluster(*services: Service, **of: tuple[EndpointSlice, ...]) -> Snapshot:
    return Snapshot(
        services={one.key: one for one in services},
        slices={Key("shop", name): found for name, found in of.items()},
    )


def test_asked_are_local_services_of_ours_with_endpoints_here() -> None:
    here, there = slices("x", endpoint("a")), slices("x", endpoint("b"))
    gone = slices("x", endpoint("a", ready=False))
    snapshot = cluster(
        local("yes", 31000),
        local("waits-for-its-address", 31006, ingress=()),
        local("elsewhere", 31001),
        local("not-ready", 31002),
        local("without", 31003),
        local("foreign", 31004, load_balancer_class="else/where"),
        msgspec.structs.replace(local("cluster", 31005), local=False),
        local("no-port", 0),
        **{"yes": here, "waits-for-its-address": here, "elsewhere": there, "not-ready": gone},
        **{"foreign": here, "cluster": here, "no-port": here},
    )
    found = service_checks(snapshot, node="a", before=ServiceChecks())
    assert found.ports == {Key("shop", "yes"): 31000, Key("shop", "waits-for-its-address"): 31006}


def test_what_to_ask_follows_changes_and_is_the_same_object_where_they_say_nothing() -> None:
    here, there = slices("yes", endpoint("a")), slices("yes", endpoint("b"))
    first = service_checks(cluster(local("yes", 31000), yes=here), node="a", before=ServiceChecks())
    relabelled = service_checks(
        cluster(local("yes", 31000), service("other", "192.0.2.2"), yes=here), node="a", before=first
    )
    assert relabelled.ports is first.ports
    moved = service_checks(cluster(local("yes", 31000), yes=there), node="a", before=relabelled)
    assert moved.ports == {}
    back = service_checks(cluster(local("yes", 31009), yes=here), node="a", before=moved)
    assert back.ports == {Key("shop", "yes"): 31009}
    assert service_checks(cluster(), node="a", before=back).ports == {}
