"""The client's requests: how many, who answered each, which were lost and when.

Every request is a TCP connection of its own with one small HTTP GET, so that each is spread anew. One whose
connection is reset is sent once more, as HTTP clients do with a GET (RFC 9110, section 9.2.2): a router that
changes its next hops moves connections that are open at that moment to a node that does not know them. The
sending happens in a thread inside the client's namespace; results are values that can be read while it goes
on.
"""

import asyncio
import contextlib
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lab.errors import LabError
from lab.namespaces import Namespace
from lab.priority import come_first

TIMEOUT = 0.9
"""Seconds after which a request without a whole answer is lost."""
_BURST = 64


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: `sent` on the monotonic clock, seconds; `backend` is None when it was lost."""

    sent: float
    backend: str | None
    client: str | None = None
    """The client's address as the backend saw it."""
    error: str = ""
    tries: int = 1
    address: str = ""
    """The address that was asked."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of some requests, in the order in which they were sent."""

    answers: tuple[Answer, ...]

    @property
    def sent(self) -> int:
        """How many there were."""
        return len(self.answers)

    @property
    def by_backend(self) -> dict[str, int]:
        """Answered requests by backend, sorted by name."""
        return dict(sorted(Counter(a.backend for a in self.answers if a.backend is not None).items()))

    @property
    def clients(self) -> frozenset[str]:
        """The addresses of the client that the backends saw."""
        return frozenset(a.client for a in self.answers if a.client is not None)

    @property
    def lost(self) -> tuple[Answer, ...]:
        """Those without an answer."""
        return tuple(a for a in self.answers if a.backend is None)

    @property
    def retried(self) -> tuple[Answer, ...]:
        """Those that were answered at the second try, because the first connection was reset."""
        return tuple(a for a in self.answers if a.backend is not None and a.tries > 1)

    @property
    def outage(self) -> float:
        """Seconds from the first lost request to the last, 0 if none was."""
        lost = self.lost
        return lost[-1].sent - lost[0].sent if lost else 0.0

    def since(self, moment: float) -> "Tally":
        """Those sent at or after a moment of the monotonic clock."""
        return Tally(tuple(a for a in self.answers if a.sent >= moment))

    def to(self, *addresses: str) -> "Tally":
        """Those to these addresses."""
        return Tally(tuple(a for a in self.answers if a.address in addresses))

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(tuple(sorted((*self.answers, *other.answers), key=lambda a: a.sent)))


@dataclass(slots=True)
class Load:
    """Requests on their way, to one address after the other; `tally` may be read at any moment."""

    addresses: Sequence[str]
    port: int
    rate: float
    count: int | None
    _answers: list[Answer] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def tally(self) -> Tally:
        """What has been answered or lost so far."""
        return Tally(tuple(sorted(self._answers, key=lambda a: a.sent)))

    def stop(self) -> None:
        """Send no more; those under way are still waited for."""
        self._stop.set()

    async def send_all(self) -> None:
        """Send at the rate given until the count is reached or `stop` was called, then wait for the last
        answer.
        """
        started = time.monotonic()
        sent = 0
        async with asyncio.TaskGroup() as tasks:
            limit = asyncio.Semaphore(_BURST * 8)
            while not self._stop.is_set() and (self.count is None or sent < self.count):
                await limit.acquire()
                task = tasks.create_task(self._send_one(self.addresses[sent % len(self.addresses)]))
                task.add_done_callback(lambda _: limit.release())
                sent += 1
                await asyncio.sleep(max(0.0, started + sent / self.rate - time.monotonic()))

    async def _send_one(self, address: str) -> None:
        sent = time.monotonic()
        tries = 0
        try:
            async with asyncio.timeout(TIMEOUT):
                while True:
                    tries += 1
                    try:
                        backend, client = await _get(address, self.port)
                        break
                    except ConnectionResetError:
                        if tries > 1:
                            raise
            self._answers.append(Answer(sent, backend, client, tries=tries, address=address))
        except (OSError, TimeoutError, ValueError) as exc:
            error = type(exc).__name__ + (f": {exc}" if str(exc) else "")
            self._answers.append(Answer(sent, None, error=error, tries=tries, address=address))


def requests(space: Namespace, *addresses: str, count: int, rate: float = 200.0, port: int = 80) -> Tally:
    """Send `count` requests at `rate` per second from inside the namespace and wait for all.

    They go to one address after the other.
    """
    load = Load(addresses=addresses, port=port, rate=rate, count=count)
    space.call(lambda: _send(load))
    return load.tally()


@contextlib.contextmanager
def under_load(space: Namespace, *addresses: str, rate: float = 200.0, port: int = 80) -> Iterator[Load]:
    """Requests all through the `with` block; on leaving it the last answers have been waited for.

    `rate` is of all addresses together.
    """
    load = Load(addresses=addresses, port=port, rate=rate, count=None)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            space.enter_thread()
            _send(load)
        except BaseException as exc:
            failed.append(exc)

    thread = threading.Thread(target=work, name=f"load-{addresses[0]}", daemon=True)
    thread.start()
    try:
        yield load
    finally:
        load.stop()
        thread.join(timeout=10.0)
    if failed:
        raise LabError(f"the load on {addresses[0]} broke off: {failed[0]!r}") from failed[0]


def _send(load: Load) -> None:
    """Send all of it in this thread, which ends after that."""
    come_first()
    asyncio.run(load.send_all())


async def _get(address: str, port: int) -> tuple[str, str]:
    """The backend's name and the client's address that it saw. ValueError: the answer is not whole."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    with sock:
        sock.setblocking(False)
        # The port is chosen before the route is, so that the kernel spreads connections over both uplinks by
        # it and takes the source address of the uplink; without this, all would leave by the same one.
        sock.bind(("", 0))
        loop = asyncio.get_running_loop()
        await loop.sock_connect(sock, (address, port))
        await loop.sock_sendall(sock, b"GET / HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n")
        answer = b""
        while chunk := await loop.sock_recv(sock, 4096):
            answer += chunk
    return _read(answer.decode())


def _read(answer: str) -> tuple[str, str]:
    head, blank, body = answer.partition("\r\n\r\n")
    if not blank or " 200 " not in head:
        raise ValueError("no whole answer")
    said = dict(line.split(": ", 1) for line in body.splitlines() if ": " in line)
    return said["Name"], said["RemoteAddr"]
