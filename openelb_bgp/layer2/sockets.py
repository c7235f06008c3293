"""The responder's packet sockets: one per interface and family for what is asked, one for what is answered.

Each hears only what its filter lets through, reads from a ring, and sends on its interface. It outlives a
link that goes down and comes up, as the kernel's socket does; an interface made anew is another one. What to
hear and to say is not here.
"""

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterable

from openelb_bgp.host.ethernet import ETHERTYPE_ARP, ETHERTYPE_IPV6
from openelb_bgp.host.wire import Place, attach_filter
from openelb_bgp.model.addresses import Address, Family

from .filters import FEWER_BITS, MOST_BITS, NOTHING, Filter
from .ring import Received, Ring

NO_CAPABILITY = (
    "no address can be announced by ARP or NDP from this node: the capability NET_RAW is missing; add it to "
    "securityContext.capabilities of the speaker's container"
)
_ETHERTYPES = {Family.IPV4: ETHERTYPE_ARP, Family.IPV6: ETHERTYPE_IPV6}
_FRAMES_AT_ONCE = 64

Heard = Callable[[Place, Received], None]


class Unusable(Exception):
    """Nothing can be heard or said there; the sentence says why."""


class Port:
    """A socket on one interface for one family. Used on one event loop."""

    def __init__(self, place: Place, filtered: Filter, heard: Heard) -> None:
        """Hears nothing until it is told of addresses. Raises Unusable, without CAP_NET_RAW too."""
        self.place = place
        self._filtered = filtered
        self._heard = heard
        try:
            self._open()
        except PermissionError as exc:
            raise Unusable(NO_CAPABILITY) from exc
        except OSError as exc:
            raise Unusable(f"{place.interface} cannot be used for {place.family}: {exc.strerror}") from exc

    def _open(self) -> None:
        # Protocol 0 receives nothing: the filter is in force before the first frame.
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        with contextlib.ExitStack() as undo:
            undo.callback(self._socket.close)
            attach_filter(self._socket, NOTHING)
            self._ring = Ring(self._socket)
            undo.callback(self._ring.close)
            self._socket.bind((self.place.interface, _ETHERTYPES[self.place.family]))
            asyncio.get_running_loop().add_reader(self._socket, self._read)
            undo.pop_all()

    def hear(self, addresses: Iterable[Address]) -> None:
        """Hear of these and no others, as far as the filter can tell them apart. Raises Unusable."""
        known = tuple(addresses)
        for bits in (MOST_BITS, FEWER_BITS):
            program = self._filtered(self.place.family, known, ifindex=self.place.ifindex, bits=bits)
            try:
                attach_filter(self._socket, program)
            except OSError as exc:
                if exc.errno != errno.ENOMEM:
                    raise Unusable(f"no filter for {self.place.interface}: {exc.strerror}") from exc
            else:
                return
        raise Unusable(f"no filter for {self.place.interface}: net.core.optmem_max is too small")

    def send(self, frame: bytes) -> bool:
        """Whether the kernel took it; not, while the link is down or its queue full."""
        try:
            self._socket.send(frame)
        except OSError:
            return False
        return True

    def overrun(self) -> int:
        """How many frames were lost because nobody read them in time."""
        return self._ring.overrun()

    def close(self) -> None:
        """Hear and say nothing more."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._ring.close()
        self._socket.close()

    def _read(self) -> None:
        for received in self._ring.read(_FRAMES_AT_ONCE):
            self._heard(self.place, received)
        if not self._socket.fileno() < 0:
            # A link that went down leaves an error, and would wake us for ever if it were not taken away.
            self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
