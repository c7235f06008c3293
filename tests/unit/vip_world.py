"""A LAN to plan vip mode for: nodes n1, n2, …, one pool, and words to change them."""

from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_interface
from typing import Any

import msgspec

from openelb_bgp.model.addresses import Family
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.facts import Facts, Link
from openelb_bgp.model.forwarding import Forwarding
from openelb_bgp.model.meta import Key, Kind
from openelb_bgp.model.pools import Eip, Protocol, VipSettings
from openelb_bgp.model.services import EndpointSlice, Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.vip.claims import Reader
from openelb_bgp.vip.model import Bucket
from openelb_bgp.vip.plan import VipPlan, plan
from tests.unit.plan_world import NOW, endpoint, node, pool, service, slices


def vip_pool(name: str = "pool", ranges: str = "10.0.0.0/24,fd00::/64", **changes: Any) -> Eip:
    """A pool with VRIDs 51 to 58, on eth0."""
    vip = VipSettings(
        virtual_router_ids=tuple(changes.pop("vrids", range(51, 59))),
        advert_interval_ms=changes.pop("advert_ms", 200),
        unicast=changes.pop("unicast", False),
    )
    interfaces = tuple(changes.pop("interfaces", ("eth0",)))
    return pool(name, ranges, protocol=Protocol.VIP, interfaces=interfaces, vip=vip, **changes)


def nodes(count: int) -> list[Node]:
    """n1, n2, … in the order in which they joined."""
    made = []
    for number in range(1, count + 1):
        one = node(f"n{number}", number)
        made.append(
            msgspec.structs.replace(one, meta=msgspec.structs.replace(one.meta, created=float(number)))
        )
    return made


def nic(number: int = 1, *, name: str = "eth0", tentative: bool = False) -> Link:
    """A node's NIC; its link-local address is not listed while it is tentative."""
    texts = [f"10.0.0.{number}/24", f"fd00::{number}/64"]
    if not tentative:
        texts.append(f"fe80::{number}/64")
    return Link(name=name, index=2, up=True, addresses=tuple(map(ip_interface, texts)))


def snapshot(
    services: Iterable[Service],
    backends: Mapping[str, Sequence[EndpointSlice]],
    *,
    of: Sequence[Node],
    pools: Sequence[Eip],
) -> Snapshot:
    """Everything listed."""
    return Snapshot(
        revision=1,
        eips={one.name: one for one in pools},
        nodes={one.name: one for one in of},
        services={one.key: one for one in services},
        slices={Key("shop", name): tuple(found) for name, found in backends.items()},
        listed=frozenset(Kind),
    )


def lan(
    *addresses: str,
    of: Sequence[Node] | None = None,
    pools: Sequence[Eip] | None = None,
    local: Mapping[str, Sequence[str]] | None = None,
) -> Snapshot:
    """A Service for each address, with an endpoint on every node; `local` ones, on the nodes named."""
    members = nodes(3) if of is None else of
    listed = [vip_pool()] if pools is None else pools
    made, backends = [], {}
    for text in addresses:
        where = (local or {}).get(text)
        name = f"s-{text.replace('.', '-').replace(':', '-')}"
        holder = next((one.name for one in listed if service(name, text).addresses[0] in one), "pool")
        made.append(service(name, text, local=where is not None, pool=holder))
        on = [one.name for one in members] if where is None else where
        backends[name] = slices(name, *(endpoint(one) for one in on))
    return snapshot(made, backends, of=members, pools=listed)


def planned(world: Snapshot, name: str = "n1", *links: Link, forwarding: Forwarding | None = None) -> VipPlan:
    """What that node shall run."""
    facts = Facts(
        node=name,
        now=NOW,
        links=links or (nic(int(name.removeprefix("n"))),),
        forwarding=forwarding or Forwarding(),
    )
    return plan(world, facts, Reader())


def buckets(world: Snapshot) -> tuple[Bucket, ...]:
    """As every node sees them."""
    return planned(world).buckets.buckets


def spread(made: Iterable[Bucket], names: Iterable[str]) -> dict[str, int]:
    """How many buckets each node leads."""
    counted = dict.fromkeys(names, 0)
    for one in made:
        counted[one.nodes[0]] += 1
    return counted


def many(count: int, *, family: Family = Family.IPV4) -> list[str]:
    """So many addresses of the pool."""
    return [f"10.0.0.{100 + n}" if family is Family.IPV4 else f"fd00::1:{n:x}" for n in range(count)]
