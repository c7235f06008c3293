"""A folder on the disk, looked at when the test says so: what is read again, when a file counts as gone."""

import os
from pathlib import Path

import pytest

from openelb_bgp.files.errors import FilesError
from openelb_bgp.files.folder import GRACE, UNSETTLED, Folder
from openelb_bgp.files.tree import survey
from openelb_bgp.model.meta import Kind, ObjectRef, ref

POOL, OTHER = ref(Kind.EIP, "pool"), ref(Kind.EIP, "other")
EIP = """
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {name: %s}
spec: {address: 192.0.2.0/24}
"""


def opened(root: Path) -> Folder:
    folder = Folder(root)
    folder.open()
    return folder


def names(folder: Folder) -> set[ObjectRef]:
    return set(folder.manifests.refs())


def due(folder: Folder) -> float | None:
    return folder.due


def test_manifests_are_found_in_sub_folders_and_nothing_hidden_or_left_by_editors_is_read(
    tmp_path: Path,
) -> None:
    wanted = {"a.yaml", "b.yml", "c.json", "sub/deeper/d.yaml"}
    others = {
        ".a.yaml",
        ".hidden/e.yaml",
        "a.yaml~",
        "a.yaml.swp",
        "#a.yaml#",
        "4913",
        "README.md",
        ".#a.yaml",
    }
    for file in wanted | others:
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    os.mkfifo(tmp_path / "pipe.yaml")
    found = survey(tmp_path)
    assert found is not None
    assert found.files.keys() == wanted
    assert found.folders.keys() == {"", "sub", "sub/deeper"}


def test_a_link_to_a_folder_above_does_not_end_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.yaml").touch()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    found = survey(tmp_path)
    assert found is not None
    assert found.files.keys() == {"sub/a.yaml"}


def test_a_folder_that_does_not_exist_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(FilesError, match="--files"):
        opened(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(FilesError, match="is not a folder"):
        opened(tmp_path / "file")


def test_only_files_that_changed_are_read_again(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(EIP % "pool")
    (tmp_path / "b.yaml").write_text(EIP % "other")
    folder = opened(tmp_path)
    before = folder.manifests.find(OTHER)
    (tmp_path / "a.yaml").write_text(EIP % "new")
    assert folder.scan(0.0, wall=None) == {POOL, ref(Kind.EIP, "new")}
    assert folder.manifests.find(OTHER) is before
    assert folder.scan(0.0, wall=None) == set()


def test_a_configmap_volume_follows_its_link_when_kubelet_switches_it(tmp_path: Path) -> None:
    for version, name in (("..1", "pool"), ("..2", "other")):
        (tmp_path / version).mkdir()
        (tmp_path / version / "a.yaml").write_text(EIP % name)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    folder = opened(tmp_path)
    assert names(folder) == {POOL}
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").rename(tmp_path / "..data")
    assert folder.scan(0.0, wall=None) == {POOL, OTHER}
    assert names(folder) == {OTHER}


def test_a_file_counts_as_gone_only_after_a_moment(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(EIP % "pool")
    folder = opened(tmp_path)
    file.rename(tmp_path / "a.yaml~")
    assert folder.look(["a.yaml"], 100.0) == set()
    assert due(folder) == 100.0 + GRACE
    assert folder.settle(100.0 + GRACE / 2) == set()
    assert names(folder) == {POOL}
    assert folder.settle(100.0 + GRACE) == {POOL}
    assert names(folder) == set()
    assert due(folder) is None


def test_an_editor_that_moves_the_old_file_away_first_withdraws_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(EIP % "pool")
    folder = opened(tmp_path)
    file.rename(tmp_path / "a.yaml~")
    folder.look(["a.yaml"], 100.0)
    file.write_text(EIP % "pool")
    assert folder.look(["a.yaml"], 100.1) == set()
    assert folder.settle(200.0) == set()
    assert names(folder) == {POOL}


def test_a_file_that_is_renamed_keeps_its_objects_all_the_while(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(EIP % "pool")
    folder = opened(tmp_path)
    (tmp_path / "a.yaml").rename(tmp_path / "z.yaml")
    folder.look(["a.yaml", "z.yaml"], 100.0)
    assert (names(folder), folder.problems) == ({POOL}, ())
    folder.settle(101.0)
    assert (names(folder), folder.problems) == ({POOL}, ())


def test_a_scan_leaves_what_was_written_just_now_for_a_moment_later(tmp_path: Path) -> None:
    folder = opened(tmp_path)
    file = tmp_path / "a.yaml"
    file.write_text(EIP % "pool")
    written = file.stat().st_mtime
    assert folder.scan(100.0, wall=written + UNSETTLED / 2) == set()
    assert due(folder) == 100.0 + UNSETTLED
    assert folder.settle(100.0 + UNSETTLED) == {POOL}
    assert due(folder) is None


def test_a_scan_reads_at_once_what_was_written_before(tmp_path: Path) -> None:
    folder = opened(tmp_path)
    file = tmp_path / "a.yaml"
    file.write_text(EIP % "pool")
    assert folder.scan(100.0, wall=file.stat().st_mtime + 2 * UNSETTLED) == {POOL}


def test_a_folder_that_vanishes_withdraws_nothing_and_is_reported_until_it_returns(tmp_path: Path) -> None:
    root = tmp_path / "manifests"
    root.mkdir()
    (root / "a.yaml").write_text(EIP % "pool")
    folder = opened(root)
    root.rename(tmp_path / "away")
    assert folder.scan(100.0, wall=None) == set()
    assert folder.settle(200.0) == set()
    assert names(folder) == {POOL}
    assert [problem.problem for problem in folder.problems] == ["the folder is gone"]
    (tmp_path / "away").rename(root)
    assert folder.scan(300.0, wall=None) == set()
    assert (names(folder), folder.problems, folder.is_gone) == ({POOL}, (), False)


def test_an_unreadable_file_is_reported_and_read_once_it_can_be(tmp_path: Path) -> None:
    # A link to itself cannot be read by anybody, root included.
    (tmp_path / "b.yaml").write_text(EIP % "other")
    folder = opened(tmp_path)
    (tmp_path / "a.yaml").symlink_to("a.yaml")
    assert folder.scan(100.0, wall=None) == set()
    (tmp_path / "a.yaml").unlink()
    (tmp_path / "a.yaml").write_text(EIP % "pool")
    assert folder.scan(100.0, wall=None) == {POOL}
