"""Says what happens in a folder by inotify, at once and at no cost while nothing happens.

What is behind an event is found out by `folder`. A polling watcher would not do: at the two milliseconds that
a route may take, watchfiles' wake-ups cost 1.7 % of a core on an idle machine.
"""

import asyncio
import contextlib
import errno
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import structlog
from asyncinotify import Event, Inotify, Mask, Watch

from .tree import is_manifest

log = structlog.get_logger(__name__)

# Not MODIFY: a file is read when its writer is done with it.
_WANTED = (
    Mask.CLOSE_WRITE
    | Mask.MOVED_TO
    | Mask.MOVED_FROM
    | Mask.CREATE
    | Mask.DELETE
    | Mask.DELETE_SELF
    | Mask.MOVE_SELF
    | Mask.ONLYDIR
)
_ALL_UNKNOWN = Mask.Q_OVERFLOW | Mask.UNMOUNT | Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.IGNORED
_EVENTS_AT_ONCE = 256


class Happened(msgspec.Struct):
    """What has happened since it was last asked.

    `files` by their path below the root are to be looked at; with `anything` the whole folder is, and with
    `switched` what is new there was put in place as a whole, so that nobody is still writing it.
    """

    files: set[str]
    anything: bool = False
    switched: bool = False


class FolderWatch:
    """Watches a folder, what lies below it, and the folder around it for its return."""

    def __init__(self, root: Path, notify: Callable[[], None]) -> None:
        """`notify` is called on the event loop's thread when something happened."""
        self._root = root.absolute()
        self._notify = notify
        self._inotify: Inotify | None = None
        self._watches: dict[str, tuple[Watch, tuple[int, int]]] = {}
        self._paths: dict[int, str] = {}
        self._parent: Watch | None = None
        self._happened = Happened(set())

    @property
    def works(self) -> bool:
        """Whether changes are noticed; otherwise the folder has to be compared again and again."""
        return self._inotify is not None

    def start(self) -> None:
        """Begin. Where the kernel refuses (too many watches), `works` stays False and it is logged."""
        try:
            self._inotify = Inotify(cache_size=_EVENTS_AT_ONCE, sync_timeout=0)
        except OSError as error:
            self._give_up(error)
            return
        asyncio.get_running_loop().add_reader(self._inotify.fd, self._read)

    def close(self) -> None:
        """End; safe to call twice."""
        inotify, self._inotify = self._inotify, None
        if inotify is not None:
            asyncio.get_running_loop().remove_reader(inotify.fd)
            inotify.close()

    def take(self) -> Happened:
        """What has happened since the last call."""
        happened, self._happened = self._happened, Happened(set())
        return happened

    def follow(self, folders: Mapping[str, tuple[int, int]]) -> bool:
        """Watch exactly these folders, by path below the root with device and inode.

        True when one is new: what was put into it before now went unseen, so look again.
        """
        for path, (_, identity) in list(self._watches.items()):
            if folders.get(path) != identity:
                self._forget(path)
        self._watch_parent()
        new = [path for path in folders if path not in self._watches]
        return sum(self._add(path, folders[path]) for path in new) > 0

    def _add(self, path: str, identity: tuple[int, int]) -> bool:
        if self._inotify is None:
            return False
        try:
            watch = self._inotify.add_watch(self._root / path, _WANTED)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.ENOMEM):
                self._give_up(error)
            # Otherwise it is gone already, and an event from above says so.
            return False
        self._watches[path] = (watch, identity)
        self._paths[watch.wd] = path
        return True

    def _watch_parent(self) -> None:
        """A folder that is deleted cannot say that it came back; the one around it can."""
        if self._inotify is None or self._parent is not None:
            return
        with contextlib.suppress(OSError):
            mask = Mask.CREATE | Mask.MOVED_TO | Mask.DELETE_SELF | Mask.MOVE_SELF | Mask.ONLYDIR
            self._parent = self._inotify.add_watch(self._root.parent, mask)

    def _forget(self, path: str) -> None:
        watch, _ = self._watches.pop(path)
        self._paths.pop(watch.wd, None)
        if self._inotify is not None:
            # The kernel has dropped it already where the folder was deleted.
            with contextlib.suppress(OSError):
                self._inotify.rm_watch(watch)

    def _give_up(self, error: OSError) -> None:
        log.warning("files_not_watched", folder=str(self._root), error=str(error), remedy=_remedy(error))
        self.close()

    def _read(self) -> None:
        """Take everything that the kernel has to say."""
        while self._inotify is not None and (event := self._inotify.sync_get()) is not None:
            self._note(event)
        if self._happened.files or self._happened.anything:
            self._notify()

    def _note(self, event: Event) -> None:
        if event.mask & _ALL_UNKNOWN:
            self._lost(event)
            return
        watch, name = event.watch, str(event.name or "")
        if watch is not None and watch is self._parent:
            self._happened.anything |= name == self._root.name
            return
        path = self._paths.get(watch.wd) if watch is not None else None
        if path is None or not name:
            return
        if event.mask & Mask.ISDIR:
            # Hidden folders are not read; kubelet makes one before it switches `..data` over.
            self._happened.anything |= not name.startswith(".")
        elif name == "..data":
            self._happened.anything = self._happened.switched = True
        elif is_manifest(name):
            self._note_file(f"{path}/{name}" if path else name, event.mask)

    def _note_file(self, path: str, mask: Mask) -> None:
        # A file that was only created is about to be written; a link that was created is complete.
        if not mask & Mask.CREATE or (self._root / path).is_symlink():
            self._happened.files.add(path)

    def _lost(self, event: Event) -> None:
        """The kernel has dropped events, or a watched folder went."""
        watch = event.watch
        if event.mask & Mask.IGNORED:
            # Our own doing (a watch taken back) or the echo of a deletion, which came before.
            if watch is not None and watch is self._parent:
                self._parent = None
            return
        if watch is not None and (path := self._paths.get(watch.wd)) is not None:
            self._forget(path)
        self._happened.anything = True


def _remedy(error: OSError) -> str:
    if error.errno == errno.ENOSPC:
        return "raise fs.inotify.max_user_watches; until then the folder is compared every second"
    return "raise fs.inotify.max_user_instances; until then the folder is compared every second"
