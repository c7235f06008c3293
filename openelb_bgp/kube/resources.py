"""Where each kind lives in the API: group, version and plural, and the paths made of them.

The model's kinds are in RESOURCES; the others that some part of us reads or writes stand beside them.
"""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind


class Resource(msgspec.Struct, frozen=True):
    """One kind of object as the API names it (Kubernetes, "API concepts")."""

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """What stands in `apiVersion`."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, *, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The path of one object, or of all of them: in a namespace, or with none in the whole cluster."""
        parts = ["apis" if self.group else "api", self.api_version]
        if namespace and self.namespaced:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            # Names of RBAC objects hold colons, and slashes cannot be in any.
            parts.append(quote(name, safe=":"))
        if subresource:
            parts.append(subresource)
        return "/" + "/".join(parts)


def _ours(plural: str, kind: Kind) -> Resource:
    return Resource(keys.GROUP, keys.VERSION, plural, kind.value, namespaced=False)


def _core(plural: str, kind: str, *, namespaced: bool = True) -> Resource:
    return Resource("", "v1", plural, kind, namespaced=namespaced)


RESOURCES: Mapping[Kind, Resource] = {
    Kind.EIP: _ours("eips", Kind.EIP),
    Kind.BGP_CONF: _ours("bgpconfs", Kind.BGP_CONF),
    Kind.BGP_PEER: _ours("bgppeers", Kind.BGP_PEER),
    Kind.SPEAKER: _ours("speakers", Kind.SPEAKER),
    Kind.SERVICE: _core("services", "Service"),
    Kind.ENDPOINT_SLICE: Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", True),
    Kind.NODE: _core("nodes", "Node", namespaced=False),
    Kind.NAMESPACE: _core("namespaces", "Namespace", namespaced=False),
    Kind.CONFIG_MAP: _core("configmaps", "ConfigMap"),
    Kind.SECRET: _core("secrets", "Secret"),
    Kind.POD: _core("pods", "Pod"),
}

EVENTS = _core("events", "Event")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease", True)
ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role", True)
ROLE_BINDINGS = Resource("rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", True)
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment", True)
DAEMON_SETS = Resource("apps", "v1", "daemonsets", "DaemonSet", True)
JOBS = Resource("batch", "v1", "jobs", "Job", True)
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False)
VALIDATING_WEBHOOKS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "validatingwebhookconfigurations",
    "ValidatingWebhookConfiguration",
    False,
)
MUTATING_WEBHOOKS = Resource(
    "admissionregistration.k8s.io",
    "v1",
    "mutatingwebhookconfigurations",
    "MutatingWebhookConfiguration",
    False,
)
