"""The records that nodes share: told of oneself, learnt of others, and made up for where news were lost.

Pure. Two nodes that hold the same have the same digest, which each question and each answer carries; where it
differs for a while they find out in which part, and send each other what is in it. Who is asked, and by which
way something goes, is `core`'s matter.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from .author import Author
from .book import Book, Held
from .codec import packed
from .lanes import Lane
from .messages import News, Record, Summary
from .timing import Timing

_MOST_AT_ONCE = 128
"""How many records are sent to one who lacks them; the next Summary asks for the rest."""


class Learnt(NamedTuple):
    """What news came to: `anything` at all, nodes that `moved` to other interfaces or addresses, and whether
    an earlier process of our own was `outdone`.
    """

    anything: bool
    moved: frozenset[str]
    outdone: bool


class Sharing:
    """All records, as this node holds them, and its own. `agrees` is for its owner to reset."""

    def __init__(self, node: str, boot: int, timing: Timing) -> None:
        self._node = node
        self._timing = timing
        self._book = Book()
        self.author = Author(node, boot, timing)
        self._peers: frozenset[str] = frozenset()
        self._boots: dict[str, int] = {}
        self._differs_since: dict[str, float] = {}
        self._summary_at: dict[str, float] = {}
        self.agrees = False
        """Whether a neighbour was found to hold the same records."""

    @property
    def digest(self) -> int:
        """Of all records held."""
        return self._book.digest

    @property
    def held(self) -> Mapping[str, Held]:
        """The others' records by node, and our own."""
        return self._book.held

    @property
    def others(self) -> dict[str, Held]:
        """The same without our own."""
        return {node: held for node, held in self._book.held.items() if node != self._node}

    def keep(self, peers: Collection[str]) -> None:
        """There are these other nodes, and no more."""
        self._peers = frozenset(peers)
        self._book.keep((*peers, self._node))
        for known in (self._boots, self._differs_since, self._summary_at):
            for node in known.keys() - self._peers:
                del known[node]

    def doubt(self) -> None:
        """We were away, by a clock that others need not have: what records say of time may be wrong."""
        self._book.doubt(but=self._node)

    def runs(self, node: str, boot: int) -> None:
        """That process runs there now: it has answered a question of ours."""
        self._boots[node] = boot

    def boot_of(self, node: str) -> int:
        """The process that runs there, as far as is known; 0 where it is not."""
        known = self._boots.get(node)
        if known is None:
            held = self._book.held.get(node)
            return 0 if held is None else held.record.boot
        return known

    def write(self, lanes: list[Lane], *, leaving: bool, void: bool, now: float) -> None:
        """Have our own record say what there is to say of us, if that is due."""
        written = self.author.write(lanes, leaving=leaving, void=void, now=now)
        if written is not None:
            self._book.take(written, now)

    def own_news(self, now: float) -> News:
        """What is told to all."""
        return News(tuple(self._book.told([self._node], now)))

    def compare(self, sender: str, digest: int, *, void: bool, now: float) -> Summary | None:
        """Whether a neighbour holds the same; if that lasts, what to ask it with which it does not."""
        if digest == self._book.digest:
            self.agrees = True
            self._differs_since.pop(sender, None)
            return None
        since = self._differs_since.setdefault(sender, now)
        is_due = now >= self._summary_at.get(sender, now)
        if not is_due or not (void or now - since >= self._timing.interval):
            return None
        self._summary_at[sender] = now + (self._timing.retry if void else self._timing.slow)
        return Summary(self._book.parts)

    def lacking(self, parts: Sequence[int], to: str, now: float) -> Iterator[News]:
        """What the node `to`, which has these parts, does not have, or not as we do."""
        for records in packed(list(islice(self._book.differing(parts, to, now), _MOST_AT_ONCE))):
            yield News(records)

    def learn(self, records: Iterable[Record], now: float) -> Learnt:
        """Take what is new."""
        anything = outdone = False
        doubted = self._book.doubts
        moved: set[str] = set()
        for record in records:
            if record.node == self._node:
                outdone = self.author.outdo(record) or outdone
            elif record.node in self._peers:
                before = self._book.held.get(record.node)
                if self._book.take(record, now):
                    anything = True
                    self._boots[record.node] = record.boot
                    if before is None or _places(before.record) != _places(record):
                        moved.add(record.node)
        self.agrees = self.agrees or (doubted and not self._book.doubts)
        return Learnt(anything or outdone, frozenset(moved), outdone)


def _places(record: Record) -> tuple[object, ...]:
    return tuple((one.name, one.addresses) for one in record.interfaces)
