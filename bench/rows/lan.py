"""Four speakers on a LAN with 10,000 addresses of protocol layer2: what one of them takes, with its share."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench import workload
from bench.results import Measure
from bench.site import cpu_seconds, resident_bytes
from lab.lab import Lab, held_lab
from lab.shell import wait_until
from lab.steps.lan.look import LAYER2
from lab.tours import TOURS
from openelb_bgp.files import peek
from openelb_bgp.model.meta import Kind

_NUMBER = 10_000
_WITHIN, _SETTLE, _IDLE = 300.0, 45.0, 60.0
"""Seconds; the burst by which 2,500 addresses are announced that were won together takes 20."""
_POOL = {
    "apiVersion": "network.kubesphere.io/v1alpha2",
    "kind": "Eip",
    "metadata": {"name": "many"},
    "spec": {
        "address": "198.18.0.0/17",
        "protocol": "layer2",
        "interface": "eth1",
        "layer2": {"anySubnet": True},
    },
}
_FROM = {"eip.openelb.kubesphere.io/v1alpha2": "many"}


def ten_thousand() -> Sequence[Measure]:
    """At rest."""
    with held_lab(TOURS["layer2"].topology) as lab:
        lab.copy_manifests()
        workload.put(lab.paths.manifests, "many.json", _manifests())
        controller = lab.start_controller()
        wait_until(lambda: _addressed(lab) >= _NUMBER, within=_WITHIN, what=f"{_NUMBER} addresses")
        start = time.monotonic()
        speakers = {node: lab.start_speaker(node) for node in lab.nodes}
        wait_until(lambda: _owned(lab).total() >= _NUMBER, within=_WITHIN, what="an owner of each of them")
        owned_after = time.monotonic() - start
        # The first to come had all, and the others take their share once they have proved steady.
        wait_until(lambda: _is_spread(_owned(lab)), within=_WITHIN, what="a share for each node")
        spread_after, owned = time.monotonic() - start, _owned(lab)
        time.sleep(_SETTLE)
        before = {node: cpu_seconds(speaker) for node, speaker in speakers.items()}
        controllers = cpu_seconds(controller)
        time.sleep(_IDLE)
        spent = [cpu_seconds(speaker) - before[node] for node, speaker in speakers.items()]
        controllers = cpu_seconds(controller) - controllers
        resident = [resident_bytes(speaker) / 1e6 for speaker in speakers.values()]
    return [
        Measure(
            what="addresses of the node with most", value=max(owned.values()), beside=_NUMBER / 4, unit=""
        ),
        Measure(what="four speakers' start → each is owned", value=owned_after, unit="s"),
        Measure(what="four speakers' start → each has its share", value=spread_after, unit="s"),
        Measure(what="memory of a speaker", value=max(resident), unit="MB", bound=160.0),
        Measure(what="processor of a speaker, idle", value=100 * max(spent) / _IDLE, unit="%"),
        Measure(what="processor of the controller, idle", value=100 * controllers / _IDLE, unit="%"),
    ]


def _manifests() -> str:
    """The pool, and Services that want an address of it."""
    listed = json.loads(workload.as_json(range(_NUMBER)))
    for item in listed["items"]:
        if item["kind"] == "Service":
            item["metadata"]["annotations"] |= _FROM
    return json.dumps({**listed, "items": [_POOL, *listed["items"]]})


def _addressed(lab: Lab) -> int:
    return sum(row.ref.kind is Kind.SERVICE for row in peek.rows(lab.paths.state))


def _is_spread(owned: Counter[str]) -> bool:
    return owned.total() >= _NUMBER and max(owned.values()) < 1.2 * _NUMBER / 4


def _owned(lab: Lab) -> Counter[str]:
    """How many addresses each node's Speaker says that it answers for."""
    found: Counter[str] = Counter()
    for speaker in lab.desk.objects(Kind.SPEAKER):
        status: Mapping[str, Any] = speaker.get("status", {})
        found[speaker["metadata"]["name"]] = sum(1 for _ in LAYER2.reported(status))
    return found
