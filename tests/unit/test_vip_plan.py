"""What a node's keepalived shall run, and why it shall not run more."""

from ipaddress import IPv4Address, ip_address, ip_interface

import msgspec
import pytest

from openelb_bgp.model.facts import Facts, Link
from openelb_bgp.model.forwarding import Forwarding
from openelb_bgp.model.meta import Key, Kind, ref
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.statuses import PoolStatus
from openelb_bgp.vip.claims import Reader
from openelb_bgp.vip.model import Bucket, Instance
from openelb_bgp.vip.plan import plan
from openelb_bgp.vip.vrids import carrier
from tests.unit.plan_world import NOW, drained, node, selector
from tests.unit.vip_world import buckets, lan, many, nic, nodes, planned, spread, vip_pool

WEB, WEB6 = "10.0.0.100", "fd00::100"


def reason_of(world_plan: object, text: str = WEB) -> Reason | None:
    left_out = getattr(world_plan, "left_out", {})
    found = left_out.get(ref(Kind.SERVICE, f"s-{text.replace('.', '-')}", namespace="shop"))
    return None if found is None else found.reason


def test_an_instance_says_everything_that_keepalived_needs() -> None:
    world = lan(WEB, of=nodes(1))
    assert planned(world).instances == (
        Instance(
            interface="eth0",
            version=4,
            vrid=buckets(world)[0].vrid,
            pool="pool",
            priority=254,
            advert_ms=200,
            source="10.0.0.1",
            carrier=carrier(vip_pool(), vrid=buckets(world)[0].vrid, version=4),
            addresses=(IPv4Address(WEB),),
        ),
    )


def test_families_have_instances_of_their_own() -> None:
    made = planned(lan(WEB, WEB6)).instances
    assert sorted((one.version, one.source) for one in made) == [(4, "10.0.0.1"), (6, "fe80::1")]


def test_carriers_are_link_local_and_tell_pools_of_other_clusters_apart() -> None:
    ours = vip_pool()
    theirs = msgspec.structs.replace(ours, meta=msgspec.structs.replace(ours.meta, uid="of another cluster"))
    for version in (4, 6):
        assert ip_address(carrier(ours, vrid=51, version=version)).is_link_local
        assert carrier(ours, vrid=51, version=version) != carrier(theirs, vrid=51, version=version)
        assert carrier(ours, vrid=51, version=version) != carrier(ours, vrid=52, version=version)


def test_priorities_are_ranks_from_254_down() -> None:
    bucket = Bucket(pool="pool", version=4, vrid=51, nodes=("a", "b", "c"), addresses=(), last_resort=("d",))
    assert [bucket.priority(name) for name in "abcde"] == [254, 238, 222, 8, 0]


def test_all_nodes_agree_on_who_is_first() -> None:
    world = lan(*many(20))
    seen = {name: planned(world, name) for name in ("n1", "n2", "n3")}
    assert len({one.buckets.buckets for one in seen.values()}) == 1
    for bucket in buckets(world):
        found = [
            (one.priority, name)
            for name, plan in seen.items()
            for one in plan.instances
            if (one.version, one.vrid) == (bucket.version, bucket.vrid)
        ]
        assert [name for _, name in sorted(found, reverse=True)] == list(bucket.nodes)


def test_masters_are_spread() -> None:
    assert sorted(spread(buckets(lan(*many(60))), ("n1", "n2", "n3")).values()) == [2, 2, 2]


def test_at_most_eight_nodes_take_part_in_a_bucket_and_the_others_say_so() -> None:
    world = lan(WEB, of=nodes(10))
    (bucket,) = buckets(world)
    assert len(bucket.nodes) == 8
    left = next(f"n{number}" for number in range(1, 11) if f"n{number}" not in bucket.nodes)
    assert (planned(world, left).instances, reason_of(planned(world, left))) == ((), Reason.NOT_NEEDED)


def test_a_local_service_is_served_by_nodes_with_endpoints_only() -> None:
    world = lan(WEB, *many(20)[1:], local={WEB: ["n2", "n3"]})
    (bucket,) = [one for one in buckets(world) if ip_address(WEB) in one.addresses]
    assert (set(bucket.nodes), bucket.addresses) == ({"n2", "n3"}, (IPv4Address(WEB),))
    assert reason_of(planned(world, "n1")) is Reason.NO_LOCAL_ENDPOINT


def test_where_vrids_run_out_a_set_of_nodes_is_served_by_a_subset_or_refused() -> None:
    sets = {WEB: ["n1"], "10.0.0.101": ["n2"], "10.0.0.102": ["n1", "n2"], "10.0.0.103": ["n3"]}
    world = lan(*sets, local=sets, pools=[vip_pool(vrids=range(51, 56))])
    made = planned(world)
    served = {str(each): set(one.nodes) for one in made.buckets.buckets for each in one.addresses}
    refused = {str(each): why.reason for each, why in made.buckets.refused.items()}
    assert len(served) + len(refused) == 4
    assert set(refused.values()) == {Reason.NO_VRID}
    assert all(found <= set(sets[text]) for text, found in served.items())


def test_a_single_vrid_serves_whoever_needs_it() -> None:
    alone = lan(WEB, local={WEB: ["n1"]}, pools=[vip_pool(vrids=[7])])
    assert [(one.vrid, one.nodes) for one in buckets(alone)] == [(7, ("n1",))]
    both = lan(WEB, "10.0.0.101", local={WEB: ["n1"]}, pools=[vip_pool(vrids=[7])])
    assert reason_of(planned(both)) is Reason.NO_VRID


def test_a_pool_without_vrids_gets_some_that_other_pools_do_not_have() -> None:
    auto = vip_pool("auto", "10.0.1.0/24", vrids=())
    world = lan(WEB, "10.0.1.5", pools=[vip_pool(vrids=range(32, 256, 2)), auto])
    taken = {one.vrid for one in buckets(world) if one.pool == "auto"}
    assert taken
    assert all(vrid % 2 for vrid in taken)


def test_of_two_pools_with_one_vrid_the_older_keeps_it_and_the_other_says_so() -> None:
    young = vip_pool("young", "10.0.1.0/24", vrids=[51])
    young = msgspec.structs.replace(young, meta=msgspec.structs.replace(young.meta, created=9.0))
    world = lan(WEB, "10.0.1.5", pools=[vip_pool(vrids=[51]), young])
    made = planned(world, "n1", Link(name="eth0", index=2, up=True, addresses=(ip_interface("10.0.0.1/16"),)))
    assert {one.pool for one in made.buckets.buckets} == {"pool"}
    assert [(one.object, one.reason) for one in made.problems] == [("Eip young", "VridConflict")]
    assert PoolStatus(name="young", ready=False, reason="VridConflict") in made.pools


def test_pools_on_different_nics_may_have_the_same_vrids() -> None:
    other = vip_pool("other", "10.0.1.0/24", vrids=[51], interfaces=("eth1",))
    assert len(buckets(lan(WEB, "10.0.1.5", pools=[vip_pool(vrids=[51]), other]))) == 2


def test_a_node_that_drains_comes_last_and_the_others_take_over_at_once() -> None:
    world = lan(WEB, of=[*nodes(2), drained("n3", 3)])
    (bucket,) = buckets(world)
    assert (set(bucket.nodes), bucket.last_resort) == ({"n1", "n2"}, ("n3",))
    found = {name: planned(world, name).instances[0] for name in ("n1", "n2", "n3")}
    assert {one.preempt_seconds for one in found.values()} == {0}
    assert (found["n3"].priority, planned(world, "n3").draining) == (8, True)


def test_who_is_back_waits_before_it_takes_over() -> None:
    assert {one.preempt_seconds for one in planned(lan(WEB)).instances} == {30}


def test_when_all_nodes_drain_they_keep_what_they_have() -> None:
    world = lan(WEB, of=[drained("n1", 1), drained("n2", 2)])
    (bucket,) = buckets(world)
    assert (set(bucket.nodes), bucket.last_resort) == ({"n1", "n2"}, ())


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"ready": False}, Reason.NODE_NOT_READY),
        ({"network_unavailable": True}, Reason.NODE_NETWORK_UNAVAILABLE),
    ],
)
def test_a_node_that_may_not_announce_runs_nothing(changes: dict[str, bool], reason: Reason) -> None:
    made = planned(lan(WEB, of=[node("n1", 1, **changes), *nodes(3)[1:]]))
    assert (made.instances, reason_of(made)) == ((), reason)


def test_a_node_that_the_pool_does_not_choose_is_told_so() -> None:
    made = planned(lan(WEB, pools=[vip_pool(node_selector=selector(edge="yes"))]))
    assert made.pools == (PoolStatus(name="pool", ready=False, reason="NodeNotSelected"),)


def test_until_the_node_has_been_seen_forwarding_it_takes_no_part() -> None:
    why = Refused(Reason.NOT_PROVEN, "not yet")
    made = planned(lan(WEB), forwarding=Forwarding(refused=why))
    assert (made.instances, reason_of(made)) == ((), Reason.NOT_PROVEN)


def test_a_local_service_that_has_not_been_seen_working_here_comes_last() -> None:
    held = {Key("shop", "s-10-0-0-100"): Refused(Reason.NOT_PROVEN, "not yet")}
    world = lan(WEB, local={WEB: ["n1", "n2"]})
    assert [one.priority for one in planned(world, forwarding=Forwarding(services=held)).instances] == [4]


def test_an_ipv6_instance_waits_for_the_link_local_address() -> None:
    made = planned(lan(WEB, WEB6), "n1", nic(tentative=True))
    assert [one.version for one in made.instances] == [4]
    assert Reason.NO_SUBNET in {why.reason for why in made.left_out.values()}


def test_the_source_is_never_an_address_that_keepalived_has_set() -> None:
    set_before = tuple(map(ip_interface, ("169.254.51.9/32", "10.0.0.100/32", "fe80::51:9/128")))
    own = nic()
    link = msgspec.structs.replace(own, addresses=(*set_before, *own.addresses))
    made = planned(lan(WEB, WEB6), "n1", link)
    assert sorted(one.source for one in made.instances) == ["10.0.0.1", "fe80::1"]


def test_without_such_a_nic_or_subnet_the_reason_is_said() -> None:
    made = planned(lan(WEB), "n1", nic(name="ens3"))
    assert (made.instances, reason_of(made)) == ((), Reason.NO_INTERFACE)
    assert made.pools == (PoolStatus(name="pool", ready=False, reason="NoInterface"),)
    assert (
        reason_of(planned(lan("10.9.9.9", pools=[vip_pool(ranges="10.9.9.0/24")])), "10.9.9.9")
        is Reason.NO_SUBNET
    )


def test_unicast_is_sent_to_the_other_members() -> None:
    (found,) = planned(lan(WEB, pools=[vip_pool(unicast=True)])).instances
    assert found.peers == ("10.0.0.2", "10.0.0.3")


def test_unicast_to_a_node_without_an_address_is_refused() -> None:
    bare = node("n2", 2, addresses=())
    made = planned(lan(WEB, of=[nodes(1)[0], bare], pools=[vip_pool(unicast=True)]))
    assert (made.instances, reason_of(made)) == ((), Reason.NO_NODE_ADDRESS)


def test_services_that_share_an_address_are_served_where_all_of_them_may() -> None:
    world = lan(WEB, local={WEB: ["n1", "n2"]})
    (key,) = world.services
    other = lan(WEB, local={WEB: ["n2", "n3"]})
    second = Key("shop", "second")
    service = msgspec.structs.replace(
        other.services[key], meta=msgspec.structs.replace(other.services[key].meta, name="second")
    )
    both = msgspec.structs.replace(
        world,
        services={**world.services, second: service},
        slices={**world.slices, second: other.slices[key]},
    )
    assert [one.nodes for one in buckets(both)] == [("n2",)]


def test_before_everything_is_listed_nothing_is_changed() -> None:
    world = msgspec.structs.replace(lan(WEB), listed=frozenset({Kind.EIP}))
    assert planned(world).complete is False


def test_what_nobody_has_seen_is_told_and_holds_up_nothing_that_is_known() -> None:
    made = planned(msgspec.structs.replace(lan(WEB), unseen="a file cannot be read"))
    assert (made.complete, made.instances) == (True, planned(lan(WEB)).instances)
    assert [(one.object, one.reason) for one in made.problems] == [("Node n1", "SourceIncomplete")]


def test_of_a_service_with_two_addresses_the_one_that_is_left_out_is_named() -> None:
    world = lan(WEB, WEB6)
    (one, other) = world.services
    both = msgspec.structs.replace(
        world.services[one],
        meta=msgspec.structs.replace(
            world.services[one].meta,
            annotations={
                **world.services[one].meta.annotations,
                "openelb.kubesphere.io/allocated": f"{WEB}=pool,{WEB6}=pool",
            },
        ),
        ingress=(*world.services[one].ingress, *world.services[other].ingress),
    )
    made = planned(msgspec.structs.replace(world, services={one: both}), "n1", nic(tentative=True))
    assert [one.version for one in made.instances] == [4]
    (why,) = made.left_out.values()
    assert why.message.startswith(f"{WEB6}: ")


def test_nothing_is_changed_until_the_route_that_a_pool_names_has_been_looked_for() -> None:
    world = lan(WEB, pools=[vip_pool(interfaces=("can_reach:192.0.2.1",))])
    looking = planned(world)
    assert (looking.complete, looking.instances) == (False, ())
    facts = Facts(node="n1", now=NOW, links=(nic(),), routes={ip_address("192.0.2.1"): "eth0"})
    found = plan(world, facts, Reader())
    assert (found.complete, [one.interface for one in found.instances]) == (True, ["eth0"])
