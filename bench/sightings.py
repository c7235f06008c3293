"""What a bare watcher of the API server sees, and when: of the objects of one kind, from now on."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from lab.cluster.api import Api, Object
from lab.errors import LabError

Noted = Callable[[str, Object], str]
"""What to note of an event's type (as in `ADDED`) and object; empty for nothing."""


class Sightings:
    """When each note was due for the first time, on the monotonic clock, while this is entered."""

    def __init__(self, api: Api, kind: str, noted: Noted) -> None:
        self._api, self._kind, self._noted = api, kind, noted
        self._at: dict[str, float] = {}
        self._changed = threading.Condition()
        self._closed = False

    def __enter__(self) -> Self:
        listed = self._api.request("GET", self._api.path(self._kind), query={"limit": "1"})
        version = listed["metadata"]["resourceVersion"]
        threading.Thread(target=self._follow, args=(version,), name="sightings", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True

    def wait_for(self, count: int, *, within: float) -> float:
        """Wait until there are so many notes; returns when the last was due. Raises LabError."""
        return self._wait(lambda: len(self._at) >= count, within) and max(self._at.values())

    def wait_for_one(self, note: str, *, within: float) -> float:
        """Wait for that one; returns when it was due. Raises LabError."""
        return self._wait(lambda: note in self._at, within) and self._at[note]

    def _wait(self, true: Callable[[], bool], within: float) -> bool:
        with self._changed:
            if not self._changed.wait_for(true, within):
                raise LabError(f"{len(self._at)} {self._kind}s have been seen so after {within:g} s")
        return True

    def _follow(self, version: str) -> None:
        while not self._closed:
            try:
                for event, found in self._api.watch(self._kind, resourceVersion=version):
                    version = found["metadata"]["resourceVersion"]
                    self._take(event, found, time.monotonic())
            except OSError:
                # Silent for a while: from there on again.
                continue

    def _take(self, event: str, found: Object, now: float) -> None:
        if note := self._noted(event, found):
            with self._changed:
                self._at.setdefault(note, now)
                self._changed.notify_all()


def addressed(_: str, service: Object) -> str:
    """The name of a Service that has an address in its status."""
    ingress = service["status"].get("loadBalancer", {}).get("ingress")
    return str(service["metadata"]["name"]) if ingress else ""


def deleted(event: str, found: Object) -> str:
    """The name of an object that is gone."""
    return str(found["metadata"]["name"]) if event == "DELETED" else ""


def versioned(_: str, found: Object) -> str:
    """An object as it was written."""
    return f"{found['metadata']['name']} {found['metadata']['resourceVersion']}"
