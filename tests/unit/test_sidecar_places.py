"""The folder of a sidecar: private, locked, and with paths that a socket can have."""

import os
import stat
from pathlib import Path

import pytest

from openelb_bgp.sidecar.errors import FolderUnusable, SidecarBusy
from openelb_bgp.sidecar.kinds import GOBGPD
from openelb_bgp.sidecar.places import lock, make_private, places


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_folder_is_private_though_its_parent_is_open_to_all(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    place = places(tmp_path, GOBGPD)
    make_private(place)
    assert mode(tmp_path) == 0o777
    assert mode(tmp_path / "gobgpd") == 0o700


def test_a_folder_that_is_there_is_made_private(tmp_path: Path) -> None:
    (tmp_path / "gobgpd").mkdir(mode=0o755)
    make_private(places(tmp_path, GOBGPD))
    assert mode(tmp_path / "gobgpd") == 0o700


def test_missing_parents_are_made(tmp_path: Path) -> None:
    make_private(places(tmp_path / "a" / "b", GOBGPD))
    assert (tmp_path / "a" / "b" / "gobgpd").is_dir()


def test_a_link_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    (tmp_path / "gobgpd").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FolderUnusable, match="cannot be made"):
        make_private(places(tmp_path, GOBGPD))
    assert mode(tmp_path / "elsewhere") == 0o755


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FolderUnusable, match=r"name another with --dir"):
        make_private(places(tmp_path / "file", GOBGPD))


def test_a_path_that_no_socket_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FolderUnusable, match=r"at most 107 bytes; choose a shorter --dir"):
        make_private(places(tmp_path / ("x" * 100), GOBGPD))
    assert list(tmp_path.iterdir()) == []


def test_a_relative_folder_is_made_absolute() -> None:
    target = places(Path("run"), GOBGPD).api_target
    assert target == f"unix://{Path.cwd()}/run/gobgpd/gobgp.sock"


def test_the_second_on_one_folder_is_refused_until_the_first_lets_go(tmp_path: Path) -> None:
    place = places(tmp_path, GOBGPD)
    make_private(place)
    held = lock(place)
    with pytest.raises(SidecarBusy, match=f"another sidecar already keeps the gobgpd of {tmp_path}"):
        lock(place)
    os.close(held)
    os.close(lock(place))
