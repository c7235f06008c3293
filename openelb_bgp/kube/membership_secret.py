"""Keeps the keys with which speakers sign their heartbeats: in a Secret, made and renewed by the leader.

A new key is first only accepted, and signed with once every speaker has had the time to read it; so nobody is
taken for dead by its renewal. Speakers that have read nothing go on with what they know.
"""

import base64
import binascii
import contextlib
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime

import msgspec
import structlog

from openelb_bgp.lib.tasks import supervised
from openelb_bgp.model.keys import MEMBERSHIP_KEY, MEMBERSHIP_OTHER_KEY, MEMBERSHIP_SECRET
from openelb_bgp.model.meta import Kind
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.ports import Clock
from openelb_bgp.runtime.loop import Loop, WakeUp

from .answers import Document
from .client import Client
from .errors import AlreadyExists, Conflict
from .following import follow
from .resources import RESOURCES

log = structlog.get_logger(__name__)

SINCE = "openelb.kubesphere.io/signs-since"
ANNOUNCED = "openelb.kubesphere.io/announced-since"

_SECRETS = RESOURCES[Kind.SECRET]
_KEY_BYTES = 32
_SHORTEST = 16
_LASTS = 30 * 24 * 3600.0
_ANNOUNCED_FOR = 3600.0
"""Seconds for which a new key is only accepted: nobody's API server is away for as long and unnoticed."""
_RESYNC_SECONDS = 3600.0


class Keys(msgspec.Struct, frozen=True):
    """`signs` is what is signed with since `since`; None there: somebody else made it, and renews it.

    `other` is the one before, or the next, told since `announced`.
    Times are seconds since the epoch. Never shown.
    """

    signs: bytes
    since: float | None
    other: bytes = b""
    announced: float | None = None

    def __repr__(self) -> str:
        return "Keys(***)"


def need_heartbeats(pools: Iterable[Eip]) -> bool:
    """Whether speakers have to watch each other for any of these pools. Pure."""
    return any(pool.protocol is Protocol.LAYER2 for pool in pools)


def renewed(found: Keys | None, *, now: float, new: Callable[[], bytes]) -> Keys:
    """The keys as they should be now; the same where nothing is due. Pure but for `new`."""
    if found is None:
        return Keys(new(), now)
    if found.announced is not None:
        if now < found.announced + _ANNOUNCED_FOR:
            return found
        return Keys(found.other, now, found.signs)
    if found.since is None or abs(now - found.since) < _LASTS:
        return found
    return Keys(found.signs, found.since, new(), now)


def due(keys: Keys) -> float | None:
    """When something is to be done next, in seconds since the epoch; None for never. Pure."""
    if keys.announced is not None:
        return keys.announced + _ANNOUNCED_FOR
    return None if keys.since is None else keys.since + _LASTS


def from_secret(secret: Document | None) -> Keys | None:
    """What `to_secret` made; None where there is nothing that can be signed with. Pure."""
    data = (secret or {}).get("data") or {}
    annotations = ((secret or {}).get("metadata") or {}).get("annotations") or {}
    try:
        signs, other = (
            base64.b64decode(data.get(field, ""), validate=True)
            for field in (MEMBERSHIP_KEY, MEMBERSHIP_OTHER_KEY)
        )
    except (binascii.Error, ValueError):
        return None
    if len(signs.strip()) < _SHORTEST:
        return None
    announced = _read_time(annotations.get(ANNOUNCED)) if len(other.strip()) >= _SHORTEST else None
    return Keys(signs, _read_time(annotations.get(SINCE)), other, announced)


def to_secret(keys: Keys, *, namespace: str) -> Document:
    """The Secret as it should be. Pure."""
    fields = {MEMBERSHIP_KEY: keys.signs, MEMBERSHIP_OTHER_KEY: keys.other}
    times = {SINCE: keys.since, ANNOUNCED: keys.announced}
    return {
        "apiVersion": _SECRETS.api_version,
        "kind": _SECRETS.kind,
        "metadata": {
            "name": MEMBERSHIP_SECRET,
            "namespace": namespace,
            "labels": {"app": "openelb", "component": "speaker"},
            "annotations": {name: _time(at) for name, at in times.items() if at is not None},
        },
        "type": "Opaque",
        "data": {name: base64.b64encode(value).decode() for name, value in fields.items() if value},
    }


class MembershipSecret:
    """The Secret's keeper, for as long as this process leads."""

    def __init__(
        self, client: Client, snapshot: Callable[[], Snapshot], clock: Clock, *, namespace: str
    ) -> None:
        self._client = client
        self._snapshot = snapshot
        self._clock = clock
        self._namespace = namespace
        self._wake = WakeUp()
        self._secret: Document | None = None
        self._heard = False

    def wake(self) -> None:
        """Something has changed: look again."""
        self._wake.set()

    async def lead(self, writer: Client) -> None:
        """Make and renew until cancelled; `writer` is the leader's client."""
        self._heard = False

        async def cycle() -> float | None:
            return await self._cycle(writer)

        loop = Loop("membership-secret", cycle, wake=self._wake, clock=self._clock, resync=_RESYNC_SECONDS)
        await supervised({"membership-secret-watch": self._follow, "membership-secret-loop": loop.run})

    async def _follow(self) -> None:
        follows = follow(
            self._client, _SECRETS, MEMBERSHIP_SECRET, namespace=self._namespace, clock=self._clock
        )
        async with aclosing(follows):
            async for self._secret in follows:
                self._heard = True
                self._wake.set()

    async def _cycle(self, writer: Client) -> float | None:
        if not self._heard or not need_heartbeats(self._snapshot().eips.values()):
            return None
        now = self._clock.wall()
        found = from_secret(self._secret)
        wanted = renewed(found, now=now, new=lambda: base64.b64encode(secrets.token_bytes(_KEY_BYTES)))
        if wanted != found:
            # The watch brings what is there then.
            await self._write(writer, wanted)
            return None
        at = due(wanted)
        return None if at is None else self._clock.monotonic() + max(0.0, at - now)

    async def _write(self, writer: Client, keys: Keys) -> None:
        document = to_secret(keys, namespace=self._namespace)
        with contextlib.suppress(AlreadyExists, Conflict):
            if self._secret is None:
                await writer.create(_SECRETS, document, namespace=self._namespace)
            else:
                metadata: Mapping[str, str] = self._secret["metadata"]
                document["metadata"]["resourceVersion"] = metadata["resourceVersion"]
                document["type"] = self._secret.get("type", document["type"])
                await writer.replace(_SECRETS, MEMBERSHIP_SECRET, document, namespace=self._namespace)
            log.info("membership_keys_written", secret=MEMBERSHIP_SECRET)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _read_time(text: str | None) -> float | None:
    try:
        return None if text is None else datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None
