"""The runtime of an engine whose machine lacks a capability: what runc is told, and what it is not."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from lab.engine.runtime import CAPABILITIES, missing, write

SETS = {
    "bounding": ["CAP_SYS_NICE", "CAP_SYS_RESOURCE", "CAP_SYS_TIME"],
    "effective": ["CAP_SYS_RESOURCE", "CAP_SYS_TIME"],
    "permitted": ["CAP_SYS_NICE", "CAP_SYS_RESOURCE"],
    "inheritable": ["CAP_SYS_RESOURCE"],
    "ambient": [],
}
WITHOUT = {
    "bounding": ["CAP_SYS_NICE", "CAP_SYS_TIME"],
    "effective": ["CAP_SYS_TIME"],
    "permitted": ["CAP_SYS_NICE"],
    "inheritable": [],
    "ambient": [],
}


def _told(file: Path) -> Mapping[str, object]:
    told: Mapping[str, object] = json.loads(file.read_text())
    return told


def _call(script: Path, *arguments: str) -> str:
    """What runc is called with; it is `echo` here."""
    write(script, without=("SYS_RESOURCE",), runc="/bin/echo")
    done = subprocess.run((script, *arguments), capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def test_a_bit_that_is_not_set_is_a_capability_that_is_missing() -> None:
    everything = (1 << len(CAPABILITIES)) - 1
    assert missing(everything) == ()
    # As linux/capability.h numbers them.
    assert missing(everything & ~(1 << 24)) == ("SYS_RESOURCE",)
    assert missing(everything & ~(1 << 13) & ~(1 << 40)) == ("NET_RAW", "CHECKPOINT_RESTORE")


def test_a_container_is_created_without_what_the_machine_lacks(tmp_path: Path) -> None:
    config = tmp_path / "config.json"
    spec = {"process": {"capabilities": SETS, "args": ["sleep", "9"]}, "hostname": "node1"}
    config.write_text(json.dumps(spec, separators=(",", ":")))
    told = ("--root", "/run/x", "create", "--bundle", str(tmp_path), "--pid-file", "/run/pid", "one")
    assert _call(tmp_path / "lesser", *told) == " ".join(told) + "\n"
    assert _told(config) == {
        "process": {"capabilities": WITHOUT, "args": ["sleep", "9"]},
        "hostname": "node1",
    }


def test_what_is_run_in_a_container_later_is_started_without_it_too(tmp_path: Path) -> None:
    process = tmp_path / "process"
    process.write_text(json.dumps({"capabilities": SETS, "cwd": "/"}, separators=(",", ":")))
    told = ("exec", "--process", str(process), "--detach", "one")
    assert _call(tmp_path / "lesser", *told) == " ".join(told) + "\n"
    assert _told(process) == {"capabilities": WITHOUT, "cwd": "/"}


def test_anything_else_is_handed_on_as_it_is(tmp_path: Path) -> None:
    assert _call(tmp_path / "lesser", "kill", "one", "9") == "kill one 9\n"
