"""A plan as text, for the golden files: peers, paths with what each neighbour sees, and the policy."""

from collections.abc import Iterator

from openelb_bgp.bgp.explain import explain
from openelb_bgp.bgp.model import Actions, Conditions, Statement
from openelb_bgp.bgp.plan import BgpPlan


def render(plan: BgpPlan) -> str:
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: BgpPlan) -> Iterator[str]:
    told = explain(plan)
    conf = told.global_conf
    assert conf is not None
    yield f"node {told.node}: as {conf.asn}, router id {conf.router_id}, port {conf.listen_port}"
    for peer in told.peers:
        families = " ".join(str(one.family) for one in peer.afi_safis)
        yield f"peer {peer.name}: {peer.neighbor_address} as {peer.peer_asn} {peer.peer_type} {families}"
    for path in told.paths:
        services = ", ".join(map(str, path.services))
        yield f"path {path.prefix} id {path.identifier} of node {path.node} for {services}"
        for to in path.to:
            yield f"  to {to.peer}: next hop {' / '.join((to.next_hop, *to.attributes))}"
    for ref, refused in told.left_out:
        yield f"left out {ref}: {refused.reason}: {refused.message}"
    for one in told.problems:
        yield f"problem {one.object}: {one.reason}: {one.message}"
    yield from _policy(plan)


def _policy(plan: BgpPlan) -> Iterator[str]:
    for one in plan.routing.defined_sets:
        yield f"set {one.kind} {one.name}: {' '.join(one.members)}"
    for policy in plan.routing.policies:
        yield f"policy {policy.name}"
        for statement in policy.statements:
            yield f"  {_statement(statement)}"
    for bound in plan.routing.assignments:
        yield f"{bound.direction}: {' '.join((*bound.policies, f'default {bound.default}'))}"


def _statement(one: Statement) -> str:
    return f"{one.name}: if {_conditions(one.conditions)} then {_actions(one.actions)}"


def _conditions(one: Conditions) -> str:
    asked = [
        one.route_type and f"route type {one.route_type}",
        one.neighbor_set and f"neighbour in {one.neighbor_set.name}",
        one.large_community_set and f"large community in {one.large_community_set.name}",
    ]
    return " and ".join(text for text in asked if text) or "anything"


def _actions(one: Actions) -> str:
    done = [
        one.community and f"{one.community.method} community {' '.join(one.community.communities)}",
        one.large_community
        and f"{one.large_community.method} large community {' '.join(one.large_community.communities)}",
        one.med and f"med {one.med.value}",
        one.local_pref is not None and f"local-pref {one.local_pref}",
        one.as_path_prepend and f"prepend {one.as_path_prepend.asn} x{one.as_path_prepend.repeat}",
        one.next_hop and f"next hop {one.next_hop}",
        f"{one.disposition}",
    ]
    return ", ".join(text for text in done if text)
