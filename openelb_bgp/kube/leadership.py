"""A term as leader: for how long it may write, and whether what it sent may still be carried out.

Every write of the leader asks it. How a term is won and kept is `lease`, which also says why these times are
enough.
"""

import math

import msgspec

from openelb_bgp.ports import Clock

from .client import Client
from .errors import KubeError


class NotLeading(KubeError):
    """This process does not lead, or no longer: the write was not sent."""


class LeaseTimes(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds. A Lease not renewed for `duration` is free; it is renewed, and looked at, every `renew`.

    `request` is the longest that any write of the leader may take.
    """

    duration: float = 15.0
    renew: float = 2.0
    request: float = 5.0

    @property
    def writing(self) -> float:
        """For how long after a renewal the leader may write."""
        return self.duration - self.request

    @property
    def settling(self) -> float:
        """How long a new leader waits for what the one before it, who gave no notice, may have sent."""
        return self.duration + self.request


class Leadership:
    """One term. `settled_at` is the monotonic instant before which nothing new may be given out."""

    def __init__(self, clock: Clock, times: LeaseTimes, *, until: float, settled_at: float) -> None:
        self._clock = clock
        self._times = times
        self._until = until
        self._lost_at = -math.inf
        self.settled_at = settled_at

    @property
    def until(self) -> float:
        """The monotonic instant at which it ends unless it is renewed."""
        return self._until

    @property
    def is_on(self) -> bool:
        """Whether this process leads now."""
        return self._clock.monotonic() < self._until

    @property
    def is_settled(self) -> bool:
        """Whether whatever a former leader has sent has arrived."""
        return self._clock.monotonic() >= self.settled_at

    @property
    def is_unsure(self) -> bool:
        """Whether something that was sent may still be carried out, though nobody waits for it."""
        return self._clock.monotonic() < self._lost_at + self._times.settling

    def check(self) -> None:
        """Return while this process leads. Raises NotLeading."""
        if not self.is_on:
            raise NotLeading("this process does not lead any more; the write was not sent")

    def writer(self, client: Client) -> Client:
        """The client for the leader's writes: each asks `check` before it leaves, and ends in time."""
        return client.guarded(self.check, request=self._times.request, lost=self.lost)

    def lost(self) -> None:
        """A write was given up that may have arrived."""
        self._lost_at = self._clock.monotonic()

    def renewed(self, until: float) -> None:
        """It goes on until then."""
        self._until = max(self._until, until)

    def end(self) -> None:
        """It is over."""
        self._until = -math.inf
