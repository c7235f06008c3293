"""The ways in which a node of the LAN is struck, for `failover.py`; each mends the node again."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from lab.faults import paused, powered_off, unplugged
from lab.lab import Lab
from lab.steps.step import await_value, expect, started_at

__all__ = ["keepalived_killed", "paused", "powered_off", "speaker_killed", "unplugged"]


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


@contextmanager
def keepalived_killed(lab: Lab, node: str) -> Iterator[None]:
    """SIGKILL for a node's keepalived, parent and children; its sidecar starts it again by itself.

    They stand still first: whoever saw another die could otherwise resign in good order.
    """
    victims = lab.keepalived(node)
    expect(bool(victims), expected=f"a keepalived in {node}", seen="none")
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for victim in victims:
            victim.kill(number)
    yield
    await_value(lambda: lab.keepalived(node), bool, expected=f"a new keepalived in {node}")
