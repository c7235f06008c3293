"""Where the API server is, whom to trust, and how to prove who we are; in a pod here, else in `kubeconfig`.

Tokens and CAs rotate under a running process: they are looked at again every few seconds, and at once when
the server refuses them or shows a certificate that they do not explain. Nothing here is ever logged.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from openelb_bgp.ports import Clock

from .errors import NoAccess

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_SECONDS_BETWEEN_LOOKS = 10.0


class Access(Protocol):
    """What a client needs to know of one API server."""

    @property
    def server(self) -> str:
        """Its URL without a path's last slash."""
        ...

    @property
    def server_name(self) -> str | None:
        """What its certificate is to name; None: the URL's host."""
        ...

    async def token(self) -> str | None:
        """The bearer token as it is now; None where a client certificate proves who we are."""
        ...

    async def tls(self) -> ssl.SSLContext | None:
        """Whom to trust as it is now; the same object until that changes. None for plain HTTP."""
        ...

    async def look_again(self) -> None:
        """Read everything anew: the server did not accept it, or could not be believed."""
        ...


def in_pod(environment: Mapping[str, str], clock: Clock) -> Access:
    """Access by the pod's ServiceAccount. OPENELB_SERVICE_ACCOUNT names another folder than kubelet's.

    Raises NoAccess outside of a pod.
    """
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    if not host or not port:
        raise NoAccess(
            "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: outside of a pod, name a "
            "kubeconfig with --kubeconfig"
        )
    folder = Path(environment.get("OPENELB_SERVICE_ACCOUNT") or SERVICE_ACCOUNT)
    return PodAccess(f"https://{f'[{host}]' if ':' in host else host}:{port}", folder, clock)


class PodAccess:
    """A folder as kubelet mounts it: `token` and `ca.crt`, each replaced as it rotates."""

    def __init__(self, server: str, folder: Path, clock: Clock) -> None:
        self._server = server
        self._folder = folder
        self._clock = clock
        self._token = ""
        self._ca = ""
        self._tls: ssl.SSLContext | None = None
        self._look_at = 0.0

    @property
    def server(self) -> str:
        """Its URL."""
        return self._server

    @property
    def server_name(self) -> None:
        """Its certificate names its host."""
        return None

    async def token(self) -> str:
        """The token as it is now. Raises NoAccess while there is none."""
        self._look()
        return self._token

    async def tls(self) -> ssl.SSLContext:
        """Trust in the CA as it is now. Raises NoAccess while there is none."""
        self._look()
        assert self._tls is not None
        return self._tls

    async def look_again(self) -> None:
        """Read both files now."""
        self._look_at = 0.0
        self._look()

    def _look(self) -> None:
        now = self._clock.monotonic()
        if now < self._look_at and self._tls is not None:
            return
        token, ca = self._read("token").strip(), self._read("ca.crt")
        if ca != self._ca or self._tls is None:
            self._tls = _trusting(ca, self._folder / "ca.crt")
        self._token, self._ca, self._look_at = token, ca, now + _SECONDS_BETWEEN_LOOKS

    def _read(self, name: str) -> str:
        path = self._folder / name
        try:
            text = path.read_text()
        except (OSError, ValueError) as error:
            raise NoAccess(
                f"{path} cannot be read ({error}): the pod needs a ServiceAccount whose token is mounted"
            ) from error
        if not text:
            raise NoAccess(f"{path} is empty")
        return text


def _trusting(ca: str, path: Path) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cadata=ca)
    except (ssl.SSLError, ValueError) as error:
        raise NoAccess(f"{path} holds no certificate that can be used: {error}") from error
    return as_lenient_as_go(context)


def as_lenient_as_go(context: ssl.SSLContext) -> ssl.SSLContext:
    """Python 3.13 refuses CAs without key identifiers (RFC 5280, 4.2.1); other clients take them."""
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
