"""What OpenELB 0.4 and 0.5 leave in a cluster, and ours do not replace because it has other names: told of.

Nothing is removed here: what runs may be what carries the traffic, and when it goes is the operator's to say.
OpenELB 0.6 has our names; what is applied takes its place.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec
import structlog

from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.reasons import Reason
from openelb_bgp.ports import Clock, Event

from .client import Client
from .errors import KubeError, NotFound
from .resources import DAEMON_SETS, DEPLOYMENTS, MUTATING_WEBHOOKS, Resource

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 600.0
_RETRY_SECONDS = 30.0

Tell = Callable[[Sequence[Event]], Awaitable[None]]
"""Has Events sent. Raises openelb_bgp.ports.NotWritten."""


class Leftover(msgspec.Struct, frozen=True):
    """An object of OpenELB's that has to go, and what it does as long as it stays."""

    resource: Resource
    name: str
    harm: str

    def command(self, namespace: str) -> str:
        """What removes it, for a shell."""
        where = f"-n {namespace} " if self.resource.namespaced else ""
        return f"kubectl {where}delete {self.resource.kind.lower()} {self.name}"

    def event(self, namespace: str) -> Event:
        """The Event that tells of it, on our namespace: the object itself is none that we know."""
        return Event(
            ref=ref(Kind.NAMESPACE, namespace),
            reason=Reason.LEFT_BY_OPENELB,
            message=f"{self.resource.kind} {self.name} {self.harm}: {self.command(namespace)}",
            warning=True,
        )


LEFTOVERS = (
    Leftover(
        MUTATING_WEBHOOKS,
        "openelb-admission",
        "of OpenELB 0.4 or 0.5 asks its server about every Service, and refuses all of them without it",
    ),
    Leftover(
        DEPLOYMENTS,
        "openelb-manager",
        "of OpenELB 0.4 or 0.5 gives addresses and announces them beside us",
    ),
    Leftover(
        DAEMON_SETS,
        "openelb-keepalive-vip",
        "of OpenELB 0.5 holds the addresses of its vip pools beside us",
    ),
)
"""In the order in which they are to go: without its server, the webhook would refuse every Service."""


async def find_leftovers(client: Client, namespace: str) -> tuple[Leftover, ...]:
    """Those that are there, in the order in which they are to go. Raises KubeError."""
    return tuple([one for one in LEFTOVERS if await _is_there(client, one, namespace)])


async def tell_of_leftovers(client: Client, tell: Tell, clock: Clock, *, namespace: str) -> None:
    """Look now and every ten minutes, for ever; each that is found costs an Event and a line in the log."""
    while True:
        try:
            found = await find_leftovers(client, namespace)
        except KubeError as error:
            log.warning("leftovers_not_looked_for", error=str(error))
            await clock.sleep(_RETRY_SECONDS)
            continue
        _log(found, namespace)
        await tell([one.event(namespace) for one in found])
        await clock.sleep(_LOOK_SECONDS)


async def _is_there(client: Client, leftover: Leftover, namespace: str) -> bool:
    try:
        await client.get(leftover.resource, leftover.name, namespace=namespace)
    except NotFound:
        return False
    return True


def _log(found: Iterable[Leftover], namespace: str) -> None:
    for one in found:
        what = f"{one.resource.kind} {one.name}"
        log.warning("left_by_openelb", object=what, harm=one.harm, remedy=one.command(namespace))
