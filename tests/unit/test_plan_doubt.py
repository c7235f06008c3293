"""What a gobgpd was found with stays while the objects behind it may only be unreadable."""

from typing import Any

import msgspec
import pytest

from openelb_bgp.bgp.diff import Configuration
from openelb_bgp.bgp.gobgp.canonical import canonical
from openelb_bgp.bgp.model import PathKey
from openelb_bgp.bgp.planned import BgpPlan
from openelb_bgp.bgp.wanted import Wanted
from openelb_bgp.model.errors import Defect, InvalidResource
from openelb_bgp.model.meta import Kind, ref
from tests.unit.plan_world import World, advert, conf, peer, pool, problems, service, session, world

SECOND = "10.0.0.253"
UNREAD = "what some manifests hold has never been read: bgp.yaml:3: does not parse; correct it"


def full() -> World:
    """Two routers, of which one gets more than the other, and two Services."""
    return world().with_(
        bgp_peers=(peer(), peer("second", SECOND)),
        sessions={one: session(one) for one in ("10.0.0.254", SECOND)},
        eips=(pool(advertisements=(advert(peers=("router",), med=5), advert(peers=("second",)))),),
        services=(service("web", "192.0.2.1"), service("api", "192.0.2.2")),
        slices={name: world().snapshot.slices[service("web").key] for name in ("web", "api")},
    )


def unread(cluster: World, why: str = UNREAD) -> World:
    return World(msgspec.structs.replace(cluster.snapshot, unseen=why), cluster.facts)


def spoilt(cluster: World, kind: Kind, name: str) -> World:
    about = ref(kind, name)
    defect = Defect(path="spec", value="", problem="is bad", remedy="correct it")
    return cluster.with_(invalid={about: InvalidResource(about, (defect,))})


def running(plan: BgpPlan) -> Configuration:
    """A gobgpd in which a plan is in force."""
    return Configuration(
        global_conf=plan.global_conf, routing=canonical(plan.routing), peers=plan.peers, paths=plan.paths
    )


FOUND = running(full().plan())


@pytest.mark.parametrize(
    "less",
    [
        {"bgp_peers": ()},
        {"eips": ()},
        {"services": ()},
        {"slices": {}},
        {"bgp_peers": (peer(),)},
        {"bgp_confs": (conf(asn=65009),)},
    ],
    ids=" ".join,
)
def test_what_was_found_stays_while_manifests_cannot_be_read(less: dict[str, Any]) -> None:
    assert Wanted().configuration(unread(full().with_(**less)).plan(), FOUND) == FOUND


def test_without_a_bgpconf_nothing_at_all_is_changed_in_doubt() -> None:
    plan = unread(full().with_(bgp_confs=())).plan()
    assert Wanted().configuration(plan, FOUND) is None


def test_a_bgpconf_that_was_seen_and_goes_is_gone_in_doubt_too() -> None:
    wanted = Wanted()
    wanted.configuration(unread(full()).plan(), FOUND)
    gone = wanted.configuration(unread(full().with_(bgp_confs=())).plan(), FOUND)
    assert gone is not None
    assert (gone.peers, gone.paths) == ({}, {})


def test_what_is_new_is_added_beside_what_is_kept() -> None:
    more = service("new", "192.0.2.3")
    slices = {"new": full().snapshot.slices[service("web").key]}
    kept = Wanted().configuration(unread(full().with_(services=(more,), slices=slices)).plan(), FOUND)
    assert kept is not None
    assert {str(key.prefix) for key in kept.paths} == {"192.0.2.1/32", "192.0.2.2/32", "192.0.2.3/32"}


def test_the_rules_of_a_path_that_is_kept_are_kept_with_it() -> None:
    plain = full().with_(services=(), eips=(pool(),))
    alone = full().with_(services=(), eips=(pool(advertisements=(advert(peers=("second",)),)),))
    assert [Wanted().configuration(unread(cluster).plan(), FOUND) == FOUND for cluster in (plain, alone)] == [
        True,
        True,
    ]


def test_what_was_named_once_goes_when_it_is_not_wanted_any_more() -> None:
    wanted = Wanted()
    first = unread(full().with_(services=(service("web", "192.0.2.1"),))).plan()
    assert wanted.configuration(first, FOUND) == FOUND
    second = wanted.configuration(unread(full().with_(services=())).plan(), FOUND)
    assert second is not None
    assert {str(key.prefix) for key in second.paths} == {"192.0.2.2/32"}


def test_all_that_is_not_wanted_goes_once_everything_can_be_read() -> None:
    wanted = Wanted()
    less = full().with_(services=(service("web", "192.0.2.1"),))
    wanted.configuration(unread(less).plan(), FOUND)
    then = wanted.configuration(less.plan(), FOUND)
    assert then == running(less.plan())
    assert wanted.released == paths_of("192.0.2.2")


def test_what_waited_for_an_unknown_peer_is_told_when_there_is_none_after_all() -> None:
    wanted = Wanted()
    one_router = full().with_(bgp_peers=(peer(),))
    assert wanted.configuration(unread(one_router).plan(), FOUND) == FOUND
    assert wanted.configuration(one_router.plan(), FOUND) == running(one_router.plan())
    assert wanted.released == FOUND.paths.keys() | one_router.plan().paths.keys()


def paths_of(address: str) -> frozenset[PathKey]:
    return frozenset(key for key in FOUND.paths if str(key.prefix) == f"{address}/32")


def test_nothing_is_kept_where_nothing_is_in_doubt() -> None:
    assert Wanted().configuration(full().with_(services=()).plan(), FOUND) == running(
        full().with_(services=()).plan()
    )


def test_a_peer_that_cannot_be_used_from_the_start_keeps_its_session_and_no_other_does() -> None:
    one = Wanted().configuration(spoilt(full().with_(bgp_peers=()), Kind.BGP_PEER, "second").plan(), FOUND)
    assert one is not None
    assert set(one.peers) == {SECOND}


def test_a_pool_that_cannot_be_used_from_the_start_keeps_the_routes_of_its_services() -> None:
    others = (service("web", "192.0.2.1"), service("api", "192.0.2.2", pool="another"))
    bad = spoilt(full().with_(eips=(), services=others), Kind.EIP, "pool")
    kept = Wanted().configuration(bad.plan(), FOUND)
    assert kept is not None
    assert set(kept.paths) == paths_of("192.0.2.1")


def test_the_speaker_says_why_it_keeps_what_it_does_not_know() -> None:
    assert ("Node a", "SourceIncomplete") in problems(unread(full()).plan())
    assert ("Node a", "SourceIncomplete") not in problems(full().plan())
