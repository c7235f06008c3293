"""Which other nodes answer on this node's links: asked every second by ARP or NDP.

Nobody may stand in for a dead node, and neither the API server nor BGP can tell one from a node that only
lost its session; the link can. What an answer leads to is decided in the announcers' plans.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from ipaddress import IPv6Address

from openelb_bgp.model.addresses import Address, Family
from openelb_bgp.model.facts import Link, ProbeTarget
from openelb_bgp.ports import Clock

from .packets import Advertisement, Arp, Operation, build, parse, parse_mac, who_has
from .wire import Heard, PacketSockets, Place, Wire

INTERVAL = 1.0
"""Seconds between two probes of one target."""
MISSES = 3
"""How many probes in a row may go unanswered."""
_NO_CAPABILITY = (
    "nobody can be probed by ARP or NDP, so this node stands in for no other: the capability NET_RAW is "
    "missing; add it to securityContext.capabilities of the speaker's container"
)


class Answers:
    """Who answers, counted in probes; knows neither time nor sockets.

    A target answers from its first answer on, until MISSES probes in a row have gone unanswered for a whole
    interval each.
    """

    def __init__(self) -> None:
        # How many probes since the last answer; None for one that does not answer.
        self._unanswered: dict[ProbeTarget, int | None] = {}

    def aim(self, targets: Collection[ProbeTarget]) -> None:
        """Follow these from now on; those that were followed already keep what is known of them."""
        self._unanswered = {target: self._unanswered.get(target) for target in targets}

    def asked(self, target: ProbeTarget) -> None:
        """A probe of it is due now, and the interval of the one before is over."""
        count = self._unanswered[target]
        if count is not None:
            self._unanswered[target] = None if count == MISSES else count + 1

    def heard(self, target: ProbeTarget) -> None:
        """An answer has come. Of one that is not followed it says nothing."""
        if target in self._unanswered:
            self._unanswered[target] = 0

    def answering(self) -> frozenset[Address]:
        """The addresses that answer; one asked for on several interfaces has to answer on all of them."""
        silent = {target.address for target, count in self._unanswered.items() if count is None}
        return frozenset(target.address for target in self._unanswered if target.address not in silent)


class Prober:
    """Asks, as long as there is anybody to ask for; `changed` is called when `answering` has changed.

    An interface that is down, gone or without an address of that family makes its targets silent, nothing
    else. `error` says what keeps this node from asking at all, empty when nothing does.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        changed: Callable[[], None],
        wire: Callable[[Heard], Wire] = PacketSockets,
    ) -> None:
        self._clock = clock
        self._changed = changed
        self._wire = wire(self._heard)
        self._aimed = asyncio.Event()
        self._answers = Answers()
        self._targets: tuple[ProbeTarget, ...] = ()
        self._links: Mapping[str, Link] = {}
        self._ours: frozenset[bytes] = frozenset()
        self.answering: frozenset[Address] = frozenset()
        self.error = ""

    def aim(self, targets: Iterable[ProbeTarget], links: Iterable[Link]) -> None:
        """Ask for these from the next round on; `links` are the node's now.

        Does not call `changed` for what is no longer asked for: the caller knows.
        """
        self._targets = tuple(sorted(set(targets), key=str))
        self._links = {link.name: link for link in links}
        self._ours = frozenset(mac for link in self._links.values() if (mac := parse_mac(link.mac)))
        self._answers.aim(self._targets)
        self._observe()
        self._wire.keep({_place(self._links[one.interface], one.address) for one in self._reachable()})
        if self._targets:
            self._aimed.set()
        else:
            self._aimed.clear()
            self.error = ""

    async def run(self) -> None:
        """Ask for ever; cancelled at the end."""
        try:
            while True:
                await self._aimed.wait()
                self._ask_all()
                await self._clock.sleep(INTERVAL)
        finally:
            self._wire.keep(())

    def _reachable(self) -> Iterable[ProbeTarget]:
        return (target for target in self._targets if target.interface in self._links)

    def _ask_all(self) -> None:
        for target in self._targets:
            self._answers.asked(target)
        self.error = ""
        for target in self._reachable():
            self._ask(self._links[target.interface], target.address)
        if self._observe():
            self._changed()

    def _ask(self, link: Link, address: Address) -> None:
        mac, source = parse_mac(link.mac), source_for(address, link)
        if mac is None or source is None:
            return
        frame = build(who_has(address, mac=mac, source=source))
        try:
            self._wire.send(_place(link, address), frame)
        except PermissionError:
            self.error = _NO_CAPABILITY
        except OSError:
            # Down or gone, which netlink tells as well: this probe counts as unanswered.
            return

    def _heard(self, interface: str, frame: bytes) -> None:
        address = answer_in(frame, ours=self._ours)
        if address is not None:
            self._answers.heard(ProbeTarget(interface, address))
            if self._observe():
                self._changed()

    def _observe(self) -> bool:
        now = self._answers.answering()
        if now == self.answering:
            return False
        self.answering = now
        return True


def source_for(address: Address, link: Link) -> Address | None:
    """Our address from which to ask on that interface: in the same subnet, else for IPv6 the link-local.

    None where there is none, and for an address that is our own: asking for it would announce it.
    """
    own = [one for one in link.addresses if one.version == address.version]
    if any(one.ip == address for one in own):
        return None
    beside = (one.ip for one in own if address in one.network)
    link_local = (one.ip for one in own if isinstance(one.ip, IPv6Address) and one.ip.is_link_local)
    return next(beside, None) or next(link_local, None)


def answer_in(frame: bytes, *, ours: Collection[bytes]) -> Address | None:
    """Whose answer a frame is: one that an address's holder sent itself, from a MAC that is not ours.

    A proxy's advertisement (RFC 4389) comes from the proxy's address and says nothing of the holder.
    """
    match parse(frame):
        case Arp(operation=Operation.REPLY) as arp:
            from_other = _is_of_other(arp.source, ours) and _is_of_other(arp.sender_mac, ours)
            return arp.sender if from_other else None
        case Advertisement(solicited=True) as found if found.sender == found.target:
            return found.target if _is_of_other(found.source, ours) else None
    return None


def _is_of_other(mac: bytes, ours: Collection[bytes]) -> bool:
    is_group = bool(mac[0] & 1)
    return mac not in ours and any(mac) and not is_group


def _place(link: Link, address: Address) -> Place:
    return Place(link.name, link.index, Family.of(address))
