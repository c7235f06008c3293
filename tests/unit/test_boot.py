"""A fast reboot must not pass for a restart."""

from pathlib import Path

from openelb_bgp.host.boot import KERNEL_BOOT_ID, is_new_boot, read_boot_id, remember_boot


def test_a_first_start_is_a_new_boot(tmp_path: Path) -> None:
    assert is_new_boot(tmp_path, boot_id="one")


def test_a_restart_within_a_boot_is_none(tmp_path: Path) -> None:
    remember_boot(tmp_path, boot_id="one")
    assert not is_new_boot(tmp_path, boot_id="one")


def test_a_folder_that_survived_a_boot_tells_of_it(tmp_path: Path) -> None:
    remember_boot(tmp_path, boot_id="one")
    assert is_new_boot(tmp_path, boot_id="two")
    remember_boot(tmp_path, boot_id="two")
    assert not is_new_boot(tmp_path, boot_id="two")


def test_a_folder_that_cannot_be_written_makes_every_start_a_new_boot(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    remember_boot(missing, boot_id="one")
    assert is_new_boot(missing, boot_id="one")


def test_reads_the_kernels_boot_id_or_nothing(tmp_path: Path) -> None:
    assert read_boot_id() == KERNEL_BOOT_ID.read_text().strip()
    assert read_boot_id(tmp_path / "missing") == ""
