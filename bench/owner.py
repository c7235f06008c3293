"""`python -m bench.owner COUNT STEP`: a process that owns addresses and answers for them, nothing else.

Of COUNT addresses of each family, from `FIRST` on, it owns every STEPth. A line to its standard input is
answered by one of JSON: what it has counted, and what owning them cost.
"""

import asyncio
import json
import sys
import time
from ipaddress import IPv4Address, IPv6Address

from openelb_bgp.host.netlink import read_host
from openelb_bgp.layer2.owned import Handled, Ownership, Spot
from openelb_bgp.layer2.responder import Responder
from openelb_bgp.model.addresses import Address
from openelb_bgp.runtime.clock import SystemClock

FIRST: tuple[Address, ...] = (IPv4Address("10.31.64.0"), IPv6Address("fd00:31::1:0:0"))
INTERFACE = "eth1"


def pool(count: int, *, family: int) -> list[Address]:
    """The addresses; `family` is 4 or 6."""
    first = next(one for one in FIRST if one.version == family)
    return [first + number for number in range(count)]


async def own(count: int, step: int, families: tuple[int, ...]) -> None:
    """Own them until the standard input ends."""
    responder = Responder(clock=SystemClock(), conflict=lambda _: None, changed=lambda: None)
    host = await read_host()
    responder.see(host.links, host.gateways)
    spots = {
        Spot(address, INTERFACE): Ownership()
        for family in families
        for address in (pool(count, family=family)[::step] if step else ())
    }
    start = time.process_time()
    responder.own(spots)
    spent = time.process_time() - start
    while await asyncio.to_thread(sys.stdin.readline):
        counts = responder.counts()
        answered = sum(count for (_, what), count in counts.items() if what is Handled.ANSWERED)
        announced = responder.announced.total()
        said = {"answered": answered, "all": sum(counts.values()), "announced": announced, "spent": spent}
        print(json.dumps({**said, "problems": dict(responder.problems)}), flush=True)


if __name__ == "__main__":
    asyncio.run(own(int(sys.argv[1]), int(sys.argv[2]), tuple(int(one) for one in sys.argv[3:])))
