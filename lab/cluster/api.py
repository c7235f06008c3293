"""A small client of the API server for the lab and the tests, independent of the code under test.

Plain HTTP and JSON, one call at a time, one connection a thread; objects are dicts as in manifests. It waits
for nothing and tries nothing again. Kinds are found by discovery, so CRDs of ours work as soon as they are
served.
"""

import http.client
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from lab.errors import LabError

Object = dict[str, Any]

OURS = "network.kubesphere.io/v1alpha2"

_VERSION_OF = {
    **dict.fromkeys(("Eip", "BgpConf", "BgpPeer", "Speaker"), OURS),
    "EndpointSlice": "discovery.k8s.io/v1",
    "Lease": "coordination.k8s.io/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    **dict.fromkeys(("Deployment", "DaemonSet", "ReplicaSet"), "apps/v1"),
    **dict.fromkeys(
        ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"), "rbac.authorization.k8s.io/v1"
    ),
    **dict.fromkeys(
        (
            "ValidatingWebhookConfiguration",
            "MutatingWebhookConfiguration",
            "ValidatingAdmissionPolicy",
            "ValidatingAdmissionPolicyBinding",
        ),
        "admissionregistration.k8s.io/v1",
    ),
}
"""The apiVersion of a kind that is named without one; any other is of the core group."""

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"


Dial = Callable[[tuple[str, int], float], socket.socket]
"""Connects to host and port within so many seconds; raises OSError."""


class ApiError(LabError):
    """The API server's refusal: HTTP status, reason (as in `NotFound`) and message."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message = status, reason, message


@dataclass(frozen=True, slots=True)
class _Resource:
    path: str
    plural: str
    namespaced: bool


class Unreachable(LabError, ConnectionError):
    """Nobody answered, or not to the end."""


class _Connection(http.client.HTTPConnection):
    """HTTPS over a connection that somebody else makes."""

    def __init__(self, host: str, port: int, timeout: float, ca: Path, dial: Dial) -> None:
        super().__init__(host, port, timeout=timeout)
        self._seconds, self._dial = timeout, dial
        self._trust = ssl.create_default_context(cafile=ca)

    def connect(self) -> None:
        """Dial, and be sure who answers."""
        raw = self._dial((self.host, self.port), self._seconds)
        # Or each body waits 40 ms for the server to acknowledge the head (RFC 896 meets RFC 1122, 4.2.3.2).
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._trust.wrap_socket(raw, server_hostname=self.host)


class Api:
    """A client with one identity; many threads may share it."""

    def __init__(
        self, url: str, *, ca: Path, token: str, timeout: float = 30.0, dial: Dial = socket.create_connection
    ) -> None:
        """`timeout` is that of one request, in seconds; `dial` connects, from another namespace perhaps."""
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 443
        self._ca, self._token, self._timeout, self._dial = ca, token, timeout, dial
        self._local = threading.local()
        self._resources: dict[tuple[str, str], _Resource] = {}

    # Objects

    def get(self, kind: str, name: str, *, namespace: str = "") -> Object:
        """One object. Raises ApiError."""
        return self.request("GET", self.path(kind, name, namespace=namespace))

    def find(self, kind: str, name: str, *, namespace: str = "") -> Object | None:
        """One object, or None if there is none."""
        try:
            return self.get(kind, name, namespace=namespace)
        except ApiError as exc:
            if exc.status != 404:
                raise
            return None

    def items(self, kind: str, *, namespace: str = "", **query: str) -> list[Object]:
        """All objects of a kind, of one namespace or of all; `labelSelector=` and the like narrow it down."""
        return list(self.request("GET", self.path(kind, namespace=namespace), query=query)["items"])

    def create(self, obj: Object, **query: str) -> Object:
        """Make a new object; returns it as it was stored."""
        metadata = obj["metadata"]
        path = self.path(obj["kind"], namespace=metadata.get("namespace", ""), version=obj.get("apiVersion"))
        return self.request("POST", path, obj, query=query)

    def replace(self, obj: Object, *, subresource: str = "", **query: str) -> Object:
        """Store an object that was read and changed; a resourceVersion in it must be the current one."""
        return self.request("PUT", self._path_of(obj, subresource), obj, query=query)

    def apply(
        self, obj: Object, *, manager: str = "tests", subresource: str = "", force: bool = True
    ) -> Object:
        """Server-side apply."""
        query = {"fieldManager": manager, "force": str(force).lower()}
        return self.request("PATCH", self._path_of(obj, subresource), obj, content_type=APPLY, query=query)

    def patch(
        self,
        kind: str,
        name: str,
        change: Mapping[str, Any] | list[Any],
        *,
        namespace: str = "",
        subresource: str = "",
        content_type: str = "",
    ) -> Object:
        """Merge `change` into an object (null removes), or apply it as a JSON patch if it is a list."""
        path = self.path(kind, name, namespace=namespace, subresource=subresource)
        content_type = content_type or (JSON_PATCH if isinstance(change, list) else MERGE)
        return self.request("PATCH", path, change, content_type=content_type)

    def delete(self, kind: str, name: str, *, namespace: str = "", **query: str) -> None:
        """Delete an object; nothing happens if it is not there. `gracePeriodSeconds="0"` does not wait."""
        try:
            self.request("DELETE", self.path(kind, name, namespace=namespace), query=query)
        except ApiError as exc:
            if exc.status != 404:
                raise

    def delete_all(self, kind: str, *, namespace: str = "", **query: str) -> None:
        """Delete all objects of a kind, in one namespace if they have any."""
        self.request("DELETE", self.path(kind, namespace=namespace), query=query)

    def watch(self, kind: str, **query: str) -> Iterator[tuple[str, Object]]:
        """The changes of a kind since the `resourceVersion` given: type (as in `ADDED`) and object.

        On a connection of its own, until the API server ends it. Raises ApiError, or Unreachable when it is
        lost.
        """
        connection = _Connection(self._host, self._port, self._timeout, self._ca, self._dial)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        try:
            connection.request(
                "GET", f"{self.path(kind)}?{urlencode({'watch': '1', **query})}", headers=headers
            )
            answer = connection.getresponse()
            if answer.status != 200:
                raise ApiError(answer.status, "", answer.read().decode())
            while line := answer.readline():
                event = json.loads(line)
                yield event["type"], event["object"]
        except (OSError, http.client.HTTPException) as exc:
            raise Unreachable(f"watch {kind}: {exc!r}") from exc
        finally:
            connection.close()

    # HTTP

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Object:
        """One request and the decoded answer. Raises ApiError when refused, OSError when nobody answers."""
        status, text = self.raw(method, path, body, content_type=content_type, query=query)
        if status < 300:
            answer: Object = json.loads(text)
            return answer
        try:
            problem = json.loads(text)
        except ValueError:
            problem = {"message": text}
        raise ApiError(status, problem.get("reason") or "", problem.get("message") or text)

    def raw(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> tuple[int, str]:
        """One request: the status and the text of the answer. Raises Unreachable, an OSError."""
        data = None if body is None else json.dumps(body)
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if data is not None:
            headers["Content-Type"] = content_type
        url = f"{path}?{urlencode(query)}" if query else path
        # The server ends a connection that rests, perhaps at the moment of a request; deleting twice is one.
        if method in ("GET", "DELETE") and self._is_connected():
            try:
                return self._exchange(method, url, data, headers)
            except Unreachable as exc:
                if isinstance(exc.__cause__, TimeoutError):
                    raise
        return self._exchange(method, url, data, headers)

    def _exchange(
        self, method: str, url: str, data: str | None, headers: Mapping[str, str]
    ) -> tuple[int, str]:
        connection = self._connection()
        try:
            connection.request(method, url, data, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException) as exc:
            connection.close()
            raise Unreachable(f"{method} {url}: {exc!r}") from exc

    def path(
        self,
        kind: str,
        name: str = "",
        *,
        namespace: str = "",
        subresource: str = "",
        version: str | None = None,
    ) -> str:
        """The URL path of a kind, or of one object. Raises ApiError if the server has no such kind."""
        resource = self._resource(kind, version or _VERSION_OF.get(kind, "v1"))
        words = [resource.path]
        if namespace and resource.namespaced:
            words += ["namespaces", namespace]
        words += [resource.plural, *filter(None, (quote(name), subresource))]
        return "/".join(words)

    def _path_of(self, obj: Object, subresource: str) -> str:
        metadata = obj["metadata"]
        return self.path(
            obj["kind"],
            metadata["name"],
            namespace=metadata.get("namespace", ""),
            subresource=subresource,
            version=obj.get("apiVersion"),
        )

    def _resource(self, kind: str, version: str) -> _Resource:
        if (kind, version) not in self._resources:
            path = f"/apis/{version}" if "/" in version else f"/api/{version}"
            for one in self.request("GET", path)["resources"]:
                if "/" not in one["name"]:
                    found = _Resource(path, one["name"], one["namespaced"])
                    self._resources[one["kind"], version] = found
        try:
            return self._resources[kind, version]
        except KeyError:
            raise ApiError(404, "NotFound", f"the API server has no {kind} in {version}") from None

    def _connection(self) -> _Connection:
        connection: _Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = _Connection(self._host, self._port, self._timeout, self._ca, self._dial)
            self._local.connection = connection
        return connection

    def _is_connected(self) -> bool:
        connection: _Connection | None = getattr(self._local, "connection", None)
        return connection is not None and connection.sock is not None
