"""Every label, annotation and fixed name that users or other programs may see. Part of the contract."""

from .meta import Key

GROUP = "network.kubesphere.io"
VERSION = "v1alpha2"
API_VERSION = f"{GROUP}/{VERSION}"
DEFAULT_NAMESPACE = "openelb-system"

MANAGED_ANNOTATION = "lb.kubesphere.io/v1alpha1"
MANAGED_VALUE = "openelb"
LOAD_BALANCER_CLASS = "lb.kubesphere.io/openelb"
EIP_ANNOTATION = "eip.openelb.kubesphere.io/v1alpha2"
EIP_LABEL = EIP_ANNOTATION
ADDRESS_ANNOTATION = "eip.openelb.kubesphere.io/v1alpha1"
PROTOCOL_ANNOTATION = "protocol.openelb.kubesphere.io/v1alpha1"
NODE_PROXY_PREFIX = "node-proxy.openelb.kubesphere.io/"
ALLOCATED_ANNOTATION = "openelb.kubesphere.io/allocated"
SHARED_AT_TAKEOVER_ANNOTATION = "openelb.kubesphere.io/shared-at-takeover"
ALLOW_SHARED_ANNOTATION = "openelb.kubesphere.io/allow-shared-ip"
PREFERRED_NODE_ANNOTATION = "openelb.kubesphere.io/preferred-node"
DEFAULT_EIP_ANNOTATION = "eip.openelb.kubesphere.io/is-default-eip"

RACK_LABEL = "openelb.kubesphere.io/rack"
DRAIN_ANNOTATION = "openelb.kubesphere.io/drain"
CNI_LABEL = "openelb.kubesphere.io/cni"
EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
SERVICE_NAME_LABEL = "kubernetes.io/service-name"

BGP_CONF_NAME = "default"
POLICY_KEY = "gobgp.conf"
MEMBERSHIP_SECRET = "openelb-membership"
"""In our namespace: `key` is what speakers sign their heartbeats with, `other` is accepted too."""
MEMBERSHIP_KEY, MEMBERSHIP_OTHER_KEY = "key", "other"
KUBE_PROXY_CONFIG = Key("kube-system", "kube-proxy")
KUBE_PROXY_KEY = "config.conf"

FINALIZERS_OF_OPENELB = frozenset(
    {
        "finalizer.lb.kubesphere.io/v1alpha1",
        "finalizer.ipam.kubesphere.io/v1alpha1",
        "node-proxy.openelb.kubesphere.io/finalizer",
    }
)

ALLOCATED_CONDITION = f"{GROUP}/Allocated"
ANNOUNCED_CONDITION = f"{GROUP}/Announced"
