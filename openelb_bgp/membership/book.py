"""The newest Record of every node, and digests of them all, by which two nodes see whether theirs are alike.

Pure. A record is taken only if it is newer than the one held, so that a datagram that somebody has recorded
and sends again changes nothing.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256

import msgspec

from .codec import PARTS, aged
from .messages import Record, node_id


class Held(msgspec.Struct, frozen=True, gc=False):
    """A record, and when it came: what it says of time is as of then."""

    record: Record
    at: float


class Book:
    """Records by node. Those of nodes that are not listed are not taken."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._doubtful: set[str] = set()
        self._parts = [0] * PARTS
        self._digest = 0

    @property
    def held(self) -> Mapping[str, Held]:
        """By node."""
        return self._held

    @property
    def parts(self) -> tuple[int, ...]:
        """The digest by parts, 32 bits each."""
        return tuple(part & 0xFFFFFFFF for part in self._parts)

    @property
    def digest(self) -> int:
        """All records in 64 bits: the same where the same are held."""
        return self._digest

    def keep(self, nodes: Collection[str]) -> None:
        """Forget all others."""
        for node in self._held.keys() - set(nodes):
            gone = self._held.pop(node)
            if node in self._doubtful:
                self._doubtful.discard(node)
            else:
                self._stamp(gone.record)

    def doubt(self, *, but: str) -> None:
        """Our clock has not told how long they are held: let others tell of their ages anew, except of `but`.

        Until then they are held all the same, but count in no digest, and nobody is told of them.
        """
        for node in self._held.keys() - self._doubtful - {but}:
            self._stamp(self._held[node].record)
            self._doubtful.add(node)

    @property
    def doubts(self) -> bool:
        """Whether there are such."""
        return bool(self._doubtful)

    def take(self, record: Record, now: float) -> bool:
        """Hold it if it is newer, or if the one that is held is doubted; says whether it is held now."""
        known = self._held.get(record.node)
        is_doubtful = record.node in self._doubtful
        if known is not None:
            if record.order < known.record.order or (record.order == known.record.order and not is_doubtful):
                return False
            if not is_doubtful:
                self._stamp(known.record)
        self._doubtful.discard(record.node)
        self._held[record.node] = Held(record, now)
        self._stamp(record)
        return True

    def _stamp(self, record: Record) -> None:
        stamp = _stamp_of(record.node, record.boot, record.generation, record.version)
        self._parts[_part_of(record.node)] ^= stamp
        self._digest ^= stamp

    def differing(self, parts: Sequence[int], to: str, now: float) -> Iterator[Record]:
        """The records in those parts that differ from those of the node `to`, as it is to be told now.

        Its own is among them even if it is doubted: perhaps it has to outdo it.
        """
        other = {
            index for index, (ours, its) in enumerate(zip(self.parts, parts, strict=True)) if ours != its
        }
        sure = self._held.keys() - (self._doubtful - {to})
        return self.told((name for name in sorted(sure) if _part_of(name) in other), now)

    def told(self, nodes: Iterable[str], now: float) -> Iterator[Record]:
        """The records of these nodes, as they are to be told now."""
        for node in nodes:
            held = self._held[node]
            yield aged(held.record, now - held.at)


def _part_of(node: str) -> int:
    return node_id(node) % PARTS


@lru_cache(maxsize=1 << 14)
def _stamp_of(node: str, boot: int, generation: int, version: int) -> int:
    return int.from_bytes(sha256(f"{node}/{boot}/{generation}/{version}".encode()).digest()[:8])
