"""What OpenELB leaves in a cluster, in our words: its objects as 0.6 and 0.5 name them, and what users made.

Its definitions are in `openelb_crds`. Nobody serves its webhooks here, as when its pods are gone.
"""

from collections.abc import Iterable
from typing import Any

from .openelb_crds import openelb_crds

Object = dict[str, Any]

NAMESPACE = "openelb-system"
FINALIZER = "finalizer.lb.kubesphere.io/v1alpha1"
POOL_FINALIZER = "finalizer.ipam.kubesphere.io/v1alpha1"
_POOL = "eip.openelb.kubesphere.io/v1alpha2"
_ADDRESS = "eip.openelb.kubesphere.io/v1alpha1"
_OURS = {"lb.kubesphere.io/v1alpha1": "openelb"}

HELM = {
    "app.kubernetes.io/name": "openelb",
    "app.kubernetes.io/instance": "openelb",
    "app.kubernetes.io/version": "0.6.0",
    "app.kubernetes.io/managed-by": "Helm",
    "helm.sh/chart": "openelb-0.6.0",
}
"""The labels that its chart adds to everything, and to the selectors."""


def openelb_06(*, helm: bool = False) -> list[Object]:
    """Version 0.6: a controller, a speaker on each node, Jobs that made the webhook's certificate."""
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        *openelb_crds(),
        *_rights("openelb-controller", "openelb-speaker"),
        _named("v1", "Secret", "memberlist", data={"key": "b3BlbmVsYi1zcGVha2Vycw=="}),
        _service("openelb-controller", {"app": "openelb", "component": "controller"}),
        _workload("Deployment", "controller", _controller(), helm=helm),
        _workload("DaemonSet", "speaker", _speaker(), helm=helm),
        _job("openelb-admission-create"),
        _job("openelb-admission-patch"),
        _webhook("ValidatingWebhookConfiguration", "openelb-controller"),
    ]


def openelb_05() -> list[Object]:
    """Version 0.5: one manager, its keepalived, and a webhook that is asked about every Service."""
    manager = {"app": "openelb-manager", "control-plane": "openelb-manager"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        *openelb_crds(),
        *_rights("openelb-admission", "kube-keepalived-vip"),
        _service("openelb-admission", manager),
        _apps("Deployment", "openelb-manager", manager, _pod("openelb-manager", "openelb-admission")),
        _apps(
            "DaemonSet",
            "openelb-keepalive-vip",
            {"app": "openelb-keepalive-vip"},
            _pod("openelb-keepalive-vip", "kube-keepalived-vip"),
        ),
        _job("openelb-admission-create"),
        _job("openelb-admission-patch"),
        _webhook("ValidatingWebhookConfiguration", "openelb-admission"),
        _webhook("MutatingWebhookConfiguration", "openelb-admission"),
    ]


def pools() -> list[Object]:
    """Two pools, BgpConf and a BgpPeer, as their controllers leave them: with finalizers and statuses."""
    return [
        _ours("BgpConf", "default", {"as": 50000, "listenPort": 17900}, finalizer=FINALIZER)
        | {"status": {"nodesConfStatus": {"node1": {"routerId": "192.0.2.11", "as": 50000}}}},
        _ours(
            "BgpPeer",
            "router",
            {"conf": {"peerAs": 50001, "neighborAddress": "192.0.2.1"}},
            finalizer=FINALIZER,
        ),
        _ours("Eip", "pool", {"address": "198.51.100.0/28", "protocol": "bgp"}, finalizer=POOL_FINALIZER)
        | {
            "status": {
                "occupied": False,
                "usage": 10,
                "poolSize": 16,
                "firstIP": "198.51.100.0",
                "lastIP": "198.51.100.15",
                "ready": True,
                "v4": True,
                "used": {"198.51.100.5": "default/web-0"},
            }
        },
        _ours(
            "Eip",
            "spare",
            {"address": "198.51.100.32/29", "priority": 3},
            finalizer=POOL_FINALIZER,
        ),
    ]


def services() -> list[Object]:
    """A dozen Services that hold addresses, out of order; the last two share one."""
    plain = [_held(f"web-{number}", f"198.51.100.{address}") for number, address in enumerate(_ADDRESSES)]
    asked = {_ADDRESS: "198.51.100.14"}
    return [
        *plain,
        _held("dns", "198.51.100.14", annotations=asked, port=53),
        _held("dns-too", "198.51.100.14", annotations=asked, port=53),
    ]


_ADDRESSES = (5, 3, 1, 12, 0, 7, 15, 9, 2, 11)


def addresses_of(services: Iterable[Object]) -> dict[str, str]:
    """The address of each Service by its name, from its status."""
    return {
        one["metadata"]["name"]: one["status"]["loadBalancer"]["ingress"][0]["ip"]
        for one in services
        if one.get("status", {}).get("loadBalancer", {}).get("ingress")
    }


def _held(name: str, address: str, *, annotations: Object | None = None, port: int = 80) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {_POOL: "pool"},
            "annotations": {**_OURS, _POOL: "pool", **(annotations or {})},
            "finalizers": [FINALIZER],
        },
        "spec": {
            "type": "LoadBalancer",
            "selector": {"app": name},
            "ports": [{"name": "main", "port": port, "targetPort": 8080}],
        },
        "status": {"loadBalancer": {"ingress": [{"ip": address}]}},
    }


def _ours(kind: str, name: str, spec: Object, *, finalizer: str) -> Object:
    metadata = {"name": name, "finalizers": [finalizer]}
    return {"apiVersion": "network.kubesphere.io/v1alpha2", "kind": kind, "metadata": metadata, "spec": spec}


def _named(version: str, kind: str, name: str, **rest: Any) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **rest}


def _rights(*accounts: str) -> list[Object]:
    """A ServiceAccount each, that may do what OpenELB's may: with Services and Eips anything."""
    rbac = "rbac.authorization.k8s.io/v1"
    rule = {"apiGroups": ["", "network.kubesphere.io"], "resources": ["services", "eips"], "verbs": ["*"]}
    made = [_named("v1", "ServiceAccount", name) for name in accounts]
    for name in accounts:
        subject = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name}
        made.append({"apiVersion": rbac, "kind": "ClusterRole", "metadata": {"name": name}, "rules": [rule]})
        made.append(
            {
                "apiVersion": rbac,
                "kind": "ClusterRoleBinding",
                "metadata": {"name": name},
                "roleRef": role,
                "subjects": [subject],
            }
        )
    return made


def _service(name: str, selector: Object) -> Object:
    port = {"name": "https-webhook", "port": 443, "targetPort": "webhook"}
    return _named("v1", "Service", name, spec={"selector": selector, "ports": [port]})


def _workload(kind: str, component: str, pod: Object, *, helm: bool) -> Object:
    labels = {"app": "openelb", "component": component}
    if helm:
        labels |= HELM | {"app.kubernetes.io/component": f"openelb-{component}"}
    return _apps(kind, f"openelb-{component}", labels, pod)


def _apps(kind: str, name: str, labels: Object, pod: Object) -> Object:
    spec: Object = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return _named("apps/v1", kind, name, spec=spec)


def _pod(name: str, account: str, **container: Any) -> Object:
    return {
        "serviceAccountName": account,
        "terminationGracePeriodSeconds": 10,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "containers": [{"name": name, "image": f"kubesphere/{name}:old", "command": [name], **container}],
    }


def _controller() -> Object:
    """With a volume, an argument and a variable set by hand among its own."""
    pod = _pod(
        "openelb-controller",
        "openelb-controller",
        args=["--metrics-addr=:50052", "--webhook-port=443", "--leader-elect", "-v=4"],
        env=[
            {"name": "NODE_NAME", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        ],
        ports=[{"containerPort": 443, "name": "webhook"}],
        resources={"limits": {"cpu": "100m", "memory": "300Mi"}},
        volumeMounts=[{"name": "webhook-cert", "mountPath": "/tmp/k8s-webhook-server/serving-certs/"}],
    )
    pod["volumes"] = [{"name": "webhook-cert", "secret": {"secretName": "openelb-admission"}}]
    return pod


def _speaker() -> Object:
    """Its readiness is asked by a command, where ours is asked by HTTP: both at once are refused."""
    secret = {"secretKeyRef": {"name": "memberlist", "key": "key"}}
    pod = _pod(
        "openelb-speaker",
        "openelb-speaker",
        args=["--api-hosts=:50051", "--enable-keepalived-vip=false", "--enable-layer2=false"],
        env=[{"name": "MEMBER_LIST_SECRET", "valueFrom": secret}],
        readinessProbe={"exec": {"command": ["sh", "-c", "gobgp -p 50051 global"]}},
        resources={"limits": {"cpu": "100m", "memory": "300Mi"}},
        securityContext={"capabilities": {"add": ["NET_ADMIN", "SYS_TIME", "NET_RAW", "NET_BIND_SERVICE"]}},
    )
    return pod | {"hostNetwork": True}


def _job(name: str) -> Object:
    """One that has run: nothing of it is left but itself."""
    container = {"name": "main", "image": "example.invalid/certgen", "command": ["true"]}
    pod = {"restartPolicy": "OnFailure", "containers": [container]}
    return _named("batch/v1", "Job", name, spec={"suspend": True, "template": {"spec": pod}})


def _webhook(kind: str, service: str) -> Object:
    """Unreachable, and failing closed: about Eips, or if it mutates about every Service."""
    mutates = kind.startswith("Mutating")
    path = f"/validate-network-kubesphere-io-v1alpha2-{'svc' if mutates else 'eip'}"
    about = ([""], ["v1"], ["services"]) if mutates else (["network.kubesphere.io"], ["v1alpha2"], ["eips"])
    rule = dict(zip(("apiGroups", "apiVersions", "resources"), about, strict=True))
    hook = {
        "name": f"{'mutating' if mutates else 'validate'}.eip.network.kubesphere.io",
        "admissionReviewVersions": ["v1beta1", "v1"],
        "clientConfig": {"service": {"name": service, "namespace": NAMESPACE, "path": path}},
        "failurePolicy": "Fail",
        "matchPolicy": "Equivalent",
        "rules": [{**rule, "operations": ["CREATE", "UPDATE"]}],
        "sideEffects": "None",
    }
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": "openelb-admission"},
        "webhooks": [hook],
    }
