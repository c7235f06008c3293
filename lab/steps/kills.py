"""Processes of a node that die by SIGKILL while requests arrive: the network must not notice."""

import time

from lab.lab import Lab
from lab.processes import Process
from lab.steps.step import (
    Finding,
    addresses,
    await_hops,
    await_sessions,
    await_value,
    expect,
    expect_none_lost,
    hops,
    resets,
)
from lab.traffic import under_load

_VICTIM = "node1"
_AFTER = 2.0
"""Seconds of requests after the death, and again after the return."""


def speaker_killed_loses_nothing(lab: Lab) -> Finding:
    """A speaker dies and is started again: gobgpd goes on announcing, and is adopted."""
    address, _ = addresses(lab, "web")
    await_hops(lab, address, lab.nodes)
    gobgpd, before, lost_sessions = lab.gobgpd(_VICTIM), hops(lab, address), resets(lab)
    with under_load(lab.client, address) as load:
        lab.speaker(_VICTIM).kill()
        expect(lab.speaker(_VICTIM).ended(within=5.0), expected="the speaker's end", seen="it is alive")
        time.sleep(_AFTER)
        without = hops(lab, address)
        lab.start_speaker(_VICTIM)
        time.sleep(_AFTER)
    expect_none_lost(load.tally())
    expect(without == before == hops(lab, address), expected=f"next hops stay {before}", seen=without)
    expect(lab.gobgpd(_VICTIM) == gobgpd, expected=f"gobgpd stays {gobgpd.pid}", seen=lab.gobgpd(_VICTIM).pid)
    expect(resets(lab) == lost_sessions, expected=f"sessions lost stays {lost_sessions}", seen=resets(lab))
    return Finding(
        f"{_VICTIM}'s speaker was killed with -9 and came back {_AFTER:g} s later: "
        f"of {load.tally().sent} requests none was lost, no session was reset.",
        ("router", "next hops without the speaker"),
        [(name, ", ".join(legs)) for name, legs in without.items()],
    )


def gobgpd_killed_loses_nothing(lab: Lab) -> Finding:
    """gobgpd dies and its sidecar starts it anew: graceful restart keeps the routes in the kernels."""
    address, _ = addresses(lab, "web")
    await_hops(lab, address, lab.nodes)
    await_sessions(lab)
    victim = lab.gobgpd(_VICTIM)
    seen: set[tuple[str, tuple[str, ...]]] = set()
    with under_load(lab.client, address) as load:
        killed = time.monotonic()
        victim.kill()
        heir = await_value(
            lambda: _other_gobgpd(lab, victim), lambda found: found is not None, expected="a new gobgpd"
        )
        while time.monotonic() < killed + _AFTER:
            seen.update(hops(lab, address).items())
        await_sessions(lab)
        back = time.monotonic() - killed
        time.sleep(_AFTER)
        seen.update(hops(lab, address).items())
    expect_none_lost(load.tally())
    expect(
        all(tuple(sorted(legs)) == lab.nodes for _, legs in seen),
        expected=f"next hops stay {lab.nodes} at every look",
        seen=sorted(seen),
    )
    return Finding(
        f"{_VICTIM}'s gobgpd was killed with -9: of {load.tally().sent} requests none was lost.",
        ("gobgpd", "pid", "sessions"),
        [
            ("before", victim.pid, "up"),
            ("after", heir.pid if heir else 0, f"all up again after {back:.1f} s"),
        ],
    )


def _other_gobgpd(lab: Lab, old: Process) -> Process | None:
    found = lab.find_gobgpd(_VICTIM)
    return None if found is None or found == old else found
