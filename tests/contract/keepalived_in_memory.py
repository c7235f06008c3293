"""A keepalived that holds state and no socket: what it is told to run, and the addresses on its one NIC."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from ipaddress import ip_interface

from openelb_bgp.model.addresses import Interface
from openelb_bgp.vip.diff import Spot, spots_of
from openelb_bgp.vip.port import ConfigRefused, KeeperUnavailable, Life

ELECTION = 0.6
"""Seconds until an instance that hears nobody is master."""


class MemoryKeeper:
    """`edits` counts what it was told. `refuses` are texts with which it takes no configuration.

    `gone` is why it cannot be had, empty where it can.
    """

    def __init__(self, *own: str) -> None:
        self.own = tuple(ip_interface(text) for text in own)
        self.spots: set[Spot] = set()
        self.edits = 0
        self.refuses: set[str] = set()
        self.gone = ""
        self.life = Life(version="2.2.7")
        self.changed: Callable[[], None] = lambda: None
        self._config = ""
        self._told: Callable[[str], None] = lambda line: None

    @property
    def addresses(self) -> tuple[Interface, ...]:
        """Of the NIC, as the kernel lists them."""
        single = (ip_interface(f"{one.address}/{one.address.max_prefixlen}") for one in sorted(self.spots))
        return (*self.own, *single)

    @property
    def fifo(self) -> str:
        return "/run/notify"

    async def connect(self) -> Life:
        if self.gone:
            raise KeeperUnavailable(self.gone)
        return self.life

    def config(self) -> str:
        return self._config

    async def load(self, config: str) -> None:
        await self.connect()
        if any(text in config for text in self.refuses):
            raise ConfigRefused("(keepalived.conf: Line 23) no such thing")
        self.edits += 1
        gone = spots_of(self._config) - spots_of(config)
        new = not self._config
        self._config = config
        self.spots -= gone
        self.life = Life(version="2.2.7", pid=7 if config else None, ready=bool(config))
        if new:
            asyncio.get_running_loop().call_later(ELECTION, self._become_master)
        else:
            self._become_master()
        self.changed()

    def _become_master(self) -> None:
        self.spots |= spots_of(self._config)
        self._told('INSTANCE "v4_51_eth0" MASTER 254')
        self.changed()

    async def remove(self, spot: str) -> None:
        self.edits += 1
        self.spots = {one for one in self.spots if str(one) != spot}
        self.changed()

    async def report(self) -> bytes:
        await self.connect()
        return b"[]"

    def take_by_hand(self, spot: Spot) -> None:
        """An operator's `ip address delete`: it gives up the bucket, and is back after an election."""
        self.spots.discard(spot)
        asyncio.get_running_loop().call_later(ELECTION, self._become_master)
        self.changed()

    def put_by_hand(self, spot: Spot) -> None:
        """An operator's `ip address add`."""
        self.spots.add(spot)
        self.changed()

    @contextlib.contextmanager
    def listening(self, told: Callable[[str], None]) -> Iterator[Callable[[], None]]:
        self._told = told
        yield lambda: None
