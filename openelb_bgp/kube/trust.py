"""Keeps the webhook's certificates: in a Secret, from which every replica serves, and in its configuration.

Whoever comes first makes them. The leading controller renews them, and writes our CA into the caBundle of
each webhook of ours, and into nothing else there. Between the two the API server may for a moment not believe
the webhook, and then stores a change unasked.
"""

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import structlog

from openelb_bgp.model.meta import Kind
from openelb_bgp.ports import Clock
from openelb_bgp.runtime.loop import Loop, WakeUp

from .answers import Document
from .certs import Certificates, Unreadable, from_folder, from_secret, made, renewed, to_secret
from .client import Client
from .errors import AlreadyExists, Conflict
from .following import follow
from .resources import RESOURCES, VALIDATING_WEBHOOKS

log = structlog.get_logger(__name__)

SECRET = "openelb-webhook"
CONFIGURATION = "openelb-admission"

_SECRETS = RESOURCES[Kind.SECRET]
_RESYNC_SECONDS = 3600.0
_FOLDER_SECONDS = 60.0


def missing_bundles(configuration: Mapping[str, Any], bundle: str) -> list[Document]:
    """The JSON patch (RFC 6902) that gives every webhook this caBundle, empty where each has it. Pure.

    It fails where the webhooks are no longer in this order.
    """
    patch: list[Document] = []
    for index, webhook in enumerate(configuration.get("webhooks") or []):
        path = f"/webhooks/{index}"
        if webhook.get("clientConfig", {}).get("caBundle") != bundle:
            patch.append({"op": "test", "path": f"{path}/name", "value": webhook.get("name")})
            patch.append({"op": "add", "path": f"{path}/clientConfig/caBundle", "value": bundle})
    return patch


class Trust:
    """The certificates' keeper. `names` are those that the API server calls us by."""

    def __init__(
        self,
        client: Client,
        clock: Clock,
        *,
        namespace: str,
        names: Sequence[str],
        use: Callable[[Certificates], None],
        folder: Path | None = None,
    ) -> None:
        """`use` gets the certificates that are to be served with, each time that they change.

        With `folder` they are those in there, and whoever put them there renews them.
        """
        self._client = client
        self._clock = clock
        self._namespace = namespace
        self._names = tuple(names)
        self._use = use
        self._folder = folder
        self._writer: Client | None = None
        self._wake = WakeUp()
        resync = _RESYNC_SECONDS if folder is None else _FOLDER_SECONDS
        self._loop = Loop("webhook", self._cycle, wake=self._wake, clock=clock, resync=resync)
        # Not heard yet; None is: there is none.
        self._secret: Document | _Unheard | None = _UNHEARD
        self._configuration: Document | _Unheard | None = _UNHEARD

    def tasks(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """What runs in every replica, for as long as it does."""
        secret = {} if self._folder else {"webhook-secret": self._follow_secret}
        return {
            **secret,
            "webhook-configuration": self._follow_configuration,
            "webhook-trust": self._loop.run,
        }

    async def lead(self, writer: Client) -> None:
        """Renew, and tell the API server whom to trust, until cancelled; `writer` is the leader's client."""
        self._writer = writer
        self._wake.set()
        try:
            await asyncio.Event().wait()
        finally:
            self._writer = None

    async def _follow_secret(self) -> None:
        follows = follow(self._client, _SECRETS, SECRET, namespace=self._namespace, clock=self._clock)
        async with aclosing(follows):
            async for self._secret in follows:
                self._wake.set()

    async def _follow_configuration(self) -> None:
        follows = follow(self._client, VALIDATING_WEBHOOKS, CONFIGURATION, clock=self._clock)
        async with aclosing(follows):
            async for self._configuration in follows:
                self._wake.set()

    async def _cycle(self) -> float | None:
        if self._folder is not None:
            certificates: Certificates | None = await asyncio.to_thread(from_folder, self._folder)
        elif isinstance(self._secret, _Unheard):
            return None
        else:
            certificates = await self._certificates(self._secret)
        if certificates is None:
            # Written; the watch brings what is now there.
            return None
        self._use(certificates)
        if self._writer is not None:
            await self._inject(self._writer, certificates)
        left = 0.0 if self._folder else certificates.renew_at - self._clock.wall()
        return self._clock.monotonic() + left if left > 0 else None

    async def _certificates(self, secret: Document | None) -> Certificates | None:
        """Those in the Secret, where they will do; else they are written anew, if that is ours to do."""
        now = self._clock.wall()
        if secret is None:
            await self._create(made(self._names, now=now))
            return None
        try:
            found = from_secret(secret.get("data"))
            wanted = renewed(found, self._names, now=now)
        except Unreadable as error:
            log.warning("webhook_certificate_unreadable", secret=SECRET, error=str(error))
            await self._replace(self._client, secret, made(self._names, now=now))
            return None
        if wanted != found and self._writer is not None:
            await self._replace(self._writer, secret, wanted)
            return None
        return found

    async def _create(self, certificates: Certificates) -> None:
        # Another replica may be first; then its certificates are as good.
        with contextlib.suppress(AlreadyExists):
            await self._client.create(_SECRETS, self._document(certificates), namespace=self._namespace)
            log.info("webhook_certificate_made", secret=SECRET)

    async def _replace(self, client: Client, secret: Document, certificates: Certificates) -> None:
        document = self._document(certificates)
        document["metadata"]["resourceVersion"] = secret["metadata"]["resourceVersion"]
        document["type"] = secret.get("type", document["type"])
        with contextlib.suppress(Conflict):
            await client.replace(_SECRETS, SECRET, document, namespace=self._namespace)
            log.info("webhook_certificate_renewed", secret=SECRET)

    def _document(self, certificates: Certificates) -> Document:
        return {
            "apiVersion": _SECRETS.api_version,
            "kind": _SECRETS.kind,
            "metadata": {
                "name": SECRET,
                "namespace": self._namespace,
                "labels": {"app": "openelb", "component": "controller"},
            },
            "type": "kubernetes.io/tls",
            "data": to_secret(certificates),
        }

    async def _inject(self, writer: Client, certificates: Certificates) -> None:
        if isinstance(self._configuration, _Unheard) or self._configuration is None:
            return
        bundle = base64.b64encode(certificates.trusted).decode()
        if bundle and (patch := missing_bundles(self._configuration, bundle)):
            await writer.patch(VALIDATING_WEBHOOKS, CONFIGURATION, patch, form="json")
            log.info("webhook_trusted", configuration=CONFIGURATION)


class _Unheard:
    """Nothing is known yet."""


_UNHEARD = _Unheard()
