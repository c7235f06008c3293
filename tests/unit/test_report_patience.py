"""Not being ready is no news while daemons and sessions have had no time to come up."""

from openelb_bgp.model.meta import Kind, Meta
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.routing import BgpPeer
from openelb_bgp.report.leader import Report
from tests.unit.report_cluster import NOW, WEB, Cluster, sessions

SOON, LATER = "2026-01-01T00:00:09Z", "2026-01-01T00:00:10Z"


def warnings(made: Report) -> list[tuple[str, str]]:
    """What is told of pools, peers and the BgpConf."""
    return sorted(
        (str(event.ref), event.reason)
        for event in made.events
        if event.warning and event.ref.kind is not Kind.SERVICE
    )


def starting() -> Cluster:
    cluster = Cluster()
    for name in ("n1", "n2"):
        cluster.report(name, sessions=sessions("ACTIVE"))
    return cluster


def test_a_session_that_has_not_come_up_is_told_once_its_time_is_over() -> None:
    cluster = starting()
    first, soon, later, after = (cluster.make(now) for now in (NOW, SOON, LATER, LATER))
    assert [warnings(each) for each in (first, soon, after)] == [[], [], []]
    assert warnings(later) == [("BgpPeer leaf1", "NotEstablished"), ("Eip west", "ConfigSpeakerFailed")]
    assert (first.due, later.due) == (1767225610.0, None)


def test_a_session_that_comes_up_in_time_is_no_warning_ever() -> None:
    cluster = starting()
    cluster.make(NOW)
    for name in ("n1", "n2"):
        cluster.report(name, sessions=sessions("ESTABLISHED"))
    made = [cluster.make(now) for now in (SOON, LATER)]
    assert ([warnings(each) for each in made], made[-1].due) == ([[], []], None)


def test_a_session_that_is_lost_is_told_at_once() -> None:
    cluster = Cluster()
    cluster.make(NOW)
    for name in ("n1", "n2"):
        cluster.report(name, sessions=sessions("ACTIVE"))
    assert warnings(cluster.make(NOW)) == [
        ("BgpPeer leaf1", "NotEstablished"),
        ("Eip west", "ConfigSpeakerFailed"),
    ]


def test_a_start_without_any_speaker_is_told_once_its_time_is_over() -> None:
    cluster = Cluster(speakers={})
    assert warnings(cluster.make(NOW)) == []
    assert warnings(cluster.make(LATER)) == [
        ("BgpConf default", "NoSpeaker"),
        ("BgpPeer leaf1", "NoSpeaker"),
        ("Eip west", "ConfigSpeakerFailed"),
    ]


def test_what_only_a_person_can_mend_is_told_at_once() -> None:
    assert ("Eip west", "ConfigSpeakerFailed") in warnings(Cluster(bgp_peers={}).make(NOW))


def test_a_peer_that_is_new_has_its_time_too_and_one_that_goes_is_told_no_more() -> None:
    cluster = Cluster()
    cluster.make(NOW)
    cluster.set("bgp_peers", "leaf2", BgpPeer(meta=Meta(name="leaf2"), peer_asn=50002))
    assert warnings(cluster.make(LATER)) == []
    cluster.set("bgp_peers", "leaf2", None)
    assert cluster.make("2026-01-01T00:01:00Z").due is None


def test_a_pool_that_is_edited_while_it_waits_is_told_as_it_is_then() -> None:
    cluster = starting()
    cluster.make(NOW)
    west = cluster.snapshot.eips["west"]
    cluster.set("eips", "west", Eip(meta=west.meta, ranges=west.ranges, priority=3))
    assert ("Eip west", "ConfigSpeakerFailed") in warnings(cluster.make(LATER))


def test_a_clock_that_is_set_back_makes_nobody_wait_for_it() -> None:
    cluster = starting()
    cluster.make(NOW)
    an_hour_ago = cluster.make("2025-12-31T23:00:00Z")
    assert (warnings(an_hour_ago), an_hour_ago.due) == ([], 1767222010.0)
    assert ("Eip west", "ConfigSpeakerFailed") in warnings(cluster.make("2025-12-31T23:00:10Z"))


def told_of_web(made: Report) -> list[tuple[str, bool]]:
    return [(event.reason, event.warning) for event in made.events if event.ref.key == WEB]


def written(cluster: Cluster, now: str) -> Report:
    made = cluster.make(now)
    cluster.deliver(made.writes)
    cluster.applied(*cluster.snapshot.speakers)
    return made


def test_a_new_service_has_its_time_too() -> None:
    cluster = starting()
    first, second = written(cluster, NOW), written(cluster, NOW)
    assert (told_of_web(first), told_of_web(second)) == ([("AssignIP", False)], [])
    for name in ("n1", "n2"):
        cluster.report(name, sessions=sessions("ESTABLISHED"))
    came, later = written(cluster, SOON), written(cluster, LATER)
    assert (told_of_web(came), told_of_web(later)) == ([("SetBalancer", False)], [])


def test_a_new_service_is_told_why_it_is_silent_once_its_time_is_over() -> None:
    cluster = starting()
    made = [written(cluster, now) for now in (NOW, NOW, SOON, LATER, LATER)]
    assert [told_of_web(each) for each in made] == [
        [("AssignIP", False)],
        [],
        [],
        [("NoSession", True)],
        [],
    ]


def test_what_a_new_service_lacks_of_its_own_is_told_as_soon_as_it_shows() -> None:
    cluster = starting()
    for _ in range(2):
        written(cluster, NOW)
    cluster.set("slices", WEB, None)
    made = [written(cluster, now) for now in (SOON, SOON, LATER)]
    assert [reason for each in made for reason, _ in told_of_web(each)] == ["NoEndpoints"]
