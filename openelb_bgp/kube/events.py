"""Sends the Events of an EventBook, each for itself: one that cannot be sent holds up nothing and is dropped.

They are core/v1 Events, which `kubectl describe` shows; the API server serves them as events.k8s.io/v1 too.
"""

import structlog
from prometheus_client import Counter

from openelb_bgp.ports import Clock

from .client import Client
from .errors import (
    AlreadyExists,
    Forbidden,
    KubeError,
    NoAccess,
    NotFound,
    ServerError,
    TimedOut,
    TooManyRequests,
    Unreachable,
)
from .event_book import EventBook, EventKey, Letter
from .resources import EVENTS

log = structlog.get_logger(__name__)

_PAUSE_SECONDS = 2.0
# core/v1, NamespaceTerminatingCause.
_TERMINATING = "NamespaceTerminating"

DROPPED = Counter(
    "openelb_bgp_kube_events_dropped",
    "Kubernetes Events that were not sent: too many of one object, too many in all, or refused",
)


class EventSender:
    """Sends one letter at a time for whoever asks; not before `resume_at`, in monotonic seconds."""

    def __init__(self, client: Client, book: EventBook, clock: Clock) -> None:
        self._client = client
        self._book = book
        self._clock = clock
        self._said = ""
        self.resume_at = 0.0

    async def send(self, key: EventKey, letter: Letter) -> None:
        """Send it, or note that it is to be sent again or is lost. Raises nothing that comes of a request."""
        try:
            await self._exchange(letter)
        except NotFound:
            if letter.is_known:
                self._book.lost(key)
            else:
                self._drop("its namespace is gone")
        except (ServerError, TooManyRequests, Unreachable, TimedOut, NoAccess):
            self._book.again(key)
            self.resume_at = self._clock.monotonic() + _PAUSE_SECONDS
        except KubeError as error:
            self._drop(str(error), is_news=not _is_terminating(error))
        else:
            self._book.sent(key)

    async def _exchange(self, letter: Letter) -> None:
        if letter.is_known:
            await self._client.patch(
                EVENTS, letter.name, letter.change, form="merge", namespace=letter.namespace
            )
            return
        try:
            await self._client.create(EVENTS, letter.whole, namespace=letter.namespace)
        except AlreadyExists:
            # The answer to the first attempt was lost.
            return

    def _drop(self, why: str, *, is_news: bool = True) -> None:
        DROPPED.inc()
        if is_news and why != self._said:
            log.warning("event_dropped", error=why)
        self._said = why


def _is_terminating(error: KubeError) -> bool:
    """Whether the namespace is being deleted, with all of its Services: it takes no Events any more."""
    return isinstance(error, Forbidden) and any(one.reason == _TERMINATING for one in error.causes)
