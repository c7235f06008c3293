"""The ways in which a node of the LAN is struck, for `failover.py`; each mends the node again."""

from collections.abc import Iterator
from contextlib import contextmanager

from lab.faults import paused, unplugged
from lab.lab import Lab
from lab.steps.step import await_value, expect, started_at

__all__ = ["paused", "speaker_killed", "unplugged"]


@contextmanager
def speaker_killed(lab: Lab, node: str) -> Iterator[None]:
    """SIGKILL for a node's speaker; its kernel goes on forwarding. It is started again at the end."""
    born, victim = started_at(lab, node), lab.speaker(node)
    victim.kill()
    expect(victim.ended(within=5.0), expected="the speaker's end", seen="it is alive")
    try:
        yield
    finally:
        lab.start_speaker(node)
        await_value(
            lambda: started_at(lab, node),
            lambda now: now not in ("", born),
            expected=f"a report of {node}'s new speaker",
        )
