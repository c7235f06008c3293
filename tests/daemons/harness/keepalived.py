"""keepalived under its sidecar in a node, configured by hand: what the announcer does, without it."""

import sys
import tempfile
from collections.abc import Sequence
from ipaddress import ip_interface
from pathlib import Path

from openelb_bgp.model.addresses import Interface
from openelb_bgp.sidecar import addresses, client
from openelb_bgp.sidecar.client import Command, Dump
from openelb_bgp.sidecar.kinds import KEEPALIVED
from tests.daemons.harness.inside import call_inside
from tests.daemons.harness.netns import Namespace
from tests.daemons.harness.processes import Daemon

INTERVAL = 0.2


def config(
    space: Namespace, priority: int, addresses: Sequence[str], *, vrid: int = 51, interface: str = "eth0"
) -> str:
    """One IPv4 instance as an expert would write it."""
    excluded = "".join(f"        {one}/32 dev {interface}\n" for one in addresses)
    return f"""\
global_defs {{
    vrrp_version 3
    vrrp_garp_interval 0.001
    vrrp_priority -20
}}
vrrp_instance by_hand_{vrid} {{
    state BACKUP
    interface {interface}
    virtual_router_id {vrid}
    priority {priority}
    advert_int {INTERVAL}
    preempt_delay 30
    mcast_src_ip {space.v4}
    virtual_ipaddress {{
        169.254.{vrid}.1/32 dev {interface} scope link
    }}
    virtual_ipaddress_excluded {{
{excluded}    }}
}}
"""


def on_nic(space: Namespace, interface: str = "eth0") -> set[Interface]:
    """Every address of an interface. Asked hundreds of times, so no process is started for it."""
    found = call_inside(space, addresses.held)
    return {ip_interface(f"{one.address}/{one.length}") for one in found if one.interface == interface}


def addresses_of(space: Namespace, interface: str = "eth0") -> set[str]:
    """The addresses without a subnet on an interface, carriers left out."""
    return {
        str(one.ip)
        for one in on_nic(space, interface)
        if one.network.prefixlen == one.max_prefixlen and not one.ip.is_link_local
    }


class Keepalived:
    """A sidecar in the foreground, as in a container, or detached, as beside `run`."""

    def __init__(self, space: Namespace, folder: Path, *arguments: str, wrapper: Sequence[str] = ()) -> None:
        self.space = space
        # Not below the test's own folder, whose long name would not fit into a socket's.
        self.directory = Path(tempfile.mkdtemp(prefix="oelb-"))
        self.folder = self.directory / KEEPALIVED.name
        argv = (*wrapper, sys.executable, "-P", "-m", "openelb_bgp.sidecar", "keepalived")
        argv = (*argv, "--dir", str(self.directory), *arguments)
        self.sidecar = Daemon(space.argv(*argv), log=folder / f"{space.name}-keepalived.log")

    async def order(self, command: Command, address: str = "") -> Dump:
        """Give the sidecar an order."""
        return await client.control(self.directory, command, kind=KEEPALIVED, address=address)

    async def is_there(self) -> bool:
        """Whether the sidecar answers."""
        try:
            return bool(await self.order(Command.DUMP))
        except client.SidecarError:
            return False

    async def configure(self, text: str) -> Dump:
        """Have it take a configuration. Raises OrderRefused."""
        (self.folder / "keepalived.conf.new").write_text(text)
        return await self.order(Command.RELOAD)

    @property
    def addresses(self) -> set[str]:
        """What it has set, or left, on eth0."""
        return addresses_of(self.space)

    @property
    def vrrp_pid(self) -> int:
        """Of the process that speaks VRRP; 0 while there is none."""
        try:
            return int((self.folder / "vrrp.pid").read_text())
        except (OSError, ValueError):
            return 0

    @property
    def rights(self) -> str:
        """The capabilities of that process, as the kernel prints them (capabilities(7))."""
        status = Path(f"/proc/{self.vrrp_pid}/status").read_text()
        return next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
