"""One machine of a simulated LAN: its process, its clock, and what keeps it from running."""

from ipaddress import IPv4Address, IPv4Interface
from math import inf

from openelb_bgp.membership.codec import Codec
from openelb_bgp.membership.core import Membership
from openelb_bgp.membership.lanes import LocalInterface, Route
from openelb_bgp.membership.messages import Datagram, OwnInterface, Record
from openelb_bgp.model.members import Members

NIC = "eth1"

Message = tuple[Datagram | bytes, Route]


class Clock:
    """A monotonic clock that begins anywhere and goes a little too fast or too slow."""

    def __init__(self, begin: float, rate: float) -> None:
        self._begin = begin
        self._rate = rate

    def reads(self, now: float) -> float:
        """What it shows at that instant."""
        return self._begin + self._rate * now

    def instant(self, reading: float) -> float:
        """When it shows that."""
        return (reading - self._begin) / self._rate

    def jump(self, seconds: float) -> None:
        """It shows so much more from now on; less, when it has stood still."""
        self._begin += seconds * self._rate


class Node:
    """`index` gives it its name and addresses."""

    def __init__(self, index: int, clock: Clock) -> None:
        self.index = index
        self.name = f"node-{index}"
        self.lan = IPv4Address(0xC0A80000 + 256 * (index // 250) + index % 250 + 1)
        self.management = IPv4Address(0x0A000000 + 256 * (index // 250) + index % 250 + 1)
        self.clock = clock
        self.core: Membership | None = None
        self.boot = 0
        self.begins_at = 0.0
        self.paused = False
        self.frozen_at: float | None = None
        self.nic_cut = False
        self.has_carrier = True
        self.waiting: list[Message] = []
        # When it wants to run, and when it is going to be asked whether it does.
        self.wakes_at = self.asked_at = inf
        self.told: Members | None = None
        self.idle_polls = 0
        self.codec = Codec(self.name)
        self.sent = self.sent_bytes = self.received = 0
        mac = f"02:00:00:00:{index >> 8:02x}:{index & 255:02x}"
        addresses = (IPv4Interface((self.lan, 16)),)
        self._locals = {
            up: LocalInterface(name=NIC, mac=mac, addresses=addresses, up=up) for up in (True, False)
        }

    @property
    def record(self) -> Record:
        """What it says of itself when it has just found itself alone."""
        here = self.local
        interface = OwnInterface(name=here.name, mac=here.mac, addresses=here.addresses, stable_age=0.0)
        return Record(node=self.name, boot=self.boot, void=False, interfaces=(interface,))

    @property
    def local(self) -> LocalInterface:
        """Its interface on the LAN."""
        return self._locals[self.has_carrier]
