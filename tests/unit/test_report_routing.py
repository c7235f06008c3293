"""What BgpConf, BgpPeer and pools say of the speakers' reports."""

import msgspec

from openelb_bgp.decode.pool_text import ranges as parse_ranges
from openelb_bgp.lib.words import some
from openelb_bgp.model import keys
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import LabelSelector, Meta
from openelb_bgp.model.pools import Advertisement, Eip, Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.routing import BgpConf, BgpPeer
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import (
    BgpConfStatus,
    BgpPeerStatus,
    GobgpStatus,
    NodeConfStatus,
    NodePeerStatus,
    PeerState,
    PoolStatus,
    Problem,
    SessionStatus,
    SpeakerStatus,
)
from openelb_bgp.report.reach import Reach, reaches
from openelb_bgp.report.routing import bgp_conf_status, bgp_peer_status
from openelb_bgp.report.words import counted, summed_up

EARLIER, NOW = "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"
POOL = Eip(meta=Meta(name="west"), ranges=parse_ranges("192.0.2.0/24"))
CONF = BgpConf(meta=Meta(name="default", generation=4), asn=50000, asn_per_rack=(("r2", 50002),))
LEAF = BgpPeer(meta=Meta(name="leaf1", generation=2), peer_asn=50001, neighbor_address="192.0.2.1")
VALID = Condition(
    type="Valid", status="True", reason="Valid", last_transition_time=NOW, observed_generation=2
)


def node(name: str, *, rack: str = "") -> Node:
    return Node(meta=Meta(name=name, labels={keys.RACK_LABEL: rack} if rack else {}))


def session(state: str = "ESTABLISHED", *, error: str = "", address: str = "192.0.2.1") -> SessionStatus:
    return SessionStatus(
        peer="leaf1",
        peer_state=PeerState(session_state=state, neighbor_address=address),
        last_error=error,
    )


def speaker(
    name: str, *sessions: SessionStatus, asn: int = 50000, ready: bool = True, **more: object
) -> Speaker:
    status = SpeakerStatus(
        gobgp=GobgpStatus(version="4.8.0", asn=asn, router_id="192.0.2.11"),
        sessions=sessions,
        pools=(PoolStatus(name="west", ready=True),),
    )
    return Speaker(Meta(name=name), msgspec.structs.replace(status, **more), ready)


def snapshot(*speakers: Speaker, nodes: tuple[Node, ...] = (), **more: object) -> Snapshot:
    known = nodes or tuple(node(one.name) for one in speakers)
    return msgspec.structs.replace(
        Snapshot(
            eips={"west": POOL},
            bgp_confs={"default": CONF},
            bgp_peers={"leaf1": LEAF},
            speakers={one.name: one for one in speakers},
            nodes={one.name: one for one in known},
        ),
        **more,
    )


def peer_status(seen: Snapshot, previous: BgpPeerStatus | None = None) -> BgpPeerStatus:
    return bgp_peer_status(seen.bgp_peers["leaf1"], seen, defects=(), previous=previous, now=NOW)


def reach(pool: Eip, seen: Snapshot) -> Reach:
    """Where that pool is announced."""
    return reaches(msgspec.structs.replace(seen, eips={pool.name: pool}))[pool.name]


def peer_ready(seen: Snapshot) -> tuple[str, str, str]:
    ready = peer_status(seen).conditions[1]
    return ready.status, ready.reason, ready.message


def test_a_peer_is_ready_when_every_chosen_node_has_established_it() -> None:
    seen = snapshot(speaker("n1", session()), speaker("n2", session()))
    shown = NodePeerStatus(peer_state=PeerState(session_state="ESTABLISHED", neighbor_address="192.0.2.1"))
    assert peer_status(seen) == BgpPeerStatus(
        nodes_peer_status={"n1": shown, "n2": shown},
        conditions=(
            VALID,
            Condition(
                type="Ready",
                status="True",
                reason="Established",
                message="established on n1, n2",
                last_transition_time=NOW,
                observed_generation=2,
            ),
        ),
    )


def test_a_peer_names_the_nodes_without_a_session_and_the_last_error() -> None:
    seen = snapshot(
        speaker("n1", session()),
        speaker("n2", session("ACTIVE", error="connection refused")),
        speaker("n3", session("ACTIVE", error="connection refused")),
        speaker("n4", problems=(Problem(object="BgpPeer leaf1", reason="SecretMissing", message="make it"),)),
        nodes=(node("n1"), node("n2"), node("n3"), node("n4"), node("n5")),
    )
    assert peer_ready(seen) == (
        "False",
        "NotEstablished",
        "n2, n3: connection refused; n4: make it; n5: no live speaker reports; start one on this node",
    )


def test_a_session_of_a_speaker_that_is_not_ready_does_not_count() -> None:
    assert peer_ready(snapshot(speaker("n1", session(), ready=False)))[:2] == ("False", "NoSpeaker")


def test_of_several_sessions_of_a_node_the_one_that_is_down_is_shown() -> None:
    seen = snapshot(speaker("n1", session(), session("IDLE", address="192.0.2.2")))
    status = peer_status(seen)
    assert status.nodes_peer_status["n1"].peer_state.neighbor_address == "192.0.2.2"
    assert peer_ready(seen)[1:] == ("NotEstablished", "n1: the session is IDLE, not established")


def test_a_peer_that_nobody_speaks_to_for_want_of_a_conf_says_so() -> None:
    assert peer_ready(snapshot(speaker("n1"), bgp_confs={}))[:2] == ("False", "NoBgpConf")
    assert peer_ready(snapshot(speaker("n1", session()), bgp_confs={}))[0] == "True"


def test_a_peer_that_chooses_no_node_says_so() -> None:
    picky = msgspec.structs.replace(LEAF, node_selector=LabelSelector(match_labels=(("tier", "edge"),)))
    seen = snapshot(speaker("n1", session()), bgp_peers={"leaf1": picky})
    assert peer_ready(seen)[:2] == ("False", "NodeNotSelected")


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    down = snapshot(speaker("n1", session("ACTIVE", error="connection refused")))
    first = bgp_peer_status(LEAF, down, defects=(), previous=None, now=EARLIER)
    other_words = snapshot(speaker("n1", session("ACTIVE", error="no route to host")))
    second = peer_status(other_words, first)
    up = peer_status(snapshot(speaker("n1", session())), second)
    assert [one.last_transition_time for one in second.conditions] == [EARLIER, EARLIER]
    assert [one.last_transition_time for one in up.conditions] == [EARLIER, NOW]


def test_a_conf_shows_what_each_node_runs_with() -> None:
    seen = snapshot(
        speaker("n1"), speaker("n2", asn=50002), nodes=(node("n1", rack="r1"), node("n2", rack="r2"))
    )
    assert bgp_conf_status(CONF, seen, defects=(), previous=None, now=NOW) == BgpConfStatus(
        nodes_conf_status={
            "n1": NodeConfStatus(router_id="192.0.2.11", asn=50000),
            "n2": NodeConfStatus(router_id="192.0.2.11", asn=50002),
        },
        conditions=(
            msgspec.structs.replace(VALID, observed_generation=4),
            Condition(
                type="Ready",
                status="True",
                reason="Ready",
                message="AS 50000 runs on n1, n2",
                last_transition_time=NOW,
                observed_generation=4,
            ),
        ),
    )


def test_a_remark_on_a_peer_is_never_given_as_why_it_is_down() -> None:
    remark = Problem(object="BgpPeer leaf1", reason="NoEffect", message="conf.sendCommunity has none")
    taken = Problem(object="BgpPeer leaf1", reason="PeerInUseByOther", message="the CNI speaks to it")
    down = session("ACTIVE", error="connection refused")
    said = []
    for problems in ((remark,), (remark, taken)):
        seen = snapshot(speaker("n1", down, problems=problems), nodes=(node("n1"),))
        ready = bgp_peer_status(LEAF, seen, defects=(), previous=None, now=NOW).conditions[1]
        said.append((ready.reason, ready.message))
    assert said == [
        ("NotEstablished", "n1: connection refused"),
        ("PeerInUseByOther", "n1: the CNI speaks to it"),
    ]


def test_a_conf_names_the_nodes_that_do_not_run_it_and_why() -> None:
    taken = Problem(object="BgpConf default", reason="ListenPortTaken", message="port 179 is taken by bird")
    seen = snapshot(
        speaker("n1"),
        speaker("n2", asn=0, problems=(taken,)),
        speaker("n3", asn=0),
        speaker("n4", asn=49999),
        nodes=(node("n1"), node("n2"), node("n3"), node("n4"), node("n5")),
    )
    ready = bgp_conf_status(CONF, seen, defects=(), previous=None, now=NOW).conditions[1]
    assert ready.message == (
        "n2: port 179 is taken by bird; n3: gobgpd has not been started; see the Speaker's problems; "
        "n4: gobgpd still runs with AS 49999 instead of 50000; "
        "n5: no live speaker reports; start one on this node"
    )


def test_defects_make_an_object_invalid_and_warnings_do_not() -> None:
    fatal = Defect("spec.as", "-1", "is no ASN", "write 1 to 4294967295")
    warning = Defect("spec.x", "", "is unknown", "remove it", reason=Reason.NO_EFFECT, fatal=False)
    seen = snapshot(speaker("n1"))
    states = [
        bgp_conf_status(CONF, seen, defects=defects, previous=None, now=NOW).conditions[0]
        for defects in ((warning,), (warning, fatal))
    ]
    assert [(one.status, one.reason, one.message) for one in states] == [
        ("True", "NoEffect", "spec.x: is unknown; remove it"),
        ("False", "Invalid", "spec.as '-1': is no ASN; write 1 to 4294967295; spec.x: is unknown; remove it"),
    ]


def test_a_pool_reaches_the_nodes_that_have_configured_it_and_a_session() -> None:
    seen = snapshot(
        speaker("n1", session()),
        speaker("n2", session("ACTIVE", error="connection refused")),
        speaker("n3"),
        speaker("n4", session(), pools=(PoolStatus(name="west", reason="NoIPv6NextHop"),)),
    )
    assert reach(POOL, seen) == Reach(
        configured=True,
        nodes=("n1",),
        silent={
            "n2": Refused(
                Reason.NO_SESSION,
                "no session is established (leaf1: connection refused); see the BgpPeer's status",
            ),
            "n3": Refused(Reason.NO_SESSION, "no session is established (not yet); see the BgpPeer's status"),
            "n4": Refused(Reason.NO_IPV6_NEXT_HOP, "NoIPv6NextHop"),
        },
    )


def test_a_node_that_no_peer_chooses_is_told_apart_from_one_without_a_session() -> None:
    leaf = msgspec.structs.replace(LEAF, node_selector=LabelSelector((("edge", "yes"),)))
    seen = snapshot(speaker("n1"), nodes=(node("n1"),), bgp_peers={"leaf1": leaf})
    assert reach(POOL, seen).silent == {
        "n1": Refused(Reason.NO_PEER_FOR_NODE, "no BgpPeer is for this node; widen its nodeSelector")
    }


def test_a_pool_that_waits_for_gobgpd_carries_gobgpds_remedy() -> None:
    down = Problem(object="gobgpd", reason="SidecarDown", message="it is not there: install GoBGP")
    waiting = speaker("n1", pools=(PoolStatus(name="west", reason="SidecarDown"),), problems=(down,))
    assert reach(POOL, snapshot(waiting)).silent == {
        "n1": Refused(Reason.SIDECAR_DOWN, "it is not there: install GoBGP")
    }


def test_a_pool_that_nobody_announces_says_what_is_missing() -> None:
    up = speaker("n1", session())
    elsewhere = msgspec.structs.replace(POOL, advertisements=(Advertisement(peers=("leaf9",)),))
    asked = [
        reach(POOL, snapshot(speaker("n1"), bgp_confs={})),
        reach(POOL, snapshot(up, bgp_peers={})),
        reach(POOL, snapshot(nodes=(node("n1"),))),
        reach(elsewhere, snapshot(up)),
        reach(POOL, snapshot(speaker("n1", session("IDLE")))),
    ]
    assert [one.refused and one.refused.reason for one in asked] == [
        Reason.NO_BGP_CONF,
        Reason.NO_PEER,
        Reason.NO_SPEAKER,
        Reason.NO_PEER,
        Reason.NO_SESSION,
    ]


def test_a_speaker_that_is_being_replaced_still_announces() -> None:
    assert reach(POOL, snapshot(speaker("n1", session(), ready=False))).nodes == ("n1",)


def test_a_layer2_pool_needs_no_session() -> None:
    lan = msgspec.structs.replace(POOL, protocol=Protocol.LAYER2)
    assert reach(lan, snapshot(speaker("n1"), bgp_peers={})).nodes == ("n1",)


def test_names_of_many_nodes_are_cut_after_five() -> None:
    names = [f"n{number}" for number in range(1, 8)]
    assert some(names) == "n1, n2, n3, n4, n5 and 2 more"
    assert [counted(names), counted(names[:1]), counted([])] == [
        "7 nodes: n1, n2, n3, n4, n5, …",
        "1 node: n1",
        "",
    ]


def test_the_most_frequent_reason_stands_for_many_refusals() -> None:
    not_ready, drains = Refused(Reason.NODE_NOT_READY, "not ready"), Refused(Reason.NODE_DRAINING, "drains")
    refusals = [("n1", drains), ("n2", not_ready), ("n3", not_ready)]
    assert summed_up(refusals, otherwise=drains) == Refused(
        Reason.NODE_NOT_READY, "n2, n3: not ready; n1: drains"
    )
