"""Datagrams as bytes: compact, versioned, and signed. Pure; what a message means is `core`'s matter.

```
0   magic and version      2     "O", 2
2   type                   1     1 ping, 2 ack, 3 news, 4 summary
3   flags                  1     of an ack: 1 doubts
4   sender                 8     node_id
12  sender's boot          8
20  receiver               8     node_id
28  receiver's boot        8     0 where it is not known
36  sequence               8
44  body
    signature              16    HMAC-SHA256 (RFC 2104) over all before it, truncated
```
Whatever is looked at before the signature only saves work: nothing of it is believed.
"""

import hmac
import struct
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address, ip_interface

import msgspec

from openelb_bgp.model.addresses import Interface

from .messages import Ack, Body, Datagram, News, OwnInterface, Ping, Record, Summary, node_id

MAX_DATAGRAM = 1400
"""Bytes that pass any link whole, tunnels included."""
SIGNATURE = 16
PARTS = 32
"""Into how many parts the digest is split in a Summary."""

_MAGIC = b"O\x02"
_HEADER = struct.Struct("!2sBBQQQQQ")
_PING = struct.Struct("!Q")
_ACK = struct.Struct("!QQ")
_SUMMARY = struct.Struct(f"!{PARTS}I")
_RECORD = struct.Struct("!QQQIBB")
_AGE = struct.Struct("!I")
_OPINION = struct.Struct("!QB")
_TYPE_PING, _TYPE_ACK, _TYPE_NEWS, _TYPE_SUMMARY = 1, 2, 3, 4
_DOUBTS = 1
_LEAVING, _VOID = 1, 2
_NEVER = 0xFFFFFFFF
_MOST_INTERFACES, _MOST_ADDRESSES, _MOST_OPINIONS = 8, 4, 48
ROOM_FOR_RECORDS = MAX_DATAGRAM - _HEADER.size - SIGNATURE - 1


class Dropped(Exception):
    """A datagram that is not accepted. `reason` is a short word for counting.

    `claimed` is the node that it pretends to come from, where that is one that we know.
    """

    def __init__(self, reason: str, claimed: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.claimed = claimed


class Codec:
    """Signs with the first key, accepts any of them; knows nodes by their ids. Without keys it takes none."""

    def __init__(self, node: str) -> None:
        self._node = node
        self._id = node_id(node)
        # With the key's part of the work done, which is half of it (RFC 2104, section 4).
        self._keys: tuple[hmac.HMAC, ...] = ()
        self._names: Mapping[int, str] = {self._id: node}

    def use(self, *, keys: Sequence[bytes], nodes: Sequence[str]) -> None:
        """The keys, and the other nodes that there are, from now on."""
        self._keys = tuple(hmac.new(key, digestmod="sha256") for key in keys)
        self._names = {node_id(name): name for name in (*nodes, self._node)}

    @property
    def is_keyed(self) -> bool:
        """Whether there is a key at all."""
        return bool(self._keys)

    def encode(self, datagram: Datagram) -> bytes:
        """The bytes. There must be a key."""
        kind, flags, body = _body_bytes(datagram.body)
        signed = (
            _HEADER.pack(
                _MAGIC,
                kind,
                flags,
                node_id(datagram.sender),
                datagram.boot,
                node_id(datagram.to),
                datagram.to_boot,
                datagram.sequence,
            )
            + body
        )
        return signed + _signature(self._keys[0], signed)

    def decode(self, data: bytes) -> Datagram:
        """The datagram, for this node and from one that it knows. Raises Dropped."""
        if len(data) < _HEADER.size + SIGNATURE or len(data) > MAX_DATAGRAM:
            raise Dropped("malformed")
        magic, kind, flags, sender, boot, to, to_boot, sequence = _HEADER.unpack_from(data)
        if magic != _MAGIC:
            raise Dropped("version" if magic[:1] == _MAGIC[:1] else "malformed")
        name = self._names.get(sender)
        if name is None or sender == self._id:
            raise Dropped("unknown-sender")
        if to != self._id:
            raise Dropped("not-for-us")
        signed, signature = data[:-SIGNATURE], data[-SIGNATURE:]
        self._verify(name, signed, signature)
        try:
            body = self._body(kind, flags, signed[_HEADER.size :])
        except (struct.error, ValueError, IndexError) as error:
            raise Dropped("malformed", name) from error
        return Datagram(sender=name, boot=boot, to=self._node, to_boot=to_boot, sequence=sequence, body=body)

    def _verify(self, name: str, signed: bytes, signature: bytes) -> None:
        if not self._keys:
            raise Dropped("no-key", name)
        # Every key is tried, so that the time tells nothing of which one it was.
        matches = [hmac.compare_digest(_signature(key, signed), signature) for key in self._keys]
        if not any(matches):
            raise Dropped("signature", name)

    def _body(self, kind: int, flags: int, data: bytes) -> Body:
        match kind:
            case 1:
                return Ping(*_PING.unpack(data))
            case 2:
                echo, digest = _ACK.unpack(data)
                return Ack(echo, digest, bool(flags & _DOUBTS))
            case 3:
                return News(tuple(self._records(data)))
            case 4:
                return Summary(_SUMMARY.unpack(data))
        raise ValueError(f"type {kind}")

    def _records(self, data: bytes) -> Iterator[Record]:
        reader = _Reader(data)
        for _ in range(reader.byte()):
            record = _read_record(reader, self._names)
            # One of a node that is not known here yet is left out, the others are as good.
            if record is not None:
                yield record
        reader.expect_end()


def record_bytes(record: Record) -> bytes:
    """A record as it stands in News; of what would not fit the least telling is left out."""
    flags = (_LEAVING if record.leaving else 0) | (_VOID if record.void else 0)
    interfaces = record.interfaces[:_MOST_INTERFACES]
    head = _RECORD.pack(
        node_id(record.node), record.boot, record.generation, record.version, flags, len(interfaces)
    )
    most = _MOST_OPINIONS
    while True:
        packed = head + b"".join(_interface_bytes(one, most=most) for one in interfaces)
        if len(packed) <= ROOM_FOR_RECORDS:
            return packed
        most = most // 2


def packed(records: Sequence[Record]) -> Iterator[tuple[Record, ...]]:
    """The records in portions that fit into one datagram each."""
    portion: list[Record] = []
    size = 0
    for record in records:
        length = len(record_bytes(record))
        if portion and (size + length > ROOM_FOR_RECORDS or len(portion) == 255):
            yield tuple(portion)
            portion, size = [], 0
        portion.append(record)
        size += length
    if portion:
        yield tuple(portion)


def _signature(key: hmac.HMAC, signed: bytes) -> bytes:
    begun = key.copy()
    begun.update(signed)
    return begun.digest()[:SIGNATURE]


def _body_bytes(body: Body) -> tuple[int, int, bytes]:
    match body:
        case Ping():
            return _TYPE_PING, 0, _PING.pack(body.digest)
        case Ack():
            return _TYPE_ACK, _DOUBTS if body.doubts else 0, _ACK.pack(body.echo, body.digest)
        case News():
            records = b"".join(record_bytes(record) for record in body.records)
            return _TYPE_NEWS, 0, bytes([len(body.records)]) + records
        case Summary():
            return _TYPE_SUMMARY, 0, _SUMMARY.pack(*body.parts)


def _interface_bytes(one: OwnInterface, *, most: int) -> bytes:
    name = one.name.encode()[:255]
    addresses = one.addresses[:_MOST_ADDRESSES]
    age = _NEVER if one.stable_age is None else min(max(0, round(one.stable_age * 1000)), _NEVER - 1)
    # Who answers counts for more than who is dead: whom nobody vouches for is dead anyway.
    opinions = sorted(one.opinions, key=lambda opinion: not opinion[1])[:most]
    return b"".join(
        (
            bytes([len(name)]),
            name,
            _mac_bytes(one.mac),
            _AGE.pack(age),
            bytes([len(addresses)]),
            *(bytes([each.version, each.network.prefixlen]) + each.ip.packed for each in addresses),
            bytes([len(opinions)]),
            *(_OPINION.pack(*opinion) for opinion in opinions),
        )
    )


def _mac_bytes(mac: str) -> bytes:
    found = bytes.fromhex(mac.replace(":", "")) if mac else bytes(6)
    return found if len(found) == 6 else bytes(6)


class _Reader:
    """Takes bytes off the front; raises IndexError and ValueError where there are too few or too many."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, length: int) -> bytes:
        taken = self._data[self._at : self._at + length]
        if len(taken) != length:
            raise IndexError(length)
        self._at += length
        return taken

    def byte(self) -> int:
        return self.take(1)[0]

    def unpack(self, form: struct.Struct) -> tuple[int, ...]:
        return form.unpack(self.take(form.size))

    def expect_end(self) -> None:
        if self._at != len(self._data):
            raise ValueError("more than was announced")


def _read_record(reader: _Reader, names: Mapping[int, str]) -> Record | None:
    node, boot, generation, version, flags, count = reader.unpack(_RECORD)
    interfaces = tuple(_read_interface(reader) for _ in range(count))
    name = names.get(node)
    if name is None:
        return None
    return Record(
        node=name,
        boot=boot,
        generation=generation,
        version=version,
        leaving=bool(flags & _LEAVING),
        void=bool(flags & _VOID),
        interfaces=interfaces,
    )


def _read_interface(reader: _Reader) -> OwnInterface:
    name = reader.take(reader.byte()).decode()
    mac = reader.take(6)
    (age,) = reader.unpack(_AGE)
    return OwnInterface(
        name=name,
        mac=mac.hex(":") if any(mac) else "",
        stable_age=None if age == _NEVER else age / 1000,
        addresses=tuple(_read_address(reader) for _ in range(reader.byte())),
        opinions=tuple((subject, bool(alive)) for subject, alive in _read_opinions(reader)),
    )


def _read_address(reader: _Reader) -> Interface:
    version, length = reader.byte(), reader.byte()
    if version not in (4, 6):
        raise ValueError(f"IP version {version}")
    packed_address = reader.take(4 if version == 4 else 16)
    address = IPv4Address(packed_address) if version == 4 else IPv6Address(packed_address)
    return ip_interface((address, length))


def _read_opinions(reader: _Reader) -> Iterator[tuple[int, ...]]:
    for _ in range(reader.byte()):
        yield reader.unpack(_OPINION)


def aged(record: Record, seconds: float) -> Record:
    """The record as it is to be told so many seconds after it was."""
    if all(one.stable_age is None for one in record.interfaces):
        return record
    return msgspec.structs.replace(
        record,
        interfaces=tuple(
            one
            if one.stable_age is None
            else msgspec.structs.replace(one, stable_age=one.stable_age + seconds)
            for one in record.interfaces
        ),
    )
