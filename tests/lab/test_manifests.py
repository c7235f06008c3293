"""Edits of manifests: one object changes or goes, the others of its file stay."""

from pathlib import Path

import pytest
import yaml

from lab.errors import LabError
from lab.manifests import edit, find, remove

ONE = {"kind": "BgpPeer", "metadata": {"name": "one"}, "spec": {"conf": {"peerAs": 1}}}
TWO = {"kind": "BgpPeer", "metadata": {"name": "two"}, "spec": {"conf": {"peerAs": 2}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "peers.yaml").write_text(yaml.safe_dump_all([ONE, TWO]))
    return tmp_path


def _read(folder: Path) -> list[object]:
    return list(yaml.safe_load_all((folder / "peers.yaml").read_text()))


def test_an_edit_changes_one_object(folder: Path) -> None:
    edit(folder, "BgpPeer", "two", lambda peer: peer["spec"]["conf"].update(peerAs=3))
    assert _read(folder) == [ONE, TWO | {"spec": {"conf": {"peerAs": 3}}}]


def test_a_removal_leaves_the_others_and_no_other_file(folder: Path) -> None:
    remove(folder, "BgpPeer", "one")
    assert (_read(folder), find(folder, "BgpPeer")) == ([TWO], ("two",))
    assert [file.name for file in folder.iterdir()] == ["peers.yaml"]


def test_an_object_that_stands_nowhere_is_named(folder: Path) -> None:
    with pytest.raises(LabError, match="no BgpPeer three stands in"):
        edit(folder, "BgpPeer", "three", lambda _: None)
