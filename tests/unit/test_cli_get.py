"""`get` as a command, over a folder of manifests and the state beside it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from openelb_bgp.cli.get import command
from openelb_bgp.files.database import Database
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.statuses import EipStatus, SpeakerStatus
from openelb_bgp.ports import Event, StatusWrite

MANIFESTS = """
apiVersion: network.kubesphere.io/v1alpha2
kind: Eip
metadata: {name: west}
spec: {address: 192.0.2.0/29}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {type: LoadBalancer, clusterIP: 10.0.0.1}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "all.yaml").write_text(MANIFESTS)
    return tmp_path


def run(folder: Path, *arguments: str) -> Result:
    places = ["--files", str(folder / "manifests"), "--state", str(folder / "state")]
    return CliRunner().invoke(command, [*arguments, *places], standalone_mode=False)


def write(folder: Path) -> None:
    """What a controller and a speaker would have left in the state."""
    (folder / "state").mkdir(exist_ok=True)
    west = ref(Kind.EIP, "west")
    database = Database.open(folder / "state", copy=False)
    database.commit(
        [
            StatusWrite(ref=west, status=EipStatus(usage=2, pool_size=8, announced_by="1 node: n1")),
            StatusWrite(ref=ref(Kind.SPEAKER, "n1"), status=SpeakerStatus(applied_revision=3)),
        ],
        [Event(ref=west, reason="ConfigSpeaker", message="announced by n1")],
        now=0.0,
    )
    database.close()


def test_manifests_are_shown_where_no_daemon_ever_ran(folder: Path) -> None:
    shown = run(folder, "eip")
    assert shown.stdout == "NAME   CIDR           USAGE   TOTAL\nwest   192.0.2.0/29\n"
    assert shown.stderr == (
        f"openelb-bgp: no daemon has written to {folder / 'state'}, so no status is shown; name its folder "
        "with --state\n"
    )


def test_the_state_is_laid_over_the_manifests(folder: Path) -> None:
    write(folder)
    assert run(folder, "eip", "west", "-o", "wide").stdout == (
        "NAME   CIDR           USAGE   TOTAL   PROTOCOL   DEFAULT   DISABLED   ANNOUNCED-BY\n"
        "west   192.0.2.0/29   2       8                                       1 node: n1\n"
    )
    shown = json.loads(run(folder, "eip/west", "-o", "json").stdout)
    assert (shown["spec"], shown["status"]["usage"]) == ({"address": "192.0.2.0/29"}, 2)


def test_speakers_come_from_the_state_alone(folder: Path) -> None:
    write(folder)
    assert run(folder, "speakers", "-o", "name").stdout == "speaker.network.kubesphere.io/n1\n"


def test_a_watch_shows_what_a_controller_commits(folder: Path) -> None:
    arguments = [
        "get",
        "eip",
        "--watch",
        "--files",
        str(folder / "manifests"),
        "--state",
        str(folder / "state"),
    ]
    watch = subprocess.Popen(
        [sys.executable, "-m", "openelb_bgp.cli.main", *arguments], stdout=subprocess.PIPE, text=True
    )
    assert watch.stdout is not None
    try:
        first = [watch.stdout.readline(), watch.stdout.readline()]
        write(folder)
        changed = watch.stdout.readline()
    finally:
        watch.kill()
        watch.wait()
        watch.stdout.close()
    assert first == ["NAME   CIDR           USAGE   TOTAL\n", "west   192.0.2.0/29\n"]
    assert changed == "west   192.0.2.0/29   2       8\n"


def test_events_tell_what_happened(folder: Path) -> None:
    write(folder)
    lines = run(folder, "events", "-A").stdout.splitlines()
    assert lines[0].split() == ["NAMESPACE", "LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
    assert lines[1].split()[2:] == ["Normal", "ConfigSpeaker", "eip/west", "announced", "by", "n1"]


def test_only_one_namespace_is_looked_into_unless_all_are_asked_for(folder: Path) -> None:
    write(folder)
    nothing = run(folder, "svc")
    assert (nothing.stdout, nothing.stderr) == ("", "No resources found in default namespace.\n")
    assert run(folder, "svc", "-n", "shop", "-o", "name").stdout == "service/web\n"
    assert run(folder, "svc", "-A", "-o", "name").stdout == "service/web\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("eip", "east"), 1, 'eips.network.kubesphere.io "east" not found'),
        (("eips,services", "--watch"), 2, "--watch follows one kind; name one"),
        (("events", "--watch"), 2, "--watch cannot follow events; print them again instead"),
    ],
)
def test_what_cannot_be_shown_costs_one_line(
    folder: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    error = run(folder, *arguments).exception
    assert (str(error), getattr(error, "exit_code", None)) == (message, code)


def test_a_state_that_cannot_be_read_has_its_own_exit_code(folder: Path) -> None:
    write(folder)
    for file in (folder / "state").iterdir():
        file.write_bytes(b"this is no database, and long enough to be noticed as such" * 100)
    assert getattr(run(folder, "eip").exception, "exit_code", None) == 3
