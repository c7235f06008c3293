"""Somebody who tries to make an Eip and a Service all the time, and writes down when he may not."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lab.cluster.api import OURS, Api, ApiError, Object

_MADE: tuple[Object, ...] = (
    {"apiVersion": OURS, "kind": "Eip", "metadata": {"name": "asked"}, "spec": {"address": "203.0.113.9"}},
    {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "asked", "namespace": "default"},
        "spec": {"ports": [{"port": 80}]},
    },
)


class Asked:
    """What the API server answered, in order: the kind, and why not, empty if it may be made."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, str]] = []

    def refused(self, kind: str) -> list[str]:
        """Every refusal of that kind."""
        return [why for asked, why in self.answers if asked == kind and why]

    def refused_later(self, kind: str) -> list[str]:
        """Every refusal of that kind after it could be made for the first time; fails if it never could."""
        whys = [why for asked, why in self.answers if asked == kind]
        assert "" in whys, f"no {kind} could ever be made: {whys[-1:]}"
        return [why for why in whys[whys.index("") :] if why]


@contextmanager
def asked_all_the_time(api: Api) -> Iterator[Asked]:
    """Ask all through the `with` block; nothing is stored."""
    asked, stop = Asked(), threading.Event()

    def ask() -> None:
        while not stop.wait(0.02):
            for one in _MADE:
                try:
                    api.create(one, dryRun="All")
                    why = ""
                except (ApiError, OSError) as error:
                    why = str(error) or type(error).__name__
                asked.answers.append((one["kind"], why))

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        stop.set()
        thread.join()
