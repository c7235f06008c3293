"""What Services and pools say when their advertisements leave nodes, peers or addresses out."""

from collections.abc import Mapping

import msgspec
import pytest

from openelb_bgp.decode.pool_text import ranges as parse_ranges
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.meta import LabelSelector, Meta
from openelb_bgp.model.pools import Advertisement, Eip
from openelb_bgp.model.routing import BgpPeer
from openelb_bgp.model.statuses import PeerState, Problem, SessionStatus
from tests.unit.report_cluster import WEB, Cluster, service, sessions, slices

EDGE = LabelSelector((("edge", "yes"),))
FRONT = LabelSelector((("tier", "front"),))
ELSEWHERE = (
    "no advertisement of Eip west is for it there; add one, or widen a serviceSelector or nodeSelector "
    "(an aggregate alone is none for a Local Service)"
)


def announced(
    *advertisements: Advertisement, labels: Mapping[str, str] | None = None, local: bool = False
) -> tuple[str, str, str]:
    """What the Service says where the pool is advertised so."""
    cluster = Cluster(eips={"west": pool(*advertisements)})
    meta = msgspec.structs.replace(service().meta, labels=labels or {})
    cluster.set("services", WEB, service(meta=meta, local=local))
    cluster.settle()
    return cluster.announced()


def pool(*advertisements: Advertisement, addresses: str = "192.0.2.0/29") -> Eip:
    return Eip(meta=Meta(name="west"), ranges=parse_ranges(addresses), advertisements=advertisements)


def two_leaves(*advertisements: Advertisement, **more: object) -> Cluster:
    cluster = Cluster(eips={"west": pool(*advertisements)})
    cluster.set("bgp_peers", "leaf2", BgpPeer(meta=Meta(name="leaf2"), peer_asn=50002, **more))  # type: ignore[arg-type]
    return cluster


def established(*peers: str, down: tuple[str, ...] = ()) -> tuple[SessionStatus, ...]:
    up = [SessionStatus(peer=peer, peer_state=PeerState(session_state="ESTABLISHED")) for peer in peers]
    return (*up, *(SessionStatus(peer=peer, peer_state=PeerState(session_state="IDLE")) for peer in down))


def test_a_node_selector_that_leaves_out_every_node_is_told_at_service_and_pool() -> None:
    cluster = Cluster(eips={"west": pool(Advertisement(node_selector=EDGE))})
    cluster.settle()
    assert cluster.announced()[:2] == ("False", "NoAdvertisement")
    assert cluster.pool_ready() == (
        "False",
        "NoAdvertisement",
        "n1, n2: no advertisement of Eip west is for this node; add one, or widen a nodeSelector",
    )


def test_a_node_selector_that_leaves_out_one_node_names_it() -> None:
    cluster = Cluster(eips={"west": pool(Advertisement(node_selector=EDGE))})
    cluster.set("nodes", "n1", Node(meta=Meta(name="n1", labels={"edge": "yes"})))
    cluster.settle()
    assert cluster.announced() == ("True", "Announced", "announced by n1; not by n2 (NoAdvertisement)")


def test_a_service_that_no_advertisement_chooses_says_so() -> None:
    chosen = Advertisement(service_selector=FRONT)
    assert announced(chosen) == ("False", "NoAdvertisement", f"n1, n2: {ELSEWHERE}")
    assert announced(chosen, labels={"tier": "front"})[:2] == ("True", "Announced")


def test_of_an_advertisement_both_selectors_must_choose() -> None:
    edge, front = Advertisement(node_selector=EDGE), Advertisement(service_selector=FRONT)
    both = msgspec.structs.replace(edge, service_selector=FRONT)
    assert announced(both, labels={"tier": "front"})[:2] == ("False", "NoAdvertisement")
    assert announced(edge, front, labels={"tier": "front"})[:2] == ("True", "Announced")
    assert announced(edge, front)[:2] == ("False", "NoAdvertisement")


def test_a_local_service_with_an_aggregate_alone_is_announced_by_nobody() -> None:
    aggregate = Advertisement(aggregation_length=30)
    assert announced(aggregate)[:2] == ("True", "Announced")
    assert announced(aggregate, local=True) == ("False", "NoAdvertisement", f"n1, n2: {ELSEWHERE}")
    assert announced(aggregate, Advertisement(), local=True)[:2] == ("True", "Announced")


def test_an_aggregate_that_reaches_beyond_the_pool_announces_nothing() -> None:
    assert announced(Advertisement(aggregation_length=28)) == (
        "False",
        "AggregateOutsidePool",
        "n1, n2: the aggregate 192.0.2.0/28 does not lie wholly inside Eip west and is left out; choose a "
        "longer aggregationLength, or widen the pool",
    )
    assert announced(Advertisement(aggregation_length=28), Advertisement())[:2] == ("True", "Announced")


def test_peers_that_no_node_speaks_to_are_named() -> None:
    cluster = two_leaves(
        Advertisement(peers=("leaf1",)),
        Advertisement(peers=("leaf2",), service_selector=FRONT),
        node_selector=EDGE,
    )
    cluster.set("eips", "west", pool(Advertisement(peers=("leaf2",)), Advertisement(service_selector=FRONT)))
    cluster.settle()
    assert cluster.announced() == (
        "False",
        "NoPeerForNode",
        "n1, n2: Eip west advertises it only to peers that this node does not speak to: leaf2; name others, "
        "or none for all",
    )


def test_a_session_with_a_peer_that_does_not_hear_of_it_is_none() -> None:
    cluster = two_leaves(Advertisement(peers=("leaf2",)), Advertisement(service_selector=FRONT))
    for name in ("n1", "n2"):
        cluster.report(name, sessions=established("leaf1", down=("leaf2",)))
    cluster.settle()
    first = cluster.announced()
    cluster.report("n2", sessions=established("leaf1", "leaf2"))
    cluster.settle()
    assert (first, cluster.announced()) == (
        ("False", "NoSession", "n1, n2: no session with leaf2 is established; see the BgpPeer's status"),
        ("True", "Announced", "announced by n2; not by n1 (NoSession)"),
    )


def test_a_stand_in_announces_to_its_own_peers_what_is_for_the_other_node() -> None:
    cluster = Cluster(eips={"west": pool(Advertisement(node_selector=EDGE))})
    cluster.set("nodes", "n2", Node(meta=Meta(name="n2", labels={"edge": "yes"})))
    cluster.report("n2", sessions=sessions("ACTIVE"))
    cluster.report("n1", standing_in_for=("n2",))
    cluster.settle()
    assert cluster.announced() == ("True", "Announced", "announced by n2; not by n1 (NoAdvertisement)")


def test_an_edit_of_advertisements_alone_is_looked_at() -> None:
    cluster = Cluster(eips={"west": pool(Advertisement())})
    cluster.settle()
    cluster.set("eips", "west", pool(Advertisement(service_selector=FRONT)))
    cluster.settle()
    assert cluster.announced()[:2] == ("False", "NoAdvertisement")


@pytest.mark.parametrize("reason", ["NoIPv6NextHop", "FamilyNotNegotiated"])
def test_an_objection_to_one_address_of_two_is_not_held_against_the_other(reason: str) -> None:
    cluster = Cluster(eips={"west": pool(addresses="192.0.2.0/29,2001:db8::/125")})
    cluster.set("services", WEB, service(ip_families=tuple(Family), ip_family_policy="RequireDualStack"))
    cluster.set("slices", WEB, slices("n1", "n2"))
    cluster.settle()
    v4, v6 = sorted(cluster.web.addresses, key=lambda address: address.version)
    cluster.report("n2", problems=(objection(reason, f"{v6}: give it one"),))
    cluster.settle()
    first = cluster.announced()
    cluster.report("n1", problems=(objection(reason, f"{v6}: give it one"),))
    cluster.settle()
    assert (first, cluster.announced()) == (
        (
            "True",
            "Announced",
            f"{v4} announced by n1, n2; {v6} announced by n1; not by n2 ({reason})",
        ),
        ("False", reason, f"{v6}: n1, n2: {v6}: give it one"),
    )


def objection(reason: str, message: str) -> Problem:
    return Problem(object="Service shop/web", reason=reason, message=message)
