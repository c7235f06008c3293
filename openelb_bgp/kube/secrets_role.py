"""Which Secrets speakers may read: those that BgpPeers name, heartbeats' keys, and never the webhook's.

The Role's rules are the leading controller's to write; its binding stands in the manifests.
"""

from collections.abc import Callable, Iterable

import structlog

from openelb_bgp.model.keys import MEMBERSHIP_SECRET
from openelb_bgp.model.meta import Kind
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.routing import BgpPeer
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.ports import Clock
from openelb_bgp.runtime.loop import Loop, WakeUp

from .answers import Document
from .client import Client
from .membership_secret import need_heartbeats
from .resources import ROLES
from .trust import SECRET as WEBHOOK_SECRET

log = structlog.get_logger(__name__)

ROLE = "openelb-speaker-secrets"

# Somebody may have edited the Role.
_RESYNC_SECONDS = 3600.0


def readable_secrets(peers: Iterable[BgpPeer], pools: Iterable[Eip] = ()) -> tuple[str, ...]:
    """The names of the Secrets that speakers need, sorted. Pure."""
    named = {peer.auth_password_ref.name for peer in peers if peer.auth_password_ref is not None}
    if need_heartbeats(pools):
        named.add(MEMBERSHIP_SECRET)
    return tuple(sorted(named - {WEBHOOK_SECRET}))


def rules_for(names: Iterable[str]) -> list[Document]:
    """The Role's rules, none without names: one without `resourceNames` would mean every Secret. Pure."""
    listed = list(names)
    if not listed:
        return []
    # Of one name, which both allow where a field selector asks for it.
    verbs = ["list", "watch"]
    return [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": listed, "verbs": verbs}]


class SecretsRole:
    """Keeps the Role's rules equal to what speakers need, for as long as this process leads."""

    def __init__(self, snapshot: Callable[[], Snapshot], clock: Clock, *, namespace: str) -> None:
        self._snapshot = snapshot
        self._clock = clock
        self._namespace = namespace
        self._wake = WakeUp()

    def wake(self) -> None:
        """Something has changed: look again."""
        self._wake.set()

    async def lead(self, writer: Client) -> None:
        """Write until cancelled; `writer` is the leader's client."""
        seen: object = None
        compared_at = -_RESYNC_SECONDS

        async def cycle() -> float | None:
            nonlocal seen, compared_at
            snapshot, now = self._snapshot(), self._clock.monotonic()
            wanted = readable_secrets(snapshot.bgp_peers.values(), snapshot.eips.values())
            is_due = wanted != seen or now >= compared_at + _RESYNC_SECONDS
            if snapshot.has_listed(Kind.BGP_PEER, Kind.EIP) and is_due:
                await self._write(writer, wanted)
                seen, compared_at = wanted, now
            return None

        loop = Loop("secrets-role", cycle, wake=self._wake, clock=self._clock, resync=_RESYNC_SECONDS)
        await loop.run()

    async def _write(self, writer: Client, names: tuple[str, ...]) -> None:
        found = await writer.get(ROLES, ROLE, namespace=self._namespace)
        wanted = rules_for(names)
        if (found.get("rules") or []) == wanted:
            return
        body = {
            "apiVersion": ROLES.api_version,
            "kind": ROLES.kind,
            "metadata": {"name": ROLE, "namespace": self._namespace},
            "rules": wanted,
        }
        await writer.apply(ROLES, ROLE, body, namespace=self._namespace)
        log.info("speakers_may_read", secrets=names)
