"""Speaker: what one node's daemon says of itself, as others read it."""

import msgspec

from .meta import Meta
from .statuses import SpeakerStatus


class Speaker(msgspec.Struct, frozen=True):
    """A speaker's report. It exists while its speaker lives; `ready` is its pod's readiness."""

    meta: Meta
    status: SpeakerStatus
    ready: bool = True

    @property
    def name(self) -> str:
        """The node's name."""
        return self.meta.name
