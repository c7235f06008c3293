"""What people see of vip mode as a whole: every address, what serves it, and who is master.

Pure. The plan says who should be, the Speakers who is.
"""

import msgspec

from openelb_bgp.eligibility import Eligibility
from openelb_bgp.model.addresses import Address, parse_address
from openelb_bgp.model.snapshot import Snapshot

from .buckets import plan_buckets
from .claims import Reader
from .masters import reporting


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One address. `master` names more than one node for a split brain; `priorities` are by rank.

    `why` says why nobody serves it, empty where somebody shall.
    """

    address: str
    services: tuple[str, ...]
    pool: str
    vrid: int = 0
    interface: str = ""
    master: tuple[str, ...] = ()
    priorities: dict[str, int] = {}
    why: str = ""


def rows(snapshot: Snapshot, *, ignore_exclude_label: bool = False) -> list[Row]:
    """Every address of the vip pools, sorted."""
    eligibility = Eligibility.of(snapshot, ignore_exclude_label=ignore_exclude_label)
    plan = plan_buckets(snapshot, eligibility, Reader())
    masters: dict[Address, list[str]] = {}
    for name, text in reporting(snapshot):
        masters.setdefault(parse_address(text), []).append(name)
    buckets = {address: one for one in plan.buckets for address in one.addresses}
    found = []
    for address in sorted(plan.claims, key=lambda one: (one.version, int(one))):
        claim, bucket, refused = plan.claims[address], buckets.get(address), plan.refused.get(address)
        nodes = () if bucket is None else (*bucket.nodes, *bucket.last_resort)
        found.append(
            Row(
                address=str(address),
                services=tuple(str(one.key) for one in claim.services),
                pool=claim.pool.name,
                vrid=0 if bucket is None else bucket.vrid,
                interface=",".join(claim.pool.interfaces) or "auto",
                master=tuple(masters.get(address, ())),
                priorities={} if bucket is None else {node: bucket.priority(node) for node in nodes},
                why=_why(refused.message if refused else "", nodes),
            )
        )
    return found


def _why(refused: str, nodes: tuple[str, ...]) -> str:
    if refused or nodes:
        return refused
    return "no node may hold it now; see the Service's condition Announced"
