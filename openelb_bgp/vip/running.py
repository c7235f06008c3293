"""What keepalived runs: the instances of a configuration of ours, read back.

Pure. keepalived outlives the speaker, and its configuration is all that a new speaker finds of what the one
before had decided. What cannot be read back is left out: it was not written by us.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_interface

from openelb_bgp.model.addresses import Address

from .model import Instance

_INSTANCE = re.compile(r"^vrrp_instance \S+ \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_BLOCK = re.compile(r"^    (\w+) \{\n(.*?)^    \}", re.MULTILINE | re.DOTALL)
_SETTING = re.compile(r"^    (\w+|# Eip) (\S+)$", re.MULTILINE)


@lru_cache(maxsize=4)
def instances_of(config: str) -> tuple[Instance, ...]:
    """The instances, in their order; nothing is said of which of their addresses come or go."""
    return tuple(_read(config))


def _read(config: str) -> Iterator[Instance]:
    for text in _INSTANCE.findall(config):
        settings = dict(_SETTING.findall(text))
        blocks = {name: inside.splitlines() for name, inside in _BLOCK.findall(text)}
        try:
            (carrier,) = _addresses(blocks["virtual_ipaddress"])
            yield Instance(
                interface=settings["interface"],
                version=carrier.version,
                vrid=int(settings["virtual_router_id"]),
                pool=settings.get("# Eip", ""),
                priority=int(settings["priority"]),
                advert_ms=round(1000 * float(settings["advert_int"])),
                source=settings.get("unicast_src_ip") or settings["mcast_src_ip"],
                carrier=str(carrier),
                addresses=_addresses(blocks["virtual_ipaddress_excluded"]),
                peers=tuple(line.strip() for line in blocks.get("unicast_peer", ())),
                preempt_seconds=int(settings.get("preempt_delay", 0)),
            )
        except (KeyError, ValueError):
            continue


def _addresses(lines: list[str]) -> tuple[Address, ...]:
    return tuple(ip_interface(line.split()[0]).ip for line in lines)
