"""The admission webhook: an AdmissionReview in, an answer out, over HTTPS.

What is answered is decided in `admission.review`; where the certificates come from is in `trust`. Whatever
goes wrong here is an error to the API server, which then stores the change unasked (`failurePolicy: Ignore`).
Source: admission.k8s.io/v1, AdmissionReview.
"""

import os
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import structlog
from aiohttp import web

from openelb_bgp.admission import Review, review
from openelb_bgp.model.meta import Kind
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.ports import Clock
from openelb_bgp.runtime.health import PortTaken

from .certs import Certificates
from .resources import RESOURCES

log = structlog.get_logger(__name__)

# Objects are at most 1.5 MiB in etcd, and an update brings two.
_LARGEST = 8 * 1024 * 1024
_UNPROCESSABLE = 422
# An API server passes 4,096 characters of warnings on, and an object can be wrong in thousands of places.
_LONGEST_WARNING = 1000
_MOST_WARNINGS = 20
_LONGEST_REFUSAL = 8000


def path_of(kind: Kind) -> str:
    """Where changes of a kind are sent, as controller-runtime names it."""
    found = RESOURCES[kind]
    return f"/validate-{found.group.replace('.', '-')}-{found.version}-{kind.lower()}"


PATHS = tuple(path_of(kind) for kind in (Kind.EIP, Kind.BGP_CONF, Kind.BGP_PEER))


class _Asked(msgspec.Struct, rename="camel"):
    uid: str
    operation: str
    name: str = ""
    object: dict[str, Any] | None = None
    old_object: dict[str, Any] | None = None


class _Question(msgspec.Struct, rename="camel"):
    api_version: str
    request: _Asked


Judge = Callable[[str, Mapping[str, Any] | None, Mapping[str, Any] | None], Review]
"""What is said to an operation, given the object before and after it."""


def judge_by(snapshot: Callable[[], Snapshot], *, namespace: str, clock: Clock) -> Judge:
    """The review of a change beside what is known now; `namespace` is ours."""

    def judge(operation: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Review:
        return review(operation, old=old, new=new, snapshot=snapshot(), namespace=namespace, now=clock.wall())

    return judge


def answer(body: bytes, judge: Judge) -> bytes:
    """The AdmissionReview that answers one. Raises msgspec.MsgspecError for what is none."""
    question = msgspec.json.decode(body, type=_Question)
    asked = question.request
    said = judge(asked.operation, asked.old_object, asked.object)
    response: dict[str, Any] = {"uid": asked.uid, "allowed": said.allowed}
    if not said.allowed:
        message = "; ".join(said.refusals)[:_LONGEST_REFUSAL]
        response["status"] = {"code": _UNPROCESSABLE, "reason": "Invalid", "message": message}
        log.info("change_refused", name=asked.name, operation=asked.operation, message=message)
    if said.warnings:
        response["warnings"] = [text[:_LONGEST_WARNING] for text in said.warnings[:_MOST_WARNINGS]]
    document = {"apiVersion": question.api_version, "kind": "AdmissionReview", "response": response}
    return msgspec.json.encode(document)


class Webhook:
    """The server's TLS, before and after a certificate comes; until one has, no connection is made."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2
        self._in_use: Certificates | None = None

    def use(self, certificates: Certificates) -> None:
        """From now on new connections get this certificate."""
        if certificates == self._in_use:
            return
        _load(self._tls, certificates.serving + certificates.serving_key)
        self._in_use = certificates
        log.info("webhook_certificate_in_use")

    @asynccontextmanager
    async def serving(self, *, host: str, port: int) -> AsyncIterator[int]:
        """Serve while the context lasts; gives the port. An empty host is every address. Raises PortTaken."""
        application = web.Application(client_max_size=_LARGEST)
        application.add_routes([web.post(path, self._handle) for path in PATHS])
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host or None, port, ssl_context=self._tls)
            try:
                await site.start()
            except OSError as error:
                raise PortTaken(
                    f"{host or ''}:{port} for the webhook cannot be listened on: {error.strerror}; "
                    "choose another with --webhook-port"
                ) from error
            yield runner.addresses[0][1]
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            body = answer(await request.read(), self._judge)
        except msgspec.MsgspecError as error:
            return web.Response(status=400, text=f"this is no AdmissionReview: {error}")
        return web.Response(body=body, content_type="application/json")


def _load(tls: ssl.SSLContext, pem: bytes) -> None:
    """Python reads certificates from files only: from one in memory, then."""
    descriptor = os.memfd_create("webhook")
    try:
        os.write(descriptor, pem)
        tls.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
