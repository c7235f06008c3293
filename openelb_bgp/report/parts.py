"""A report cut into parts that are written one after another: speakers announce the first Services while the
others are being written.

Each part is written whole or not at all. What the ledger says when a part failed is here too.
"""

from collections.abc import Iterable, Sequence

import msgspec

from openelb_bgp.model.meta import Kind
from openelb_bgp.ports import Event, StatusWrite

from .leader import Report
from .ledger import Ledger

_SMALLEST = 1_000
_MOST = 10
"""Parts of one report: each costs the speakers a plan, which looks at every Service for a moment."""


class Part(msgspec.Struct, frozen=True):
    """Writes, and events."""

    writes: tuple[StatusWrite, ...]
    events: tuple[Event, ...] = ()


def parts(made: Report, *, smallest: int = _SMALLEST, most: int = _MOST) -> Sequence[Part]:
    """The whole report, in its order; all events come with the last part: addresses first, words later.

    `smallest` is how many writes a part has at least, `most` how many parts there are at most.
    """
    if not made.writes and not made.events:
        return ()
    size = max(smallest, -(-len(made.writes) // most))
    cut = [Part(made.writes[start : start + size]) for start in range(0, max(1, len(made.writes)), size)]
    return [*cut[:-1], Part(cut[-1].writes, made.events)]


def events_of(made: Report, writes: Iterable[StatusWrite]) -> tuple[Event, ...]:
    """The report's events of the objects that are written."""
    refs = {write.ref for write in writes}
    return tuple(event for event in made.events if event.ref in refs)


def written_in_part(ledger: Ledger, writes: Iterable[StatusWrite]) -> Ledger:
    """The ledger of the last whole report, once these of the next one's writes are durable.

    Everything is judged anew, against what is on its way.
    """
    flying, statuses = dict(ledger.services.flying), dict(ledger.statuses)
    for write in writes:
        if write.ref.kind is Kind.SERVICE:
            flying[write.ref.key] = write
        elif write.status is not None:
            statuses[write.ref] = write.status
    book = msgspec.structs.replace(ledger.services, flying=flying)
    return msgspec.structs.replace(ledger, services=book, statuses=statuses)
