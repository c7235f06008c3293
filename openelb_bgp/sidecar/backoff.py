"""When a daemon that ended is started again: at once, unless it keeps dying. Pure, in seconds."""

SHORT_LIFE = 1.0
"""Seconds; a daemon that does not live longer has not really come up."""

_AT_ONCE = 3
_FIRST_DELAY = 0.25
_LONGEST_DELAY = 10.0


class Lives:
    """The lives of a daemon, as far as they tell a crash from a crash loop.

    A graceful restart lets routes stay for a minute or so, so the first restarts cost no delay. From the
    third short life in a row on the delay doubles, from 0.25 s to 10 s.
    """

    def __init__(self) -> None:
        self._short = 0

    def ended(self, *, lived: float, came_up: bool = True) -> float:
        """Count a life of `lived` seconds; returns the seconds to wait before the next."""
        self._short = self._short + 1 if lived < SHORT_LIFE or not came_up else 0
        if self._short < _AT_ONCE:
            return 0.0
        # The exponent is bounded: a daemon that never comes up would make it grow for ever.
        doublings = min(self._short - _AT_ONCE, 16)
        return float(min(_FIRST_DELAY * 2**doublings, _LONGEST_DELAY))

    def steady(self) -> None:
        """The daemon has come up and outlived SHORT_LIFE."""
        self._short = 0

    @property
    def crash_loop(self) -> bool:
        """Whether the last lives were short ones, three or more in a row."""
        return self._short >= _AT_ONCE
