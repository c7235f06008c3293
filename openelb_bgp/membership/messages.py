"""What speakers tell each other: questions, answers, and news, as values. Bytes are `codec`'s matter.

Each node is the only writer of its Record, and everybody ends up with the newest of each: by `generation`
(one more with every restart), then `version`. What a record says of time is an age, in seconds at the moment
at which it is sent, because no two clocks are compared.
"""

from functools import lru_cache
from hashlib import sha256

import msgspec

from openelb_bgp.model.addresses import Interface


class OwnInterface(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An interface as its node describes it, with what it sees of others there.

    `opinions` maps a subject (see `subject_id`) to whether it answers; what is not in it is not watched, or
    not known yet. `stable_age` is for how many seconds the node has served there without a break.
    """

    name: str
    mac: str = ""
    addresses: tuple[Interface, ...] = ()
    stable_age: float | None = None
    opinions: tuple[tuple[int, bool], ...] = ()


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a node says of itself. `boot` is a random number, another with each start of the process."""

    node: str
    boot: int
    generation: int = 1
    version: int = 1
    leaving: bool = False
    void: bool = True
    interfaces: tuple[OwnInterface, ...] = ()

    @property
    def order(self) -> tuple[int, int, int]:
        """The greater is the newer; the boot only settles a tie."""
        return (self.generation, self.version, self.boot)


class Ping(msgspec.Struct, frozen=True, gc=False):
    """Are you there? `digest` sums up the records that the sender holds."""

    digest: int


class Ack(msgspec.Struct, frozen=True, gc=False):
    """Yes, to the datagram with sequence number `echo`.

    `doubts` says that the one who asked counts as dead on the interface by which it asked.
    """

    echo: int
    digest: int
    doubts: bool = False


class News(msgspec.Struct, frozen=True, gc=False):
    """Records, the sender's own or others'."""

    records: tuple[Record, ...]


class Summary(msgspec.Struct, frozen=True, gc=False):
    """The digest by parts: whoever has others in a part sends the records of that part."""

    parts: tuple[int, ...]


Body = Ping | Ack | News | Summary


class Datagram(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One message from a node's process to another's.

    `to_boot` proves that the sender has heard the receiver's process that runs now; 0 where it has not.
    `sequence` never comes again from the same boot.
    """

    sender: str
    boot: int
    to: str
    to_boot: int
    sequence: int
    body: Body


@lru_cache(maxsize=1 << 14)
def node_id(node: str) -> int:
    """64 bits that stand for a node's name in datagrams, and order the ring: the same everywhere."""
    return int.from_bytes(sha256(node.encode()).digest()[:8])


@lru_cache(maxsize=1 << 15)
def subject_id(node: str, interface: str) -> int:
    """64 bits that stand for an interface of a node: who is watched."""
    return int.from_bytes(sha256(f"{node}/{interface}".encode()).digest()[:8])
