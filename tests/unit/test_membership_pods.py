"""Whether a speaker lives, by what its pod says."""

import msgspec

from openelb_bgp.membership.pods import SpeakerPods
from openelb_bgp.model.cluster import Pod
from openelb_bgp.model.meta import Key, Kind, Meta, ref
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import SpeakerStatus

NODES = ("node1", "node2")
SPEAKERS = {name: Speaker(Meta(name=name), SpeakerStatus(applied_revision=1)) for name in NODES}


def seen(*pods: tuple[str, bool]) -> Snapshot:
    """Both Speakers, and pods on these nodes, ready or not."""
    found = {
        Key("ours", f"pod{number}"): Pod(meta=Meta(name=f"pod{number}"), node=node, ready=ready)
        for number, (node, ready) in enumerate(pods)
    }
    return Snapshot(speakers=SPEAKERS, pods=found, listed=frozenset(Kind))


def ready(snapshot: Snapshot) -> dict[str, bool]:
    return {name: one.ready for name, one in snapshot.speakers.items()}


def test_a_speaker_counts_only_while_a_pod_of_its_node_is_ready() -> None:
    pods = SpeakerPods()
    assert ready(pods.judge(seen(("node1", True), ("node2", False)))) == {"node1": True, "node2": False}
    assert ready(pods.judge(seen(("node2", True)))) == {"node1": False, "node2": True}


def test_a_speaker_that_has_not_reported_yet_counts_as_one_that_is_not_ready() -> None:
    made = {"node1": Speaker(Meta(name="node1"), SpeakerStatus())}
    alive = msgspec.structs.replace(seen(("node1", True)), speakers=made)
    assert ready(SpeakerPods().judge(alive)) == {"node1": False}


def test_while_a_rollout_replaces_a_pod_one_of_the_two_suffices() -> None:
    judged = SpeakerPods().judge(seen(("node1", False), ("node1", True), ("node2", True)))
    assert ready(judged) == {"node1": True, "node2": True}


def test_before_pods_have_been_listed_every_speaker_counts() -> None:
    unlisted = msgspec.structs.replace(seen(), listed=frozenset(Kind) - {Kind.POD})
    assert SpeakerPods().judge(unlisted) is unlisted


def test_what_does_not_change_is_the_same_object() -> None:
    pods = SpeakerPods()
    first = pods.judge(seen(("node1", True)))
    again = pods.judge(seen(("node1", True)))
    assert again.speakers is first.speakers
    assert first.speakers["node1"] is SPEAKERS["node1"]
    changed = pods.judge(seen(("node2", True), ("node1", True)))
    assert changed.speakers["node1"] is first.speakers["node1"]


def test_a_speaker_whose_pod_is_gone_or_not_ready_is_buried_when_that_has_lasted() -> None:
    pods = SpeakerPods()

    def dead(snapshot: Snapshot, now: float) -> tuple[list[str], float | None]:
        found, later = pods.dead(pods.judge(snapshot), after=60.0, now=now)
        assert all(one.kind is Kind.SPEAKER for one in found)
        return [one.key.name for one in found], later

    assert dead(seen(("node1", True), ("node2", False)), 0.0) == ([], 60.0)
    assert dead(seen(("node2", False)), 10.0) == ([], 60.0)
    assert dead(seen(("node2", False)), 60.0) == (["node2"], 70.0)
    assert dead(seen(("node2", True)), 65.0) == ([], 70.0)
    assert dead(seen(("node1", True), ("node2", True)), 71.0) == ([], None)
    assert dead(seen(("node1", False), ("node2", True)), 80.0) == ([], 140.0)


def test_one_that_is_deleted_starts_anew() -> None:
    pods = SpeakerPods()
    silent = seen()
    pods.dead(pods.judge(silent), after=60.0, now=0.0)
    assert pods.dead(pods.judge(silent), after=60.0, now=60.0)[0] == (
        ref(Kind.SPEAKER, "node1"),
        ref(Kind.SPEAKER, "node2"),
    )
    gone = msgspec.structs.replace(silent, speakers={})
    assert pods.dead(pods.judge(gone), after=60.0, now=61.0) == ((), None)
    assert pods.dead(pods.judge(silent), after=60.0, now=62.0) == ((), 122.0)
