"""What a process finds of the one before it."""

from openelb_bgp.bgp.recall import was_reported
from openelb_bgp.model.meta import Meta
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import GobgpStatus, SpeakerStatus

RUNNING = GobgpStatus(version="4.8.0", asn=65000, router_id="192.0.2.11")


def reported(name: str, *, boot_id: str, gobgp: GobgpStatus = RUNNING) -> Snapshot:
    status = SpeakerStatus(boot_id=boot_id, gobgp=gobgp)
    return Snapshot(speakers={name: Speaker(Meta(name=name), status)})


def knows(snapshot: Snapshot) -> bool:
    return was_reported(snapshot, node="node1", boot_id="this")


def test_a_node_whose_speaker_reported_bgp_on_this_boot_has_not_booted_since() -> None:
    assert knows(reported("node1", boot_id="this"))


def test_another_boots_report_another_nodes_and_none_say_nothing_of_this_boot() -> None:
    snapshots = (reported("node1", boot_id="last"), reported("node2", boot_id="this"), Snapshot())
    assert [knows(one) for one in snapshots] == [False, False, False]


def test_a_report_from_before_bgp_ran_says_nothing_either() -> None:
    assert not knows(reported("node1", boot_id="this", gobgp=GobgpStatus()))
