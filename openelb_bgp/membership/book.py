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
            self._stamp(self._held.pop(node).record)

    def take(self, record: Record, now: float) -> bool:
        """Hold it if it is newer; says whether it was."""
        known = self._held.get(record.node)
        if known is not None and record.order <= known.record.order:
            return False
        if known is not None:
            self._stamp(known.record)
        self._held[record.node] = Held(record, now)
        self._stamp(record)
        return True

    def _stamp(self, record: Record) -> None:
        stamp = _stamp_of(record.node, record.boot, record.generation, record.version)
        self._parts[_part_of(record.node)] ^= stamp
        self._digest ^= stamp

    def differing(self, parts: Sequence[int], now: float) -> Iterator[Record]:
        """The records in those parts that differ from another's, as they are to be told now."""
        other = {
            index for index, (ours, its) in enumerate(zip(self.parts, parts, strict=True)) if ours != its
        }
        return self.told((name for name in sorted(self._held) if _part_of(name) in other), now)

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
