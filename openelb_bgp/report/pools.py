"""An Eip's status: how full it is, and who announces it. A report: editing it does nothing."""

from collections.abc import Sequence

import msgspec

from openelb_bgp.lib.words import some
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.statuses import EipStatus

from .conditions import valid_and_ready
from .inputs import PoolUse
from .reach import Reach
from .words import counted


def eip_status(
    pool: Eip,
    use: PoolUse | None,
    reach: Reach,
    *,
    defects: Sequence[Defect],
    previous: EipStatus | None,
    now: str,
) -> EipStatus:
    """How the pool's status shall read; `use` None: allocation has not looked at it, its numbers stay."""
    before = EipStatus() if previous is None else previous
    conditions = valid_and_ready(
        before.conditions,
        defects=defects,
        refused=reach.refused,
        reason=Reason.ANNOUNCED,
        message=f"announced by {some(reach.nodes)}",
        now=now,
        generation=pool.meta.generation,
    )
    status = msgspec.structs.replace(
        before, ready=reach.configured, announced_by=counted(reach.nodes), conditions=conditions
    )
    if use is None:
        return status
    return msgspec.structs.replace(
        status,
        occupied=use.occupied,
        usage=use.usage,
        pool_size=use.pool_size,
        used=dict(use.used),
        first_ip=use.first_ip,
        last_ip=use.last_ip,
        v4=use.v4,
    )
