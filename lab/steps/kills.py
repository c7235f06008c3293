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
    expect_undisturbed,
    hops,
    resets,
    started_at,
)
from lab.traffic import under_load

_VICTIM = "node1"
_AFTER = 2.0
"""Seconds of requests after the death, and after the return half of it."""


def speaker_killed_loses_nothing(lab: Lab) -> Finding:
    """A speaker dies and is started again: gobgpd goes on announcing, and is adopted."""
    address, _ = addresses(lab, "web")
    await_hops(lab, address, lab.nodes)
    await_sessions(lab)
    gobgpd, before, lost_sessions = lab.gobgpd(_VICTIM), hops(lab, address), resets(lab)
    born, victim = started_at(lab, _VICTIM), lab.speaker(_VICTIM)
    with under_load(lab.client, address) as load:
        victim.kill()
        expect(victim.ended(within=30.0), expected="the speaker's end", seen="it is alive")
        time.sleep(_AFTER)
        without = hops(lab, address)
        heir = lab.start_speaker(_VICTIM)
        await_value(
            lambda: started_at(lab, _VICTIM),
            lambda now: now != born,
            expected="a new speaker's report",
        )
        time.sleep(_AFTER / 2)
    expect_undisturbed(load.tally())
    after = hops(lab, address)
    expect(without == before == after, expected=f"next hops stay {before}", seen=(without, after))
    expect(lab.gobgpd(_VICTIM) == gobgpd, expected=f"gobgpd stays {gobgpd.pid}", seen=lab.gobgpd(_VICTIM).pid)
    expect(resets(lab) == lost_sessions, expected=f"sessions lost stays {lost_sessions}", seen=resets(lab))
    return Finding(
        f"Of {load.tally().sent} requests none was lost, and no session was reset.",
        ("when", "speaker", "gobgpd", *(f"next hops in {name}" for name in without)),
        [
            ("before", f"pid {victim.pid}", f"pid {gobgpd.pid}", *map(" ".join, before.values())),
            ("meanwhile", "dead", f"pid {gobgpd.pid}", *map(" ".join, without.values())),
            ("afterwards", f"pid {heir.pid}", f"pid {gobgpd.pid}", *map(" ".join, after.values())),
        ],
        load.tally(),
    )


def gobgpd_killed_loses_nothing(lab: Lab) -> Finding:
    """gobgpd dies and its sidecar starts it anew: graceful restart keeps the routes in the kernels."""
    address, _ = addresses(lab, "web")
    await_hops(lab, address, lab.nodes)
    await_sessions(lab)
    victim, lost_sessions = lab.gobgpd(_VICTIM), resets(lab)
    seen: set[tuple[str, tuple[str, ...]]] = set()
    with under_load(lab.client, address) as load:
        killed = time.monotonic()
        victim.kill()
        heir = _await_heir(lab, victim)
        # A router notices the death at once, but this may look before it does.
        await_value(
            lambda: resets(lab), lambda now: now != lost_sessions, expected="sessions lost, then new ones"
        )
        while time.monotonic() < killed + _AFTER:
            seen.update(hops(lab, address).items())
        await_sessions(lab)
        back = time.monotonic() - killed
        time.sleep(_AFTER / 2)
        seen.update(hops(lab, address).items())
    expect_undisturbed(load.tally())
    expect(
        all(legs == lab.nodes for _, legs in seen),
        expected=f"next hops stay {lab.nodes} at every look",
        seen=sorted(seen),
    )
    legs = " ".join(lab.nodes)
    return Finding(
        f"Of {load.tally().sent} requests none was lost: the routers kept the routes meanwhile.",
        ("when", "gobgpd", f"{_VICTIM}'s sessions", "next hops in both routers"),
        [
            ("before", f"pid {victim.pid}", "up", legs),
            ("meanwhile", "dead", "down", legs),
            ("afterwards", f"pid {heir.pid}", f"up again after {back:.1f} s", legs),
        ],
        load.tally(),
    )


def _await_heir(lab: Lab, dead: Process) -> Process:
    heirs = await_value(
        lambda: [heir for heir in (lab.find_gobgpd(_VICTIM),) if heir not in (None, dead)],
        bool,
        expected=f"a new gobgpd in {_VICTIM}",
    )
    return next(heir for heir in heirs if heir is not None)
