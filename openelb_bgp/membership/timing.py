"""How often and how long: everything that membership does in time follows from two numbers."""

import msgspec

LONGEST_PLAN = 30.0
"""Seconds after which a speaker that shows no life hangs: what it owns is better left to others."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """`interval` is the seconds between two questions to one that answers; `misses` may stay unanswered.

    `watchers` is how many others watch each node on each LAN.
    """

    interval: float = 0.2
    misses: int = 4
    watchers: int = 3

    @property
    def bound(self) -> float:
        """Silence of so many seconds is death."""
        return self.interval * self.misses

    @property
    def retry(self) -> float:
        """An answer that takes longer than this is asked for again: a lost datagram is no death."""
        return self.interval / 2

    @property
    def moment(self) -> float:
        """Questions that are due within it are asked at once."""
        return self.interval / 8

    @property
    def answers_take(self) -> float:
        """So long after a question whatever has come is heard at once. Deaths are told no later for it."""
        return self.interval / 40

    @property
    def suspicion(self) -> float:
        """After so much silence somebody else is looked at as well, in case that more are dead."""
        return self.interval * 2

    @property
    def slow(self) -> float:
        """Seconds between two questions where no liveness hangs on it: to the long dead, and for news."""
        return self.interval * 5

    @property
    def recent(self) -> float:
        """How long the dead are asked as often as the living."""
        return self.interval * 50

    @property
    def voice(self) -> float:
        """How long somebody must have been back before its word that others are dead counts."""
        return self.bound * 2.5

    @property
    def patience(self) -> float:
        """How long a starting node waits for its neighbours' news when these do answer."""
        return self.bound * 4
