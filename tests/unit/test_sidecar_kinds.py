"""The command line of gobgpd, by what its version can."""

from pathlib import Path

import pytest

from openelb_bgp.sidecar.errors import DaemonMissing
from openelb_bgp.sidecar.kinds import (
    GOBGPD,
    Program,
    Wish,
    ask,
    gobgpd_command_line,
    open_addresses,
)

SOCKET = Path("/run/openelb/gobgpd/gobgp.sock")
OLD = Program("/usr/bin/gobgpd", "3.10.0", frozenset({"--api-hosts", "--pprof-disable"}))
NEW = Program("/usr/bin/gobgpd", "4.8.0", frozenset({"--api-hosts", "--pprof-disable", "--metrics-path"}))


def test_gobgpd_listens_on_the_socket_and_nowhere_else() -> None:
    api = ["/usr/bin/gobgpd", "--api-hosts", f"unix://{SOCKET}", "--pprof-disable"]
    assert gobgpd_command_line(OLD, Wish(SOCKET)) == api
    assert gobgpd_command_line(NEW, Wish(SOCKET)) == [*api, "--metrics-path="]


def test_further_api_addresses_come_after_the_socket() -> None:
    argv = gobgpd_command_line(OLD, Wish(SOCKET, api_hosts=("127.0.0.1:50051", "[::1]:50051")))
    assert argv[2] == f"unix://{SOCKET},127.0.0.1:50051,[::1]:50051"


@pytest.mark.parametrize("wanted", ["--pprof-host=127.0.0.1:6061", "--metrics-path=/metrics"])
def test_metrics_stay_on_where_somebody_asked_for_them(wanted: str) -> None:
    argv = gobgpd_command_line(NEW, Wish(SOCKET, extra=(wanted,)))
    assert argv == ["/usr/bin/gobgpd", "--api-hosts", f"unix://{SOCKET}", wanted]


def test_further_arguments_come_last() -> None:
    argv = gobgpd_command_line(OLD, Wish(SOCKET, extra=("--log-level", "debug")))
    assert argv[-2:] == ["--log-level", "debug"]


def test_only_addresses_that_a_network_can_reach_are_open() -> None:
    assert open_addresses(["unix:///run/x.sock", "127.0.0.1:50051", ":50051"]) == (
        "127.0.0.1:50051",
        ":50051",
    )


def test_a_missing_program_names_its_path_and_the_remedy() -> None:
    with pytest.raises(
        DaemonMissing, match=r"^/opt/nowhere/gobgpd is not there: install GoBGP .*--gobgpd PATH$"
    ):
        ask(GOBGPD, "/opt/nowhere/gobgpd")


def test_a_file_that_is_no_program_is_told_from_a_missing_one(tmp_path: Path) -> None:
    text = tmp_path / "gobgpd"
    text.write_text("not executable")
    with pytest.raises(DaemonMissing, match="is not an executable file"):
        ask(GOBGPD, str(text))


def test_a_program_of_another_machine_is_a_missing_one(tmp_path: Path) -> None:
    garbage = tmp_path / "gobgpd"
    garbage.write_bytes(b"\x7fELF garbage")
    garbage.chmod(0o755)
    with pytest.raises(DaemonMissing, match="cannot be executed"):
        ask(GOBGPD, str(garbage))


def test_a_program_is_asked_for_its_version_and_options(tmp_path: Path) -> None:
    fake = tmp_path / "gobgpd"
    fake.write_text(
        "#!/bin/sh\n"
        "case $1 in --version) echo gobgpd version 3.10.0 ;; *) echo '  --api-hosts=  x'; exit 1 ;; esac\n"
    )
    fake.chmod(0o755)
    program = ask(GOBGPD, str(fake))
    assert (program.path, program.version, program.options) == (
        str(fake),
        "3.10.0",
        frozenset({"--api-hosts"}),
    )
    assert program.is_unchanged()
    (tmp_path / "newer").write_text(fake.read_text())
    (tmp_path / "newer").replace(fake)
    assert not program.is_unchanged()
