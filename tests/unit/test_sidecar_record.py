"""The pid file."""

from pathlib import Path

import pytest

from openelb_bgp.lib.processes import Identity
from openelb_bgp.sidecar import record
from openelb_bgp.sidecar.record import Record

SIDECAR = Identity(1, 100, "boot", "pid:[4026531836]")
GOBGPD = Identity(7, 101, "boot", "pid:[4026531836]")


@pytest.mark.parametrize(
    "written",
    [Record(SIDECAR, GOBGPD, "4.8.0", "2026-01-02T03:04:05.678+00:00"), Record(SIDECAR), Record(None)],
)
def test_a_record_survives_the_file(tmp_path: Path, written: Record) -> None:
    record.write(tmp_path / "pid.json", written)
    assert record.read(tmp_path / "pid.json") == written
    assert [path.name for path in tmp_path.iterdir()] == ["pid.json"]


@pytest.mark.parametrize(
    "text", ["", "71", "{}", '{"sidecar": null, "daemon": {"pid": 1}, "version": "", "started_at": ""}']
)
def test_half_a_record_names_nobody(tmp_path: Path, text: str) -> None:
    (tmp_path / "pid.json").write_text(text)
    assert record.read(tmp_path / "pid.json") is None


def test_no_record_names_nobody(tmp_path: Path) -> None:
    assert record.read(tmp_path / "pid.json") is None
