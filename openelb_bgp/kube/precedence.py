"""Which writes may be sent beside which: while addresses come and go the API server is theirs. Pure.

A Service's address is what its user waits for. Everything else, sent at the same time, would cost it as much
as one more address.
"""

from openelb_bgp.lib.instants import soonest

URGENT_AT_ONCE = 32
OTHERS_AT_ONCE = 16
CROWD = 8
"""So many addresses in flight, and the API server is what they wait for: each is to cost it little."""
CALM_AFTER = 0.25
"""Seconds without an address in flight until the others are sent many at a time again."""
BREATH = 0.25
"""Seconds from one of the others to the next before that: they do not stand still."""


class Precedence:
    """How much may be sent at an instant, on a monotonic clock."""

    def __init__(self) -> None:
        self._calm_from = 0.0
        self._breath_from = 0.0

    def note_urgent(self, now: float) -> None:
        """Addresses are in flight."""
        self._calm_from = now + CALM_AFTER

    def note_other(self, now: float) -> None:
        """One of the others is sent."""
        self._breath_from = now + BREATH

    def may_send_other(self, now: float, *, in_flight: int) -> bool:
        """Whether one of the others may be sent, while so many of them are in flight."""
        if now >= self._calm_from:
            return in_flight < OTHERS_AT_ONCE
        return in_flight == 0 and now >= self._breath_from

    @staticmethod
    def is_crowd(in_flight: int) -> bool:
        """Whether so many addresses in flight are in each other's way."""
        return in_flight >= CROWD

    def due(self, now: float) -> float | None:
        """When time alone lets more of the others go; None if it does not."""
        return soonest(*(at for at in (self._calm_from, self._breath_from) if at > now))
