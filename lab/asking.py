"""Who answers for an address on a LAN: everybody is asked by ARP or NDP, and each answer is taken down.

The frames are the product's (`host.packets`); that Linux understands the answers is seen in the clients' own
tables (`neighbours.py`). Whoever asks like this teaches the kernel of the namespace that it asks from, so ask
where nobody looks at the table.
"""

import json
import select
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from types import TracebackType
from typing import Self

from lab.errors import LabError
from lab.namespaces import Namespace
from openelb_bgp.host.ethernet import ETHERTYPE_ARP, ETHERTYPE_IPV6, parse_mac
from openelb_bgp.host.packets import Advertisement, Arp, Operation, build, parse, who_has
from openelb_bgp.model.addresses import Address

_BUFFER = 4 * 1024 * 1024
_SO_RCVBUFFORCE = 33


@dataclass(frozen=True, slots=True)
class Heard:
    """One answer: `at` on the monotonic clock, seconds; `mac` is the one that it offers."""

    at: float
    address: str
    mac: str


class Asker:
    """Asks for addresses, each every `every` seconds, from entering on; `heard` may be read at any moment.

    IPv6 questions go to the solicited-node group, as those of a host that knows nothing.
    """

    def __init__(
        self, space: Namespace, addresses: Iterable[str], *, every: float = 0.05, interface: str = "eth1"
    ) -> None:
        self._space, self._interface, self._every = space, interface, every
        self._own = _own(space, interface)
        self._addresses = tuple(ip_address(address) for address in addresses)
        self._heard: list[Heard] = []
        self._end = threading.Event()
        self._failed: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="asker", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join(timeout=10.0)
        if self._failed is not None and kind is None:
            raise LabError(f"asking broke off: {self._failed!r}") from self._failed

    def heard(self) -> tuple[Heard, ...]:
        """All answers so far, in their order."""
        return tuple(self._heard)

    def _work(self) -> None:
        try:
            self._space.enter_thread()
            with _Ear(self._interface, self._own) as ear:
                self._ask_on(ear)
        except BaseException as exc:
            self._failed = exc

    def _ask_on(self, ear: "_Ear") -> None:
        questions = [ear.question(address) for address in self._addresses]
        due = time.monotonic()
        while not self._end.is_set():
            for question in questions:
                ear.say(question)
            due = max(due + self._every, time.monotonic())
            while (left := due - time.monotonic()) > 0 and not self._end.is_set():
                self._heard.extend(ear.listen(left))


class _Ear:
    """The two sockets of an interface, in the namespace of the thread that made them."""

    def __init__(self, interface: str, own: "_Own") -> None:
        self._sockets = [_socket(interface, kind) for kind in (ETHERTYPE_ARP, ETHERTYPE_IPV6)]
        self._own = own

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            one.close()

    def question(self, address: Address) -> bytes:
        """The frame that asks for an address."""
        return build(who_has(address, mac=self._own.mac, source=self._own.sources[address.version]))

    def say(self, frame: bytes) -> None:
        """Send a frame. Raises OSError."""
        self._sockets[0].send(frame)

    def listen(self, seconds: float) -> Sequence[Heard]:
        """The answers that come within so many seconds, at the latest when the first has come."""
        ready, _, _ = select.select(self._sockets, (), (), seconds)
        frames = (frame for one in ready for frame in _drain(one))
        now = time.monotonic()
        return [Heard(now, *answer) for frame in frames if (answer := self._answer(frame))]

    def _answer(self, frame: bytes) -> tuple[str, str] | None:
        match parse(frame):
            case Arp(operation=Operation.REPLY, destination=self._own.mac) as reply:
                return str(reply.sender), reply.sender_mac.hex(":")
            case Advertisement(destination=self._own.mac, mac=bytes() as mac) as said:
                return str(said.target), mac.hex(":")
        return None


def ask(
    space: Namespace, addresses: Iterable[str], *, within: float = 0.5, interface: str = "eth1"
) -> Mapping[str, frozenset[str]]:
    """The MACs that answer for each address within so many seconds after everybody was asked once."""
    wanted = tuple(addresses)
    with Asker(space, wanted, every=within, interface=interface) as asker:
        time.sleep(within)
    heard = asker.heard()
    return {address: frozenset(one.mac for one in heard if one.address == address) for address in wanted}


def _socket(interface: str, ethertype: int) -> socket.socket:
    made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ethertype))
    made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
    made.bind((interface, ethertype))
    made.setblocking(False)
    return made


def _drain(one: socket.socket) -> Iterable[bytes]:
    while True:
        try:
            yield one.recv(2048)
        except BlockingIOError:
            return


@dataclass(frozen=True, slots=True)
class _Own:
    """An interface's MAC, and an address of it by IP version."""

    mac: bytes
    sources: Mapping[int, Address]


def _own(space: Namespace, interface: str) -> _Own:
    (link,) = json.loads(space.run("ip", "-json", "address", "show", "dev", interface))
    mac = parse_mac(link["address"])
    if mac is None:
        raise LabError(f"{interface} of {space.name} has no MAC, but {link['address']!r}")
    sources: dict[int, Address] = {}
    for entry in link["addr_info"]:
        if entry["scope"] == "global":
            address = ip_address(entry["local"])
            sources.setdefault(address.version, address)
    return _Own(mac, sources)
