"""The command line of the sidecar, as far as it goes before anything is started."""

import subprocess
import sys
from pathlib import Path

import pytest

from openelb_bgp import sidecar


def test_a_missing_program_is_one_line_and_exit_code_5(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = sidecar.main(["gobgpd", "--dir", str(tmp_path), "--gobgpd", "/opt/nowhere/gobgpd"])
    assert code == 5
    error = capsys.readouterr().err
    assert error.startswith("openelb-bgp sidecar: /opt/nowhere/gobgpd is not there: install GoBGP")
    assert error.count("\n") == 1


def test_a_folder_that_cannot_be_made_is_one_line_and_exit_code_4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert sidecar.main(["gobgpd", "--dir", str(tmp_path / "file")]) == 4
    error = capsys.readouterr().err
    assert error.startswith(f"openelb-bgp sidecar: the folder {tmp_path}/file/gobgpd for the sockets cannot")
    assert error.count("\n") == 1


@pytest.mark.parametrize("argv", [[], ["zebra", "--dir", "/run/x"], ["gobgpd"], ["gobgpd", "--dir"]])
def test_bad_usage_is_exit_code_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        sidecar.main(argv)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_the_help_documents_signals_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        sidecar.main(["gobgpd", "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "SIGTERM" in shown
    assert "5 the daemon's program is missing" in " ".join(shown.split())


def test_the_sidecar_imports_nothing_but_the_standard_library_and_not_all_of_that() -> None:
    script = "import sys, openelb_bgp.sidecar.command; print(*{name.split('.')[0] for name in sys.modules})"
    argv = [sys.executable, "-I", "-c", script]
    loaded = set(subprocess.run(argv, check=True, capture_output=True, text=True).stdout.split())
    assert not loaded & {"asyncio", "click", "msgspec", "structlog", "tenacity", "grpc"}
