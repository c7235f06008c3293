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


class _Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    peer: PeerConf
    password: str = ""


class _Book(msgspec.Struct, frozen=True):
    salt: str
    global_conf: GlobalConf | None = None
    entries: tuple[_Entry, ...] = ()


class Memory:
    """What was applied last, in the runtime folder of one gobgpd."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE

    def recall(self, wanted: Mapping[str, PeerConf]) -> dict[str, PeerConf]:
        """Peers by neighbour address, as they were applied.

        A digest cannot be turned back: a password that equals the wanted one is that one, any other is a
        value that equals none.
        """
        book = self._read()
        return {
            entry.peer.neighbor_address: _with_password(
                entry, wanted.get(entry.peer.neighbor_address), salt=book.salt
            )
            for entry in book.entries
        }

    def recall_global(self) -> GlobalConf | None:
        """The global part as it was started last, None where that is not known."""
        return self._read().global_conf

    def remember(self, global_conf: GlobalConf | None, peers: Iterable[PeerConf]) -> None:
        """Replace the file as a whole, readable by its owner only. Raises OSError."""
        salt = secrets.token_hex(16)
        book = _Book(salt, global_conf, tuple(_entry(peer, salt=salt) for peer in peers))
        scratch = self._path.with_suffix(".new")
        scratch.touch(mode=0o600)
        scratch.write_bytes(msgspec.json.encode(book))
        scratch.replace(self._path)

    def _read(self) -> _Book:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=_Book)
        except (OSError, msgspec.DecodeError):
            return _Book(salt="")


def _entry(peer: PeerConf, *, salt: str) -> _Entry:
    bare = msgspec.structs.replace(peer, auth_password=None)
    return _Entry(bare, "" if peer.auth_password is None else _digest(peer.auth_password, salt=salt))


def _with_password(entry: _Entry, wanted: PeerConf | None, *, salt: str) -> PeerConf:
    if not entry.password:
        return entry.peer
    current = wanted.auth_password if wanted is not None else None
    same = current is not None and hmac.compare_digest(_digest(current, salt=salt), entry.password)
    return msgspec.structs.replace(entry.peer, auth_password=current if same else _UNKNOWN)


def _digest(password: Password, *, salt: str) -> str:
    return hmac.new(salt.encode(), password.reveal().encode(), hashlib.sha256).hexdigest()
