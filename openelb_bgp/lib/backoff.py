"""How long to wait before something that has failed is tried again. Waiting is left to the callers."""

import msgspec


class Backoff(msgspec.Struct, frozen=True):
    """How long to wait after failures, in seconds: doubling from `first` up to `most`."""

    first: float = 0.1
    most: float = 5.0

    def delay(self, *, failures: int, jitter: float) -> float:
        """The wait after that many failures in a row; `jitter` from 0 to 1 takes up to half of it off."""
        doubled = self.first * 2.0 ** min(failures - 1, 30)
        return float(min(doubled, self.most) * (1 - jitter / 2))
