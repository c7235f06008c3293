"""When something is done that costs as much for one address as for all: now, or with what comes next. Pure.

What comes after a rest is done at once. Of thousands that come together the first is, and the others each
time that a moment is over.
"""

import math


class Pace:
    """Of one thing; all instants are monotonic seconds."""

    def __init__(self, moment: float) -> None:
        self._moment = moment
        self._done_at = -math.inf
        self._is_wanted = False

    def wants(self, now: float) -> bool:
        """It is to be done: whether that is now. If not, it is due in a moment."""
        self._is_wanted = True
        return self.is_due(now)

    def is_due(self, now: float) -> bool:
        """Whether something waits for it that has waited for long enough."""
        return self._is_wanted and now >= self._done_at + self._moment

    def did(self, now: float) -> None:
        """It has been done, for whatever has come until now."""
        self._is_wanted, self._done_at = False, now
