"""What may happen to a small cluster: documents of every kind that decides, and what its machines do.

Few names, so that everything meets everything. Not drawn is what only the past can answer by contract: an
object that becomes invalid (its last good version stays), a Secret or ConfigMap that goes.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import strategies as st

from openelb_bgp.model import keys

Json = dict[str, Any]
API = "network.kubesphere.io/v1alpha2"
SERVICES = ("p", "q", "r", "s")
flags = st.booleans()
seldom = st.sampled_from([False, False, False, True])


def dropping(document: Mapping[str, Any]) -> Json:
    """A mapping without what is None."""
    return {key: value for key, value in document.items() if value is not None}


def resource(kind: str, name: str, spec: Json | None = None, **metadata: Any) -> Json:
    return {"apiVersion": API, "kind": kind, "metadata": {"name": name, **metadata}, "spec": spec or {}}


advertisements = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "aggregationLength": st.sampled_from([32, 30]),
            "communities": st.sampled_from([["65000:1"], ["no-advertise"], ["65000:1:1"]]),
            "med": st.sampled_from([1, 2]),
            "asPathPrepend": st.just(2),
            "peers": st.sampled_from([["left"], ["right"], ["nobody"]]),
            "nodeSelector": st.just({"matchLabels": {"edge": "yes"}}),
            "serviceSelector": st.just({"matchLabels": {"tier": "gold"}}),
        },
    ),
    max_size=2,
)


@st.composite
def eips(draw: st.DrawFn, name: str) -> Json:
    spec = {
        "address": draw(
            st.sampled_from(
                ["192.0.2.0/30,2001:db8::/126", "192.0.2.2-192.0.2.5", "198.51.100.0/29", "2001:db8::2/127"]
            )
        ),
        "protocol": draw(st.sampled_from([None, None, None, "layer2"])),
        "disable": draw(seldom),
        "namespaces": draw(st.sampled_from([None, None, ["shop"]])),
        "excludeAddresses": draw(st.sampled_from([None, None, ["192.0.2.0"]])),
        "nodeSelector": draw(st.sampled_from([None, None, {"matchLabels": {"edge": "yes"}}])),
        "bgp": {"advertisements": found} if (found := draw(advertisements)) else None,
    }
    annotations = {keys.DEFAULT_EIP_ANNOTATION: "true"} if draw(flags) else {}
    return resource("Eip", name, dropping(spec), annotations=annotations)


@st.composite
def services(draw: st.DrawFn, name: str) -> Json:
    notes = {
        keys.MANAGED_ANNOTATION: draw(st.sampled_from([keys.MANAGED_VALUE] * 5 + [None])),
        keys.EIP_ANNOTATION: draw(st.sampled_from([None, None, None, "east", "west"])),
        keys.ADDRESS_ANNOTATION: draw(st.sampled_from([None, None, None, "192.0.2.2", "203.0.113.1"])),
        keys.ALLOW_SHARED_ANNOTATION: draw(st.sampled_from([None, "yes"])),
    }
    spec = {
        "type": draw(st.sampled_from(["LoadBalancer"] * 5 + ["ClusterIP"])),
        "externalTrafficPolicy": draw(st.sampled_from(["Cluster", "Local"])),
        "selector": {"app": draw(st.sampled_from(["x", "y"]))},
        "ports": [{"port": draw(st.sampled_from([80, 443])), "protocol": "TCP"}],
        "ipFamilies": draw(st.sampled_from([["IPv4"], ["IPv4"], ["IPv6"], ["IPv4", "IPv6"]])),
    }
    spec["ipFamilyPolicy"] = "RequireDualStack" if len(spec["ipFamilies"]) == 2 else "SingleStack"
    labels = draw(st.sampled_from([{}, {"tier": "gold"}]))
    metadata = {"namespace": "shop", "annotations": dropping(notes), "labels": labels}
    return {**resource("Service", name, spec, **metadata), "apiVersion": "v1"}


@st.composite
def slices(draw: st.DrawFn, service: str, family: str) -> Json:
    pods = draw(st.lists(st.sampled_from([*"aabbccd", "gone"]), max_size=4))
    endpoints = []
    for number, node in enumerate(pods, 1):
        state = draw(st.sampled_from(["ready", "ready", "ready", "not ready", "leaving"]))
        address = f"10.1.0.{number}" if family == "IPv4" else f"fd01::{number}"
        conditions = {
            "ready": state == "ready",
            "serving": state != "not ready",
            "terminating": state == "leaving",
        }
        endpoints.append({"addresses": [address], "nodeName": node, "conditions": conditions})
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-{family.lower()}",
            "namespace": "shop",
            "labels": {keys.SERVICE_NAME_LABEL: service},
        },
        "addressType": family,
        "endpoints": endpoints,
    }


@st.composite
def nodes(draw: st.DrawFn, name: str) -> Json:
    number = "abcd".index(name) + 1
    labels = dropping(
        {
            "edge": draw(st.sampled_from(["yes", "yes", None])),
            keys.EXCLUDE_LABEL: draw(st.sampled_from([None] * 5 + [""])),
            keys.RACK_LABEL: draw(st.sampled_from([None] * 5 + ["other"])),
        }
    )
    annotations = {keys.DRAIN_ANNOTATION: "true"} if draw(seldom) else {}
    taint = {"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}
    ready = draw(st.sampled_from(["True", "True", "True", "False"]))
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
        "spec": {"taints": [taint] if draw(seldom) else []},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": f"10.0.0.{number}"},
                {"type": "InternalIP", "address": f"fd00::{number}"},
            ],
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


@st.composite
def confs(draw: st.DrawFn) -> Json:
    spec = {
        "as": draw(st.sampled_from([65000, 65000, 65009])),
        "asPerRack": draw(st.sampled_from([None, None, {"other": 65010}])),
        "nextHops": draw(st.sampled_from([None, "Auto", "Self", "Rack"])),
        "standInAfterSeconds": draw(st.sampled_from([None, 0])),
        "weightedEcmp": draw(flags),
        "drain": draw(st.sampled_from([None, {"graceSeconds": 0}, {"graceSeconds": 30}])),
    }
    return resource("BgpConf", "default", dropping(spec))


PEERS = {"left": "10.0.0.254", "right": "10.0.0.253", "six": "fd00::fe", "dead": "10.0.0.250"}


@st.composite
def peers(draw: st.DrawFn, name: str) -> Json:
    families = draw(st.sampled_from([[], [], ["AFI_IP"], ["AFI_IP", "AFI_IP6"]]))
    afi_safis = [
        {
            "config": {"family": {"afi": afi, "safi": "SAFI_UNICAST"}, "enabled": True},
            "addPaths": {"config": {"sendMax": draw(st.sampled_from([1, 20]))}},
        }
        for afi in families
    ]
    # Now and then two have one address, and one is a node's own.
    address = draw(st.sampled_from([PEERS[name]] * 5 + ["10.0.0.254", "10.0.0.1"]))
    spec = {
        "conf": {
            "neighborAddress": address,
            "peerAs": draw(st.sampled_from([65001, 65001, 65000])),
            "adminDown": draw(seldom),
        },
        "afiSafis": afi_safis or None,
        "timers": {"config": {"holdTime": draw(st.sampled_from(["9", "30"]))}},
        "nodeSelector": draw(st.sampled_from([None, None, {"matchLabels": {"edge": "yes"}}])),
    }
    return resource("BgpPeer", name, dropping(spec))


def files() -> Mapping[str, st.SearchStrategy[Json]]:
    """Every file that there may be, and what it may hold."""
    found: dict[str, st.SearchStrategy[Json]] = {"conf.yaml": confs()}
    found |= {f"eip-{name}.yaml": eips(name) for name in ("east", "west", "north")}
    found |= {f"peer-{name}.yaml": peers(name) for name in PEERS}
    found |= {f"node-{name}.yaml": nodes(name) for name in "abcd"}
    for name in SERVICES:
        found[f"service-{name}.yaml"] = services(name)
        for family in ("IPv4", "IPv6"):
            found[f"slice-{name}-{family}.yaml"] = slices(name, family)
    return found


FILES = files()


class Act(msgspec.Struct, frozen=True):
    """One step: files written (None: deleted), machines that change, how the cycles after it go.

    `machines` are pairs of what happens (stop, start, silence, speak) and a node. `late`: the source shows
    the controller's writes only later. `wait` is how long nothing happens then, in seconds.
    """

    batch: Mapping[str, Json | None]
    machines: tuple[tuple[str, str], ...] = ()
    new_controller: bool = False
    late: bool = False
    wait: float = 0.0


@st.composite
def batches(draw: st.DrawFn) -> dict[str, Json | None]:
    names = draw(st.lists(st.sampled_from(sorted(FILES)), max_size=3, unique=True))
    return {name: None if draw(st.integers(0, 4)) == 0 else draw(FILES[name]) for name in names}


acts = st.builds(
    Act,
    batch=batches(),
    machines=st.lists(
        st.tuples(st.sampled_from(["stop", "start", "start", "silence", "speak"]), st.sampled_from("abc")),
        max_size=1,
    ).map(tuple),
    new_controller=seldom,
    late=flags,
    wait=st.sampled_from([0.0, 0.3, 4.0, 12.0, 70.0]),
)


@st.composite
def folders(draw: st.DrawFn) -> dict[str, Json]:
    """A folder to begin with: most of what a cluster has."""
    return {name: draw(strategy) for name, strategy in FILES.items() if draw(st.integers(0, 4)) > 0}
