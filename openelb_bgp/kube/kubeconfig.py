"""Access by a kubeconfig: what kubernetes_asyncio makes of it, exec plugins included.

That package is imported here only, and only when a kubeconfig is used: it costs 40 MB. What it leaves to its
callers is here: when credentials are loaded again, and that one plugin runs at a time.
"""

import asyncio
import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from openelb_bgp.ports import Clock

from .access import Access, as_lenient_as_go
from .errors import NoAccess

_PLUGIN_SECONDS = 60.0


async def by_kubeconfig(path: Path, clock: Clock) -> Access:
    """Access by a kubeconfig's current context. Raises NoAccess, whose text is for the user."""
    access = KubeconfigAccess(path, clock)
    await access.look_again()
    return access


class KubeconfigAccess:
    """A kubeconfig, read anew, and its exec plugin run again, when its credentials end or are refused."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._loading = asyncio.Lock()
        self._loads = 0
        self._server = self._server_name = ""
        self._token: str | None = None
        self._tls: ssl.SSLContext | None = None
        self._expires: float | None = None

    @property
    def server(self) -> str:
        """Its URL."""
        return self._server

    @property
    def server_name(self) -> str | None:
        """What its certificate is to name, where `tls-server-name` says so."""
        return self._server_name or None

    async def token(self) -> str | None:
        """The token, if the kubeconfig or its exec plugin gives one. Raises NoAccess."""
        if self._expires is not None and self._clock.wall() >= self._expires:
            await self.look_again()
        return self._token

    async def tls(self) -> ssl.SSLContext | None:
        """Trust in its CA, with its client certificate."""
        return self._tls

    async def look_again(self) -> None:
        """Read the file and run its exec plugin, once for all who ask meanwhile. Raises NoAccess."""
        known = self._loads
        async with self._loading:
            if self._loads == known:
                await self._load()
                self._loads += 1

    async def _load(self) -> None:
        found, expires = await _loaded(self._path)
        server = str(found.host).rstrip("/")
        tls = _context_of(found, self._path) if server.startswith("https:") else None
        written = str(found.api_key.get("BearerToken") or "")
        if written.startswith("Basic "):
            raise NoAccess(f"{self._path} has a user name and password, which no API server takes any more")
        self._server, self._tls, self._expires = server, tls, expires
        self._server_name = found.tls_server_name or ""
        self._token = written.removeprefix("Bearer ").strip() or None


async def _loaded(path: Path) -> tuple[Any, float | None]:
    """kubernetes_asyncio's Configuration, and when what its plugin gave ends (seconds since the epoch)."""
    try:
        from kubernetes_asyncio import client, config
    except ImportError as error:
        raise NoAccess(
            "a kubeconfig needs the package kubernetes_asyncio: install openelb-bgp[kubeconfig]"
        ) from error
    found = client.Configuration()
    try:
        async with asyncio.timeout(_PLUGIN_SECONDS):
            loader = await config.load_kube_config(
                config_file=str(path), client_configuration=found, persist_config=False
            )
    except TimeoutError as error:
        raise NoAccess(f"{path}: its exec plugin has not ended within {_PLUGIN_SECONDS:g} s") from error
    except Exception as error:
        # What it stumbles over in a broken file may be anything: a KeyError, an AssertionError, YAML's own.
        said = " ".join(str(error).split()) or type(error).__name__
        raise NoAccess(f"{path} cannot be used as a kubeconfig: {said}") from error
    if found.proxy:
        raise NoAccess(
            f"{path} names a proxy-url, which is not supported: write a server that can be reached"
        )
    return found, _expiry(getattr(loader, "exec_plugin_expiry", None))


def _expiry(moment: datetime | None) -> float | None:
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _context_of(found: Any, path: Path) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=found.ssl_ca_cert or None)
        if found.cert_file:
            context.load_cert_chain(found.cert_file, found.key_file or None)
    except OSError as error:
        raise NoAccess(f"{path} names certificates that cannot be used: {error}") from error
    if not found.verify_ssl:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return as_lenient_as_go(context)
