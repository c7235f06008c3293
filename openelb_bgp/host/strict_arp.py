"""Whether this node answers ARP for addresses that kube-proxy in IPVS mode keeps on an interface of its own.

There every address of every Service lies on kube-ipvs0, and Linux answers for addresses on any interface
unless it is told not to: `strictARP: true` in kube-proxy's configuration sets both sysctls.
"""

from collections.abc import Iterable
from pathlib import Path

from openelb_bgp.model.facts import Link

_INTERFACE = "kube-ipvs0"
SYSCTLS = Path("/proc/sys/net/ipv4/conf")
_NEEDED = {"arp_ignore": 1, "arp_announce": 2}


def answers_for_services(links: Iterable[Link], sysctls: Path = SYSCTLS) -> str:
    """The sysctls that let it, with their values; empty where it does not."""
    if not any(link.name == _INTERFACE for link in links):
        return ""
    found = {name: _value(sysctls, name) for name in _NEEDED}
    lax = [f"net.ipv4.conf.all.{name}={value}" for name, value in found.items() if value < _NEEDED[name]]
    return ", ".join(lax)


def _value(sysctls: Path, name: str) -> int:
    """The larger of what is set for all and what for the interface (Linux, ip-sysctl.rst)."""
    return max(_read(sysctls / where / name) for where in ("all", _INTERFACE))


def _read(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0
