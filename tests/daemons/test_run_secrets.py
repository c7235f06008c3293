"""Passwords, right and wrong, before a daemon that logs all it can: nothing that it says or keeps has any."""

import subprocess
from pathlib import Path
from typing import Any

from openelb_bgp.model.meta import Kind
from tests.daemons.harness.manifests import Object, bgp_peer, cluster, secret
from tests.daemons.harness.netns import Lan
from tests.daemons.harness.openelb import OpenElb, program
from tests.daemons.harness.waiting import wait_until

HUSH = "hush-hush"
REF = {"authPasswordSecretRef": {"name": "passwords", "key": "leaf"}}


def peer(name: str, last: int, **conf: Any) -> Object:
    return bgp_peer(name, f"10.0.0.{last}", conf=conf)


GOOD: tuple[Object, ...] = (
    peer("inline", 201, authPassword=f"{HUSH}-inline"),
    peer("by-secret", 202, **REF),
    secret("passwords", leaf=f"{HUSH}-secret"),
)
SPOILT: tuple[Object | str, ...] = (
    peer("too-long", 203, authPassword=HUSH * 20),
    peer("a-list", 204, authPassword=[HUSH]),
    peer("a-mapping", 205, authPassword={HUSH: HUSH}),
    peer("misspelt", 206, authPasword=HUSH),
    peer("not-a-reference", 207, authPasswordSecretRef=HUSH),
    {**secret("no-base64"), "data": {"leaf": f"{HUSH}!"}},
    {**secret("no-text"), "data": {"leaf": 5, "other": [HUSH]}},
    {**secret("no-mapping"), "stringData": HUSH},
    {**secret("spelt-wrong"), "stringdata": {"leaf": HUSH}},
)
BROKEN = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\nstringData:\n  leaf: '{HUSH}\n"


async def test_no_password_is_logged_reported_or_kept(lan: Lan, tmp_path: Path) -> None:
    ours = OpenElb(lan.nodes[0], tmp_path, "-v", "10")
    ours.write("good", *cluster(lan), *GOOD)
    ours.write("spoilt", *SPOILT)
    ours.write("broken", BROKEN)
    ours.start()
    await wait_until(lambda: ours.http("/readyz")[0] == 200, within=60, what="its start")
    await wait_until(
        lambda: _sessions(ours) >= {"inline", "by-secret"}, within=30, what="the guarded sessions"
    )
    # An edit, and a Secret that goes, have their own lines.
    ours.write("good", *cluster(lan), peer("inline", 201, authPassword=f"{HUSH}-2"), *GOOD[1:2])
    await wait_until(lambda: ours.problems("SecretMissing"), within=30, what="the missing Secret")
    said = {
        "log": ours.daemon.output(),
        "metrics": ours.http("/metrics")[1],
        "ready": ours.http("/readyz")[1],
        "events": str(_events(ours)),
        "statuses": str(
            [ours.objects(kind)[name].get("status") for kind in Kind for name in ours.objects(kind)]
        ),
        "validate": _output("validate", str(ours.manifests)),
        "plan": _output("plan", str(ours.manifests), "--node", "node1"),
    }
    assert ours.terminate() == 0
    kept = _kept(tmp_path)
    assert any("state.db" in name for name in kept) and any("applied.json" in name for name in kept)
    assert [name for name, text in said.items() if HUSH in text] == []
    assert [name for name, data in kept.items() if HUSH.encode() in data] == []
    # What was wrong is told all the same.
    assert "too-long" in said["validate"] and "no-base64" in said["validate"]


def _kept(folder: Path) -> dict[str, bytes]:
    """Every file but the manifests, gobgpd's log among them."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.parent.name != "manifests")
    return {str(file): file.read_bytes() for file in files}


def _sessions(ours: OpenElb) -> set[str]:
    return {one["peer"] for one in ours.speaker.get("sessions", ())}


def _events(ours: OpenElb) -> list[list[tuple[str, str]]]:
    return [ours.events(name.rpartition("/")[2]) for kind in Kind for name in ours.objects(kind)]


def _output(*arguments: str) -> str:
    done = subprocess.run([str(program()), *arguments], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
