"""What keepalived says of its instances (`keepalived.json`, its signal SIGJSON), and what follows from it.

Pure.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.statuses import Problem

from .model import Instance


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Of one instance, since keepalived started. `strangers` counts advertisements of other addresses."""

    sent: int = 0
    received: int = 0
    strangers: int = 0


class _Data(msgspec.Struct, frozen=True):
    iname: str = ""


class _Stats(msgspec.Struct, frozen=True):
    advert_rcvd: int = 0
    advert_sent: int = 0
    addr_list_err: int = 0


class _Entry(msgspec.Struct, frozen=True):
    data: _Data = _Data()
    stats: _Stats = _Stats()


def parse(report: bytes) -> dict[str, Figures]:
    """The figures by instance. Raises ValueError for what is no report, or only half of one."""
    entries = msgspec.json.decode(report, type=list[_Entry])
    return {
        one.data.iname: Figures(
            sent=one.stats.advert_sent,
            received=one.stats.advert_rcvd,
            strangers=one.stats.addr_list_err,
        )
        for one in entries
    }


def strangers(
    instances: Iterable[Instance], before: Mapping[str, Figures], now: Mapping[str, Figures]
) -> Iterator[Problem]:
    """The virtual routers that somebody else on the LAN uses too: other addresses came under their VRID."""
    for one in instances:
        then, figures = before.get(one.name), now.get(one.name)
        if then is not None and figures is not None and figures.strangers > then.strangers:
            yield Problem.of(
                ref(Kind.EIP, one.pool),
                Reason.VRID_IN_USE,
                f"somebody else on {one.interface} uses VRID {one.vrid} for IPv{one.version}, a cluster "
                "or a router: name free ones in spec.vip.virtualRouterIds; until then both go on beside each "
                "other with keepalived 2.2, and only one of them with 2.3",
            )
