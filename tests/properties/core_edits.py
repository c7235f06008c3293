"""What may happen to a small cluster: documents of every kind that decides, and what its machines do.

Few names, so that everything meets everything. Not drawn is what only the past can answer by contract: an
object that becomes invalid (its last good version stays), a Secret or ConfigMap that goes, the Node of a
running speaker that goes.
"""

from collections.abc import Mapping, Sequence
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


def service(
    name: str,
    *,
    notes: Json | None = None,
    labels: Json | None = None,
    kind: str = "LoadBalancer",
    local: bool = False,
    app: str = "x",
    port: int = 80,
    families: Sequence[str] = ("IPv4", "IPv6"),
) -> Json:
    spec = {
        "type": kind,
        "externalTrafficPolicy": "Local" if local else "Cluster",
        "selector": {"app": app},
        "ports": [{"port": port, "protocol": "TCP"}],
        "ipFamilies": list(families),
        "ipFamilyPolicy": "RequireDualStack" if len(families) > 1 else "SingleStack",
    }
    annotations = {keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE} if notes is None else notes
    metadata = {"namespace": "shop", "annotations": annotations, "labels": labels or {}}
    return {**resource("Service", name, spec, **metadata), "apiVersion": "v1"}


notes_of_services = st.fixed_dictionaries(
    {
        keys.MANAGED_ANNOTATION: st.sampled_from([keys.MANAGED_VALUE] * 5 + [None]),
        keys.EIP_ANNOTATION: st.sampled_from([None, None, None, "east", "west"]),
        keys.ADDRESS_ANNOTATION: st.sampled_from([None, None, None, "192.0.2.2", "203.0.113.1"]),
        keys.ALLOW_SHARED_ANNOTATION: st.sampled_from([None, "yes"]),
    }
).map(dropping)


def services(name: str) -> st.SearchStrategy[Json]:
    return st.builds(
        service,
        st.just(name),
        notes=notes_of_services,
        labels=st.sampled_from([{}, {"tier": "gold"}]),
        kind=st.sampled_from(["LoadBalancer"] * 5 + ["ClusterIP"]),
        local=flags,
        app=st.sampled_from(["x", "y"]),
        port=st.sampled_from([80, 443]),
        families=st.sampled_from([("IPv4",), ("IPv4",), ("IPv6",), ("IPv4", "IPv6")]),
    )


def endpoint_slice(service: str, family: str, pods: Sequence[tuple[str, str]]) -> Json:
    """`pods` are pairs of a node and a state: ready, leaving or down."""
    endpoints = []
    for number, (place, state) in enumerate(pods, 1):
        address = f"10.1.0.{number}" if family == "IPv4" else f"fd01::{number}"
        conditions = {
            "ready": state == "ready",
            "serving": state != "down",
            "terminating": state == "leaving",
        }
        endpoints.append({"addresses": [address], "nodeName": place, "conditions": conditions})
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


states = st.sampled_from(["ready", "ready", "ready", "down", "leaving"])
pods = st.lists(st.tuples(st.sampled_from([*"aabbccd", "gone"]), states), max_size=4)


def slices(service: str, family: str) -> st.SearchStrategy[Json]:
    return st.builds(endpoint_slice, st.just(service), st.just(family), pods)


def node(
    name: str,
    number: int,
    *,
    labels: Json | None = None,
    drained: bool = False,
    tainted: bool = False,
    ready: str = "True",
) -> Json:
    taint = {"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}
    annotations = {keys.DRAIN_ANNOTATION: "true"} if drained else {}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels or {}, "annotations": annotations},
        "spec": {"taints": [taint] if tainted else []},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": f"10.0.0.{number}"},
                {"type": "InternalIP", "address": f"fd00::{number}"},
            ],
            "conditions": [{"type": "Ready", "status": ready}],
        },
    }


labels_of_nodes = st.fixed_dictionaries(
    {
        "edge": st.sampled_from(["yes", "yes", None]),
        keys.EXCLUDE_LABEL: st.sampled_from([None] * 5 + [""]),
        keys.RACK_LABEL: st.sampled_from([None] * 5 + ["other"]),
    }
).map(dropping)


def nodes(name: str) -> st.SearchStrategy[Json]:
    return st.builds(
        node,
        st.just(name),
        st.just("abcd".index(name) + 1),
        labels=labels_of_nodes,
        drained=seldom,
        tainted=seldom,
        ready=st.sampled_from(["True", "True", "True", "False"]),
    )


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
OWN_NODES = frozenset({"node-a.yaml", "node-b.yaml", "node-c.yaml"})


class Act(msgspec.Struct, frozen=True):
    """One step: files written (None: deleted), machines that change, how the cycles after it go.

    `machines` are pairs of what happens (stop, start, silence, speak) and a node. `late`: the source shows
    the controller's writes only later. `full`: the disk is, and takes none of them at first. `wait` is how
    long nothing happens then, in seconds.
    """

    batch: Mapping[str, Json | None]
    machines: tuple[tuple[str, str], ...] = ()
    new_controller: bool = False
    late: bool = False
    full: bool = False
    wait: float = 0.0


def goes(draw: st.DrawFn, name: str) -> bool:
    return name not in OWN_NODES and draw(st.integers(0, 4)) == 0


@st.composite
def batches(draw: st.DrawFn) -> dict[str, Json | None]:
    names = draw(st.lists(st.sampled_from(sorted(FILES)), max_size=3, unique=True))
    return {name: None if goes(draw, name) else draw(FILES[name]) for name in names}


acts = st.builds(
    Act,
    batch=batches(),
    machines=st.lists(
        st.tuples(st.sampled_from(["stop", "start", "start", "silence", "speak"]), st.sampled_from("abc")),
        max_size=1,
    ).map(tuple),
    new_controller=seldom,
    late=flags,
    full=seldom,
    wait=st.sampled_from([0.0, 0.3, 4.0, 12.0, 70.0]),
)


def sane() -> dict[str, Json]:
    """A folder in which everything is announced: what is drawn spoils it in few places at a time."""
    found = {
        "conf.yaml": resource("BgpConf", "default", {"as": 65000}),
        "eip-east.yaml": resource(
            "Eip",
            "east",
            {"address": "192.0.2.0/29,2001:db8::/125"},
            annotations={keys.DEFAULT_EIP_ANNOTATION: "true"},
        ),
    }
    both = [{"config": {"family": {"afi": afi, "safi": "SAFI_UNICAST"}}} for afi in ("AFI_IP", "AFI_IP6")]
    for name in ("left", "right"):
        spec = {"conf": {"neighborAddress": PEERS[name], "peerAs": 65001}, "afiSafis": both}
        found[f"peer-{name}.yaml"] = resource("BgpPeer", name, spec)
    for number, name in enumerate("abc", 1):
        found[f"node-{name}.yaml"] = node(name, number)
    for number, name in enumerate(SERVICES):
        found[f"service-{name}.yaml"] = service(name, local=number % 2 > 0)
        found[f"slice-{name}-IPv4.yaml"] = endpoint_slice(name, "IPv4", [("a", "ready"), ("b", "ready")])
        found[f"slice-{name}-IPv6.yaml"] = endpoint_slice(name, "IPv6", [("b", "ready")])
    return found


@st.composite
def folders(draw: st.DrawFn) -> dict[str, Json]:
    """A folder to begin with."""
    changed = draw(st.lists(st.sampled_from(sorted(FILES)), max_size=10, unique=True))
    drawn = {name: draw(FILES[name]) for name in changed if not goes(draw, name)}
    kept = {name: document for name, document in sane().items() if name not in changed}
    return dict(sorted({**kept, **drawn}.items()))
