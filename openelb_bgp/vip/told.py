"""What is said of a keepalived that does not do what it should, with the remedy.

Pure.
"""

from collections.abc import Iterator, Mapping

import msgspec

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import ObjectRef
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.statuses import PoolStatus, Problem

from .port import Life

KEEPALIVED = "keepalived"
"""The object of problems that are keepalived's as a whole."""


def pool_status(pool: PoolStatus, *, broken: bool) -> PoolStatus:
    """A pool's status as the plan has it; with a keepalived that is broken no pool is ready."""
    if not pool.ready or not broken:
        return pool
    return msgspec.structs.replace(pool, ready=False, reason=Reason.SIDECAR_DOWN)


def troubles(life: Life | None, *, error: str, refused: str) -> Iterator[Problem]:
    """The problems of keepalived: it cannot be had (`error`), does not come up, or takes nothing new."""
    if error:
        yield Problem(object=KEEPALIVED, reason=Reason.SIDECAR_DOWN, message=error)
    elif life is not None and life.crash_loop:
        words = "; ".join(life.words[-3:]) or "without a word"
        yield Problem(
            object=KEEPALIVED,
            reason=Reason.SIDECAR_DOWN,
            message=f"keepalived does not come up: {words}; it is tried again, up to every 10 s",
        )
    if refused:
        yield Problem(
            object=KEEPALIVED,
            reason=Reason.REFUSED_BY_KEEPALIVED,
            message=f"keepalived refuses its configuration: {refused}; the one before stays in effect, "
            "and this one is tried again every 30 s",
        )


def blocked(
    words: Mapping[Address, str], services: Mapping[Address, tuple[ObjectRef, ...]]
) -> dict[ObjectRef, Refused]:
    """The Services of addresses that keepalived refuses, with its words for each."""
    return {
        service: Refused(
            Reason.REFUSED_BY_KEEPALIVED,
            f"{address}: keepalived refuses it: {said}; give the Service another address",
        )
        for address, said in words.items()
        for service in services.get(address, ())
    }
