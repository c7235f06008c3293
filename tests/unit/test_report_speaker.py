"""The merged report of one node, and when it is worth a write."""

from ipaddress import ip_interface

import msgspec

from openelb_bgp.model.facts import Facts, Link
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.pools import Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.statuses import (
    GobgpStatus,
    InterfaceStatus,
    Layer2Status,
    MessageCounts,
    Messages,
    OwnedAddress,
    PeerState,
    PoolStatus,
    Problem,
    RouteCounts,
    SessionStatus,
    SpeakerStatus,
    SpeakerSummary,
)
from openelb_bgp.ports import Announcement
from openelb_bgp.report.speaker import bounded, interfaces, speaker_status, write_due

STARTED = "2026-01-01T00:00:00Z"
OWNED = OwnedAddress(address="192.0.2.100", interface="eth0", since="2026-01-01T00:00:00Z")
FACTS = Facts(
    node="n1",
    now=100.0,
    links=(
        Link(
            name="eth1", index=3, mac="02:00:00:00:00:02", up=False, addresses=(ip_interface("fd00::1/64"),)
        ),
        Link(
            name="eth0",
            index=2,
            mac="02:00:00:00:00:01",
            up=True,
            addresses=(ip_interface("192.0.2.11/24"), ip_interface("fe80::1/64")),
        ),
        Link(name="lo", index=1, up=True, addresses=(ip_interface("127.0.0.1/8"),)),
        Link(name="veth12", index=9, up=True, addresses=(ip_interface("fe80::2/64"),)),
        Link(name="kube-ipvs0", index=8, addresses=(ip_interface("198.51.100.1/32"),)),
    ),
)
NICS = (
    InterfaceStatus(name="eth0", mac="02:00:00:00:00:01", subnets=("192.0.2.0/24",), up=True),
    InterfaceStatus(name="eth1", mac="02:00:00:00:00:02", subnets=("fd00::/64",), up=False),
)


def session(state: str, *, since: str = "", received: int = 0) -> SessionStatus:
    return SessionStatus(
        peer="leaf1",
        peer_state=PeerState(
            session_state=state,
            neighbor_address="192.0.2.1",
            messages=Messages(received=MessageCounts(total=received)),
        ),
        since=since,
    )


def bgp(status: SpeakerStatus, *, revision: int = 7, settled: bool = True, **more: object) -> Announcement:
    return msgspec.structs.replace(
        Announcement(protocol=Protocol.BGP, revision=revision, settled=settled, status=status), **more
    )


def test_merges_the_announcers_parts_with_the_nodes_links() -> None:
    by_bgp = bgp(
        SpeakerStatus(
            gobgp=GobgpStatus(version="4.8.0", asn=65000, router_id="192.0.2.11"),
            sessions=(session("ESTABLISHED", since=STARTED),),
            pools=(PoolStatus(name="west", ready=True),),
            routes=RouteCounts(desired=4, announced=3),
            standing_in_for=("n3",),
            problems=(Problem(object="BgpPeer leaf2", reason="SecretMissing", message="create it"),),
        )
    )
    by_layer2 = Announcement(
        protocol=Protocol.LAYER2,
        revision=9,
        settled=True,
        status=SpeakerStatus(
            pools=(PoolStatus(name="lan", ready=True),), layer2=Layer2Status(owned=(OWNED,))
        ),
    )
    assert speaker_status(
        announcements=[by_layer2, by_bgp],
        facts=FACTS,
        started_at=STARTED,
        boot_id="b00",
        draining=True,
        problems=[Problem(object="BgpConf default", reason="ListenPortTaken", message="free port 179")],
    ) == SpeakerStatus(
        started_at=STARTED,
        boot_id="b00",
        gobgp=GobgpStatus(version="4.8.0", asn=65000, router_id="192.0.2.11"),
        interfaces=NICS,
        sessions=(session("ESTABLISHED", since=STARTED),),
        pools=(PoolStatus(name="lan", ready=True), PoolStatus(name="west", ready=True)),
        routes=RouteCounts(desired=4, announced=3),
        applied_revision=7,
        standing_in_for=("n3",),
        layer2=Layer2Status(owned=(OWNED,)),
        problems=(
            Problem(object="BgpConf default", reason="ListenPortTaken", message="free port 179"),
            Problem(object="BgpPeer leaf2", reason="SecretMissing", message="create it"),
        ),
        draining=True,
        summary=SpeakerSummary(sessions="1/1", routes="3/4", problems=2),
    )


def test_lists_only_nics_that_carry_a_subnet() -> None:
    assert interfaces(FACTS.links) == NICS


def test_tells_of_what_is_left_out_only_what_the_node_alone_can_know() -> None:
    left_out = {
        ref(Kind.SERVICE, "web", namespace="shop"): Refused(Reason.NO_LOCAL_ENDPOINT, "no pod here"),
        ref(Kind.SERVICE, "dns", namespace="shop"): Refused(Reason.NO_IPV6_NEXT_HOP, "give eth0 an address"),
    }
    status = speaker_status(
        announcements=[bgp(SpeakerStatus(), left_out=left_out)], facts=FACTS, started_at=STARTED
    )
    assert status.problems == (
        Problem(object="Service shop/dns", reason="NoIPv6NextHop", message="give eth0 an address"),
    )


def test_what_keeps_the_whole_node_silent_is_told_once_and_not_of_every_service() -> None:
    message = "kube-proxy has not answered"
    node = Problem.of(ref(Kind.NODE, "n1"), Reason.NOT_PROVEN, message)
    other = Refused(Reason.NOT_PROVEN, "its port has not answered")
    announcement = Announcement(
        protocol=Protocol.BGP,
        revision=1,
        settled=True,
        status=SpeakerStatus(problems=(node,)),
        left_out={
            ref(Kind.SERVICE, "web", namespace="shop"): Refused(Reason.NOT_PROVEN, message),
            ref(Kind.SERVICE, "dns", namespace="shop"): other,
        },
    )
    found = speaker_status(announcements=[announcement], facts=FACTS, started_at=STARTED).problems
    assert found == (
        node,
        Problem.of(ref(Kind.SERVICE, "dns", namespace="shop"), other.reason, other.message),
    )


def test_the_applied_revision_stays_while_an_announcer_is_not_settled() -> None:
    before = SpeakerStatus(applied_revision=5)
    status = speaker_status(
        announcements=[bgp(SpeakerStatus(), revision=8, settled=False)],
        facts=FACTS,
        started_at=STARTED,
        previous=before,
    )
    assert status.applied_revision == 5


def test_counters_are_those_of_the_sessions_last_transition() -> None:
    def report(one: SessionStatus, previous: SpeakerStatus | None) -> SpeakerStatus:
        return speaker_status(
            announcements=[bgp(SpeakerStatus(sessions=(one,)))],
            facts=FACTS,
            started_at=STARTED,
            previous=previous,
        )

    first = report(session("ESTABLISHED", since=STARTED, received=3), None)
    idle = report(session("ESTABLISHED", since=STARTED, received=90), first)
    lost = report(session("IDLE", received=91), idle)
    assert idle == first
    assert lost.sessions == (session("IDLE", received=91),)


def test_keeps_a_hundred_problems_sorted_once_each_and_counts_the_rest() -> None:
    problems = [Problem(object=f"Service a/{n:03}", reason="NoAddPath", message="x") for n in range(130)]
    kept = bounded([*reversed(problems), *problems])
    assert list(kept[:99]) == problems[:99]
    assert kept[99] == Problem(object="Service a/099", reason="NoAddPath", message="x (and 30 more problems)")
    assert len(kept) == 100


def test_an_idle_report_is_never_written() -> None:
    status = SpeakerStatus(applied_revision=1)
    assert write_due(old=status, new=status, last_written_at=0.0, nodes=3) is None


def test_the_first_report_is_written_at_once() -> None:
    assert write_due(old=None, new=SpeakerStatus(), last_written_at=5.0, nodes=1000) == 5.0


def test_reports_are_written_the_slower_the_more_nodes_there_are() -> None:
    old, new = SpeakerStatus(applied_revision=1), SpeakerStatus(applied_revision=2)
    due = [write_due(old=old, new=new, last_written_at=10.0, nodes=nodes) for nodes in (3, 100, 1000)]
    assert due == [10.2, 12.0, 30.0]


def test_a_lost_session_is_told_sooner_than_a_counter() -> None:
    old = SpeakerStatus(sessions=(session("ESTABLISHED"),))
    new = SpeakerStatus(sessions=(session("IDLE"),))
    assert write_due(old=old, new=new, last_written_at=10.0, nodes=1000) == 12.0
