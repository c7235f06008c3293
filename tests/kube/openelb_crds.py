"""The CustomResourceDefinitions that OpenELB 0.6 leaves in a cluster, field by field, in our words.

Types only, as OpenELB has them: it checks one pattern less than one would think, and refuses little.
"""

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_BOOL: Schema = {"type": "boolean"}
_INT: Schema = {"type": "integer"}
_INT32: Schema = {"type": "integer", "format": "int32"}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _map(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


_EIP_SPEC = {
    **_object(
        address=_TEXT,
        disable=_BOOL,
        interface=_TEXT,
        namespaceSelector=_map(_TEXT),
        namespaces=_list(_TEXT),
        priority=_INT,
        protocol={"type": "string", "enum": ["bgp", "layer2", "vip"]},
        usingKnownIPs=_BOOL,
    ),
    "required": ["address"],
}
_EIP_STATUS = _object(
    firstIP=_TEXT,
    lastIP=_TEXT,
    occupied=_BOOL,
    poolSize=_INT,
    ready=_BOOL,
    usage=_INT,
    used=_map(_TEXT),
    v4=_BOOL,
)

_GRACEFUL_RESTART = _object(
    deferralTime=_INT32,
    enabled=_BOOL,
    helperOnly=_BOOL,
    localRestarting=_BOOL,
    longlivedEnabled=_BOOL,
    mode=_TEXT,
    notificationEnabled=_BOOL,
    peerRestartTime=_INT32,
    peerRestarting=_BOOL,
    restartTime=_INT32,
    staleRoutesTime=_INT32,
)
_BGP_CONF_SPEC = {
    "type": "object",
    "properties": {
        "as": _INT32,
        "asPerRack": _map(_INT32),
        "families": _list(_INT32),
        "gracefulRestart": _GRACEFUL_RESTART,
        "listenAddresses": _list(_TEXT),
        "listenPort": _INT32,
        "policy": _TEXT,
        "routerId": _TEXT,
        "useMultiplePaths": _BOOL,
    },
}
_BGP_CONF_STATUS = _object(
    nodesConfStatus=_map({"type": "object", "properties": {"as": _INT32, "routerId": _TEXT}})
)

_COUNTS = _object(
    **dict.fromkeys(
        (
            *("discarded", "keepalive", "notification", "open", "refresh", "total", "update"),
            *("withdrawPrefix", "withdrawUpdate"),
        ),
        _TEXT,
    )
)
_PEER_STATE = _object(
    adminState=_TEXT,
    authPassword=_TEXT,
    description=_TEXT,
    flops=_INT32,
    localAs=_INT32,
    messages=_object(received=_COUNTS, sent=_COUNTS),
    neighborAddress=_TEXT,
    outQ=_INT32,
    peerAs=_INT32,
    peerGroup=_TEXT,
    peerType=_INT32,
    queues=_object(input=_INT32, output=_INT32),
    removePrivateAs=_INT32,
    routeFlapDamping=_BOOL,
    routerId=_TEXT,
    sendCommunity=_INT32,
    sessionState=_TEXT,
)
_TIMERS_STATE = _object(
    **dict.fromkeys(
        (
            *("connectRetry", "downtime", "holdTime", "keepaliveInterval", "minimumAdvertisementInterval"),
            *("negotiatedHoldTime", "uptime"),
        ),
        _TEXT,
    )
)
_REQUIREMENT = {**_object(key=_TEXT, operator=_TEXT, values=_list(_TEXT)), "required": ["key", "operator"]}
_BGP_PEER_SPEC = _object(
    afiSafis=_list(
        _object(
            addPaths=_object(config=_object(receive=_BOOL, sendMax=_INT32)),
            config=_object(enabled=_BOOL, family=_object(afi=_TEXT, safi=_TEXT)),
            mpGracefulRestart=_object(config=_object(enabled=_BOOL)),
        )
    ),
    conf=_object(
        adminDown=_BOOL,
        allowOwnAs=_INT32,
        authPassword=_TEXT,
        description=_TEXT,
        localAs=_INT32,
        neighborAddress=_TEXT,
        neighborInterface=_TEXT,
        peerAs=_INT32,
        peerGroup=_TEXT,
        peerType=_INT32,
        removePrivateAs=_TEXT,
        replacePeerAs=_BOOL,
        routeFlapDamping=_BOOL,
        sendCommunity=_INT32,
        vrf=_TEXT,
    ),
    ebgpMultihop=_object(enabled=_BOOL, multihopTtl=_INT32),
    gracefulRestart=_GRACEFUL_RESTART,
    nodeSelector={
        **_object(matchExpressions=_list(_REQUIREMENT), matchLabels=_map(_TEXT)),
        "x-kubernetes-map-type": "atomic",
    },
    timers=_object(
        config=_object(
            connectRetry=_TEXT, holdTime=_TEXT, keepaliveInterval=_TEXT, minimumAdvertisementInterval=_TEXT
        )
    ),
    transport=_object(
        mtuDiscovery=_BOOL, passiveMode=_BOOL, remoteAddress=_TEXT, remotePort=_INT32, tcpMss=_INT32
    ),
)
_BGP_PEER_STATUS = _object(nodesPeerStatus=_map(_object(peerState=_PEER_STATE, timersState=_TIMERS_STATE)))

_OLD_EIP = {
    **_object(address=_TEXT, disable=_BOOL, protocol=_TEXT, usingKnownIPs=_BOOL),
    "required": ["address"],
}
_OLD_CONF = {"type": "object", "properties": {"as": _INT32, "port": _INT32, "routerID": _TEXT}}
_OLD_PEER = _object(
    addPaths=_object(sendMax=_INT),
    config=_object(neighborAddress=_TEXT, peerAs=_INT32),
    transport=_object(passiveMode=_BOOL, remotePort=_INT),
    usingPortForward=_BOOL,
)

_COLUMNS = [
    {"jsonPath": ".spec.address", "name": "cidr", "type": "string"},
    {"jsonPath": ".status.usage", "name": "usage", "type": "integer"},
    {"jsonPath": ".status.poolSize", "name": "total", "type": "integer"},
]


def openelb_crds(*, stored: str = "v1alpha2") -> list[dict[str, Any]]:
    """The three definitions; with `stored` v1alpha1 as they were while OpenELB 0.3 was in use."""
    return [
        _definition("Eip", _OLD_EIP, _EIP_SPEC, _EIP_STATUS, stored),
        _definition("BgpConf", _OLD_CONF, _BGP_CONF_SPEC, _BGP_CONF_STATUS, stored),
        _definition("BgpPeer", _OLD_PEER, _BGP_PEER_SPEC, _BGP_PEER_STATUS, stored),
    ]


def _definition(kind: str, old: Schema, spec: Schema, status: Schema, stored: str) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
    columns = {"additionalPrinterColumns": _COLUMNS} if kind == "Eip" else {}
    categories = {"categories": ["networking"]} if kind == "Eip" else {}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.network.kubesphere.io",
            "annotations": {"controller-gen.kubebuilder.io/version": "v0.12.1"},
        },
        "spec": {
            "group": "network.kubesphere.io",
            "names": {
                **categories,
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": plural,
                "singular": kind.lower(),
            },
            "scope": "Cluster",
            "versions": [
                _version("v1alpha1", old, _object(), stored, columns),
                _version("v1alpha2", spec, status, stored, columns) | {"subresources": {"status": {}}},
            ],
        },
    }


def _version(name: str, spec: Schema, status: Schema, stored: str, columns: dict[str, Any]) -> dict[str, Any]:
    properties = {
        "apiVersion": _TEXT,
        "kind": _TEXT,
        "metadata": {"type": "object"},
        "spec": spec,
        "status": status,
    }
    return {
        "name": name,
        "served": True,
        "storage": name == stored,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": properties}},
        **columns,
    }
