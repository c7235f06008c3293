"""The folder of one sidecar: where its sockets, its record, its lock and its log are, and making it safe.

An emptyDir is always 0777 and gobgpd's API knows no authentication, so everything lies in a folder of mode
0700 inside it. Nothing here starts or signals anybody.
"""

import fcntl
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from .errors import FolderUnusable, SidecarBusy
from .kinds import Kind

# sun_path has 108 bytes, the last of them 0 (unix(7)).
_LONGEST_SOCKET_PATH = 107


@dataclass(frozen=True)
class Places:
    """The paths under `--dir` of one kind of daemon; `folder` is `DIR/KIND`."""

    folder: Path
    api_socket: Path

    @property
    def api_target(self) -> str:
        """The API as gRPC names it."""
        return f"unix://{self.api_socket}"

    @property
    def control_socket(self) -> Path:
        """Where orders are taken."""
        return self.folder / "control.sock"

    @property
    def record(self) -> Path:
        """The pid file: who the sidecar and the daemon are, in JSON."""
        return self.folder / "pid.json"

    @property
    def lock(self) -> Path:
        """Held by the one sidecar of this folder for as long as it lives."""
        return self.folder / "lock"

    @property
    def log(self) -> Path:
        """The log of a detached sidecar and its daemon, unless `--log-file` names another."""
        return self.folder / "log"


def places(directory: Path, kind: Kind) -> Places:
    """The paths under `directory`, which is made absolute."""
    folder = directory.absolute() / kind.name
    return Places(folder, folder / kind.api_socket)


def make_private(place: Places) -> None:
    """Make the folder, or make the one that is there private. Raises FolderUnusable."""
    if len(os.fsencode(place.control_socket)) > _LONGEST_SOCKET_PATH:
        raise FolderUnusable(
            f"{place.control_socket}: a unix socket's path has at most {_LONGEST_SOCKET_PATH} bytes; "
            "choose a shorter --dir"
        )
    try:
        place.folder.parent.mkdir(parents=True, exist_ok=True)
        place.folder.mkdir(mode=0o700, exist_ok=True)
        # Not by its path: in a folder that all may write to, somebody may have put a link there.
        folder = os.open(place.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError as exc:
        raise FolderUnusable(
            f"the folder {place.folder} for the sockets cannot be made: {exc.strerror}; "
            "name another with --dir or let this user write there"
        ) from exc
    try:
        _take_over(folder, place.folder)
    finally:
        os.close(folder)


def _take_over(folder: int, path: Path) -> None:
    owner = os.fstat(folder).st_uid
    if owner != os.geteuid():
        raise FolderUnusable(f"{path} belongs to user {owner}, not to {os.geteuid()}: remove it first")
    if stat.S_IMODE(os.fstat(folder).st_mode) != 0o700:
        os.fchmod(folder, 0o700)
    if not os.access(path, os.W_OK | os.X_OK):
        raise FolderUnusable(f"{path} is not writable; name another folder with --dir")


def lock(place: Places) -> int:
    """Take the folder for this process and those it forks; the descriptor holds it until it is closed.

    Raises SidecarBusy at once when another sidecar has it, FolderUnusable when the lock cannot be made.
    """
    try:
        descriptor = os.open(place.lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as exc:
        raise FolderUnusable(f"{place.lock} cannot be opened: {exc.strerror}") from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        os.close(descriptor)
        raise SidecarBusy(
            f"another sidecar already keeps the {place.folder.name} of {place.folder.parent}; "
            "talk to that one, or name another folder with --dir"
        ) from exc
    return descriptor
