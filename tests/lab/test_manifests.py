"""Edits of manifests: one object changes or goes, the others of its file stay."""

import shutil
from pathlib import Path

import pytest
import yaml

from lab.desk import FolderDesk
from lab.errors import LabError
from lab.kubeproxy import services
from lab.lab import TOPOLOGIES
from lab.manifests import edit, find, objects, remove

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


def test_services_like_another_have_its_pods_and_go_without_a_trace(tmp_path: Path) -> None:
    shutil.copy(TOPOLOGIES / "layer2" / "manifests" / "web.yaml", tmp_path)
    before, desk = objects(tmp_path), FolderDesk(tmp_path, tmp_path / "state")
    desk.add_services(["web-01", "web-02"], like="web")
    assert find(tmp_path, "Service") == ("web", "web-01", "web-02")
    exposed = services(objects(tmp_path), {"default/web": ("192.0.2.1",), "default/web-02": ("192.0.2.2",)})
    assert [one.endpoints for one in exposed] == [exposed[0].endpoints, exposed[0].endpoints]
    assert len(exposed[0].endpoints) == 4
    desk.remove_services(["web-01", "web-02"])
    assert objects(tmp_path) == before
