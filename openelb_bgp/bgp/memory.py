"""What this node told gobgpd last of itself and of its peers, kept beside gobgpd for the next speaker.

ListPeer shows live state and defaults, and an echo of it resets sessions; so the last message applied is the
only thing that an edit can be compared with, also by a speaker that was started after it. Of the global part
GetBgp shows defaults too. Passwords are kept as keyed digests. A file that is lost makes a peer that
runs count as applied as wanted, never as something to reset.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from .model import GlobalConf, Password, PeerConf

_FILE = "applied.json"
_UNKNOWN = Password("")
"""A password in use that cannot be told from its digest; it equals no real one, which is never empty."""


class _Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    peer: PeerConf
    password: str = ""


class _Book(msgspec.Struct, frozen=True):
    salt: str
    global_conf: GlobalConf | None = None
    entries: tuple[_Entry, ...] = ()


class Applied(msgspec.Struct, frozen=True):
    """What was applied last: the global part, None where that is not known, and peers by address."""

    global_conf: GlobalConf | None
    peers: Mapping[str, PeerConf]


class Memory:
    """What was applied last, in the runtime folder of one gobgpd."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def recall(self, wanted: Mapping[str, PeerConf]) -> Applied:
        """What was applied last; `wanted` are the peers by address as they shall be now.

        A digest cannot be turned back: a password that equals the wanted one is that one, any other is a
        value that equals none.
        """
        book = self._read()
        peers = {
            entry.peer.neighbor_address: _with_password(
                entry, wanted.get(entry.peer.neighbor_address), salt=book.salt
            )
            for entry in book.entries
        }
        return Applied(book.global_conf, peers)

    def remember(self, global_conf: GlobalConf | None, peers: Iterable[PeerConf]) -> None:
        """Replace the file as a whole, readable by its owner only. Raises OSError."""
        book = self._read()
        salt = book.salt or secrets.token_hex(16)
        known = {entry.peer.neighbor_address: entry.password for entry in book.entries}
        entries = tuple(_entry(peer, known.get(peer.neighbor_address, ""), salt=salt) for peer in peers)
        scratch = self._path.with_suffix(".new")
        scratch.touch(mode=0o600)
        scratch.write_bytes(msgspec.json.encode(_Book(salt, global_conf, entries)))
        scratch.replace(self._path)

    def _read(self) -> _Book:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Book)
        except (OSError, msgspec.DecodeError):
            return _Book(salt="")


def _entry(peer: PeerConf, known: str, *, salt: str) -> _Entry:
    """`known` is the digest that stood there before: all that is left of a password that nobody knows."""
    bare = msgspec.structs.replace(peer, auth_password=None)
    match peer.auth_password:
        case None:
            return _Entry(bare)
        case password if password == _UNKNOWN:
            return _Entry(bare, known)
        case password:
            return _Entry(bare, _digest(password, salt=salt))


def _with_password(entry: _Entry, wanted: PeerConf | None, *, salt: str) -> PeerConf:
    if not entry.password:
        return entry.peer
    current = wanted.auth_password if wanted is not None else None
    same = current is not None and hmac.compare_digest(_digest(current, salt=salt), entry.password)
    return msgspec.structs.replace(entry.peer, auth_password=current if same else _UNKNOWN)


def _digest(password: Password, *, salt: str) -> str:
    return hmac.new(salt.encode(), password.reveal().encode(), hashlib.sha256).hexdigest()
