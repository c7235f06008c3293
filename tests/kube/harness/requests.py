"""What a request to the API server asks for, in Kubernetes' own words: verb, resource, namespace, name.

https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_PATH = re.compile(
    r"/(?:api/v1|apis/[^/]+/[^/]+)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?"
    r"/(?P<resource>[^/]+)(?:/(?P<name>[^/]+)(?:/(?P<subresource>[^/]+))?)?/?"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; `resource` is empty where it asks for no object (`/readyz`, discovery)."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def verb(self) -> str:
        """get, list, watch, create, update, patch, delete, deletecollection."""
        if self.method in _VERBS:
            return _VERBS[self.method]
        one = bool(self._part("name"))
        if self.method == "DELETE":
            return "delete" if one else "deletecollection"
        if self.query.get("watch") in ("1", "true"):
            return "watch"
        return "get" if one or not self.resource else "list"

    @property
    def resource(self) -> str:
        """The plural, as in `services`; with its subresource, as in `services/status`."""
        subresource = self._part("subresource")
        return self._part("resource") + (f"/{subresource}" if subresource else "")

    @property
    def namespace(self) -> str:
        """Where the object is, or those that are listed; empty for all namespaces and for what has none."""
        return self._part("namespace")

    @property
    def name(self) -> str:
        """The one object's; empty for a collection."""
        return self._part("name")

    def _part(self, name: str) -> str:
        found = _PATH.fullmatch(self.path)
        return (found[name] or "") if found else ""


@dataclass(frozen=True, slots=True)
class Where:
    """Which requests are meant; what is left empty means any."""

    verb: str = ""
    resource: str = ""
    namespace: str = ""
    name: str = ""

    def matches(self, request: Request) -> bool:
        """Whether it is one of them."""
        return all(
            wanted in ("", seen)
            for wanted, seen in (
                (self.verb, request.verb),
                (self.resource, request.resource),
                (self.namespace, request.namespace),
                (self.name, request.name),
            )
        )
