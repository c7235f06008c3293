"""What this node notes of other nodes' speakers, and since when by its own clock."""

import msgspec

from openelb_bgp.membership.observed import observe_speakers
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.facts import SessionSeen, SpeakerFact
from openelb_bgp.model.meta import Kind, Meta, ref
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.routing import BgpPeer
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import PeerState, Problem, RouteCounts, SessionStatus, SpeakerStatus

ALL_LISTED = frozenset({Kind.SPEAKER, Kind.NODE, Kind.BGP_PEER})


def speaker(
    name: str = "node2",
    *,
    up: tuple[str, ...] = (),
    down: tuple[str, ...] = (),
    ready: bool = True,
    routes: tuple[int, int] = (3, 3),
    applied: int = 7,
    draining: bool = False,
    problems: tuple[Problem, ...] = (),
) -> Speaker:
    sessions = [SessionStatus(peer=one, peer_state=PeerState(session_state="ESTABLISHED")) for one in up]
    sessions += [SessionStatus(peer=one, peer_state=PeerState(session_state="ACTIVE")) for one in down]
    desired, announced = routes
    return Speaker(
        Meta(name=name),
        SpeakerStatus(
            sessions=tuple(sessions),
            routes=RouteCounts(desired=desired, announced=announced),
            applied_revision=applied,
            draining=draining,
            problems=problems,
        ),
        ready=ready,
    )


def cluster(
    *speakers: Speaker, nodes: tuple[str, ...] = ("node1", "node2"), peers: tuple[str, ...] = ()
) -> Snapshot:
    return Snapshot(
        speakers={one.name: one for one in speakers},
        nodes={name: Node(meta=Meta(name=name)) for name in nodes},
        bgp_peers={name: BgpPeer(meta=Meta(name=name), peer_asn=65000) for name in peers},
        listed=ALL_LISTED,
    )


class Observer:
    """Node1, which looks at the cluster from time to time."""

    def __init__(self) -> None:
        self.seen: dict[str, SpeakerFact] = {}

    def look(self, snapshot: Snapshot, *, at: float) -> SpeakerFact:
        """What is known of node2 then."""
        self.seen = dict(observe_speakers(snapshot, own="node1", before=self.seen, now=at))
        return self.seen["node2"]


def test_notes_when_it_first_saw_each_session_and_each_lack_of_one() -> None:
    observer = Observer()
    observer.look(cluster(speaker(up=("leaf1",), down=("leaf2",))), at=10)
    assert observer.look(cluster(speaker(up=("leaf1", "leaf2"))), at=20) == SpeakerFact(
        node="node2", established={"leaf1": 10, "leaf2": 20}, caught_up_since=10
    )
    assert observer.look(cluster(speaker(up=("leaf2",), down=("leaf1",))), at=30) == SpeakerFact(
        node="node2", established={"leaf2": 20}, without={"leaf1": 30}, caught_up_since=10
    )


def test_a_session_counts_anew_after_it_was_lost() -> None:
    observer = Observer()
    observer.look(cluster(speaker(up=("leaf1",))), at=10)
    observer.look(cluster(speaker(down=("leaf1",))), at=20)
    assert observer.look(cluster(speaker(up=("leaf1",))), at=30).established == {"leaf1": 30}


def test_one_of_several_sessions_to_a_peer_is_enough() -> None:
    fact = Observer().look(cluster(speaker(up=("gateway",), down=("gateway",))), at=10)
    assert (fact.established, fact.without) == ({"gateway": 10}, {})


def test_of_several_sessions_to_a_peer_each_has_its_own_time() -> None:
    def seen(**states: str) -> Speaker:
        sessions = tuple(
            SessionStatus(
                peer="gateway",
                peer_state=PeerState(session_state=state, neighbor_address=f"fe80::{name}%eth0"),
            )
            for name, state in states.items()
        )
        return Speaker(Meta(name="node2"), SpeakerStatus(sessions=sessions), ready=True)

    observer = Observer()
    observer.look(cluster(seen(a="ESTABLISHED", b="ESTABLISHED"), peers=("gateway",)), at=10)
    one_lost = observer.look(cluster(seen(a="ESTABLISHED", b="IDLE"), peers=("gateway",)), at=20).sessions
    unlisted = observer.look(cluster(seen(b="IDLE"), peers=("gateway",)), at=30).sessions
    without_peer = observer.look(cluster(seen()), at=40).sessions
    a, b = ("gateway", "fe80::a"), ("gateway", "fe80::b")
    assert (one_lost, unlisted, without_peer) == (
        {a: SessionSeen(True, 10), b: SessionSeen(False, 20)},
        {a: SessionSeen(False, 30), b: SessionSeen(False, 20)},
        {},
    )


def test_a_peer_that_is_not_reported_is_one_without_a_session() -> None:
    # A speaker whose gobgpd is away reports no session at all.
    observer = Observer()
    observer.look(cluster(speaker(up=("leaf1",)), peers=("leaf1", "leaf2")), at=10)
    fact = observer.look(cluster(speaker(), peers=("leaf1", "leaf2")), at=20)
    assert (fact.established, fact.without) == ({}, {"leaf1": 20, "leaf2": 10})


def test_a_speaker_that_drained_before_it_went_has_left_until_it_is_back() -> None:
    observer = Observer()
    assert not observer.look(cluster(speaker(draining=True)), at=1.0).has_left
    assert observer.look(cluster(), at=2.0).has_left
    assert not observer.look(cluster(speaker()), at=3.0).has_left


def test_a_node_that_does_not_forward_yet_says_so_itself() -> None:
    def said(node: str, reason: Reason) -> SpeakerFact:
        problem = Problem.of(ref(Kind.NODE, node), reason, "kube-proxy has not answered")
        return Observer().look(cluster(speaker(problems=(problem,))), at=1)

    assert said("node2", Reason.NOT_PROVEN).unproven
    assert not said("node2", Reason.ANNOUNCED_UNPROVEN).unproven
    assert not said("node1", Reason.NOT_PROVEN).unproven


def test_a_peer_that_is_deleted_is_forgotten() -> None:
    observer = Observer()
    observer.look(cluster(speaker(up=("leaf1",)), peers=("leaf1",)), at=10)
    fact = observer.look(cluster(speaker()), at=20)
    assert (fact.established, fact.without) == ({}, {})


def test_a_node_without_a_speaker_is_quiet_since_that_was_noticed() -> None:
    observer = Observer()
    observer.look(cluster(), at=10)
    assert observer.look(cluster(), at=20) == SpeakerFact(node="node2", quiet_since=10)


def test_a_speaker_that_is_not_ready_or_vanishes_is_quiet_and_its_sessions_do_not_count() -> None:
    for gone in (cluster(speaker(up=("leaf1",), ready=False)), cluster()):
        observer = Observer()
        observer.look(cluster(speaker(up=("leaf1",))), at=10)
        assert observer.look(gone, at=20) == SpeakerFact(node="node2", without={"leaf1": 20}, quiet_since=20)


def test_a_session_missing_before_a_speaker_went_quiet_is_missing_since_then() -> None:
    observer = Observer()
    observer.look(cluster(speaker(up=("leaf1",), down=("leaf2",))), at=10)
    observer.look(cluster(), at=20)
    fact = observer.look(cluster(speaker(down=("leaf1", "leaf2"))), at=30)
    assert fact.without == {"leaf1": 20, "leaf2": 10}


def test_quiet_goes_on_whether_a_speaker_is_not_ready_or_gone() -> None:
    observer = Observer()
    observer.look(cluster(speaker(ready=False)), at=10)
    observer.look(cluster(), at=20)
    assert observer.look(cluster(speaker(ready=False)), at=30).quiet_since == 10


def test_a_speaker_that_returns_has_its_sessions_since_now_and_lacks_others_since_it_went_quiet() -> None:
    observer = Observer()
    observer.look(cluster(speaker(up=("leaf1", "leaf2"))), at=10)
    observer.look(cluster(), at=20)
    fact = observer.look(cluster(speaker(up=("leaf1",), down=("leaf2", "leaf3"))), at=30)
    assert fact == SpeakerFact(
        node="node2",
        established={"leaf1": 30},
        without={"leaf2": 20, "leaf3": 20},
        caught_up_since=30,
    )


def test_has_caught_up_since_it_was_first_seen_to_announce_all_that_it_wants() -> None:
    observer = Observer()
    assert observer.look(cluster(speaker(routes=(3, 2))), at=10).caught_up_since is None
    assert observer.look(cluster(speaker(routes=(3, 3))), at=20).caught_up_since == 20
    # Withdrawals may lag behind: what it wants is out.
    assert observer.look(cluster(speaker(routes=(2, 3))), at=30).caught_up_since == 20
    assert observer.look(cluster(speaker(routes=(4, 3))), at=40).caught_up_since is None


def test_a_speaker_that_has_applied_nothing_yet_has_not_caught_up() -> None:
    assert Observer().look(cluster(speaker(routes=(0, 0), applied=0)), at=10).caught_up_since is None


def test_knows_nothing_of_itself_and_forgets_who_is_neither_node_nor_speaker() -> None:
    observer = Observer()
    observer.look(cluster(speaker("node1"), speaker(), speaker("node3")), at=10)
    assert set(observer.seen) == {"node2", "node3"}
    observer.look(cluster(speaker()), at=20)
    assert set(observer.seen) == {"node2"}


def test_before_speakers_are_listed_nobody_is_quiet() -> None:
    before = {"node2": SpeakerFact(node="node2")}
    snapshot = msgspec.structs.replace(cluster(), listed=frozenset({Kind.NODE}))
    assert observe_speakers(snapshot, own="node1", before=before, now=10) is before


def test_what_does_not_change_stays_the_same_object() -> None:
    nodes = ("node1", "node2", "node3")
    start = cluster(speaker(up=("leaf1",)), speaker("node3"), nodes=nodes)
    before = observe_speakers(start, own="node1", before={}, now=10)
    again = cluster(speaker(up=("leaf1",), applied=8), speaker("node3"), nodes=nodes)
    assert observe_speakers(again, own="node1", before=before, now=20) is before
    after = observe_speakers(
        cluster(speaker(), speaker("node3"), nodes=nodes), own="node1", before=before, now=30
    )
    assert after["node3"] is before["node3"]
    assert after["node2"] != before["node2"]
