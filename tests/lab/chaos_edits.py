"""Edits of the random walk: every kind of object is created, changed, broken and deleted.

Each act draws what it does; None says that there is nothing that it could be done to.
"""

import json
import random
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from lab.lab import Lab
from lab.shell import wait_until

from .chaos_truth import DRAIN, EXCLUDE, RACK, Object
from .chaos_world import (
    ADDRESS,
    CONTROL,
    EDGE,
    EIP,
    NAMES,
    NODES,
    PEERS,
    RANGES,
    SHARED,
    Happening,
    World,
    all_of,
    resource,
)


def service(dice: random.Random, world: World, _: Lab) -> Happening | None:
    """A Service is created, edited or deleted."""
    name = dice.choice(NAMES)
    key = f"Service/{name}"
    if key in world.broken:
        return None
    before = world.objects.get(key)
    if before is not None and dice.random() < 0.2:
        world.drop("Service", name)
        return Happening(f"delete Service {name}", moved=_sharers(world, before))
    made = _service(dice, name)
    if before is not None and dice.random() < 0.6:
        # Only what no address depends on.
        edited = json.loads(json.dumps(before))
        edited["spec"]["externalTrafficPolicy"] = made["spec"]["externalTrafficPolicy"]
        edited["metadata"]["labels"] = {"round": str(dice.randrange(100))}
        world.put(edited)
        contested = _sharers(world, edited) if ADDRESS in edited["metadata"]["annotations"] else frozenset()
        return Happening(f"edit Service {name}: {edited['spec']['externalTrafficPolicy']}", moved=contested)
    world.put(made)
    notes, spec = made["metadata"]["annotations"], made["spec"]
    said = f"{spec['type']} {spec['externalTrafficPolicy']} {spec['ports'][0]['port']} {spec['ipFamilies']}"
    moved = _sharers(world, made) | (_sharers(world, before) if before else frozenset())
    return Happening(f"write Service {name}: {said} {sorted(notes.values())}", moved=moved)


def endpoints(dice: random.Random, world: World, _: Lab) -> Happening | None:
    """The pods behind a Service come, go, leave or move."""
    name, version = dice.choice(NAMES), dice.choice((4, 6))
    key = f"EndpointSlice/{name}-v{version}"
    if key in world.broken:
        return None
    if key in world.objects and dice.random() < 0.1:
        world.drop("EndpointSlice", f"{name}-v{version}")
        return Happening(f"delete {key}")
    pods: list[dict[str, Any]] = []
    for number, node in enumerate(NODES, 1):
        state = dice.choice(("absent", "ready", "ready", "starting", "leaving"))
        if state == "absent":
            continue
        address = f"10.244.{number}.10" if version == 4 else f"fd00:244:{number}::10"
        conditions = {
            "ready": state == "ready",
            "serving": state != "starting",
            "terminating": state == "leaving",
        }
        pods.append({"addresses": [address], "nodeName": node, "conditions": conditions})
    world.put(_slice(name, version, pods))
    states = [f"{one['nodeName']} {'ready' if one['conditions']['ready'] else 'not'}" for one in pods]
    return Happening(f"write {key}: {', '.join(states)}")


def eip(dice: random.Random, world: World, _: Lab) -> Happening | None:
    """A pool grows, shrinks, is disabled or enabled, advertised otherwise, deleted or made again."""
    name = dice.choice(tuple(RANGES))
    key = f"Eip/{name}"
    if key in world.broken:
        return None
    if name == "west" and key in world.objects and dice.random() < 0.2:
        world.drop("Eip", name)
        return Happening("delete Eip west")
    spec: Object = {"address": dice.choice(RANGES[name])}
    if dice.random() < 0.3:
        spec["disable"] = True
    if dice.random() < 0.2:
        spec["nodeSelector"] = EDGE
    if dice.random() < 0.7:
        spec["bgp"] = {"advertisements": _advertisements(dice, name)}
    made = resource("Eip", name, spec)
    if name != "west":
        made["metadata"]["annotations"] = {"eip.openelb.kubesphere.io/is-default-eip": "true"}
    world.put(made)
    return Happening(f"write Eip {name}: {json.dumps(spec)}")


def peer(dice: random.Random, world: World, _: Lab) -> Happening | None:
    """A BgpPeer is described anew, gets other timers or a nodeSelector, is deleted or comes back.

    BFD is not drawn: gobgpd that is told to leave it says no goodbye, so the router ends the session later.
    """
    name = dice.choice(PEERS)
    key = f"BgpPeer/{name}"
    if key in world.broken:
        return None
    concerned = frozenset((name.removesuffix("-v6"), node) for node in NODES)
    if key not in world.objects:
        world.put(_peer(name))
        return Happening(f"create BgpPeer {name}", resets=concerned)
    what = dice.choice(("description", "description", "holdTime", "holdTime", "nodeSelector", "delete"))
    if what == "delete":
        world.drop("BgpPeer", name)
        return Happening(f"delete BgpPeer {name}", resets=concerned)
    edited = json.loads(json.dumps(world.objects[key]))
    spec, resets = edited["spec"], frozenset[tuple[str, str]]()
    if what == "description":
        spec["conf"]["description"] = f"edited {dice.randrange(1000)}"
    elif what == "holdTime":
        spec["timers"] = {"config": {"holdTime": str(dice.choice((12, 30, 90)))}}
    elif spec.pop("nodeSelector", None) is None:
        spec["nodeSelector"] = EDGE
    if what == "nodeSelector":
        resets = concerned
    world.put(edited)
    return Happening(f"edit BgpPeer {name}: {what}", resets=resets)


def conf(dice: random.Random, world: World, _: Lab) -> Happening | None:
    """The BgpConf gets another way of choosing next hops, weights, or another grace."""
    if "BgpConf/default" in world.broken:
        return None
    edited = json.loads(json.dumps(world.objects["BgpConf/default"]))
    edited["spec"]["nextHops"] = dice.choice(("Auto", "Auto", "Self", "Rack"))
    edited["spec"]["weightedEcmp"] = dice.random() < 0.5
    edited["spec"]["drain"] = {"graceSeconds": dice.choice((0, 1, 2))}
    world.put(edited)
    return Happening(f"edit BgpConf: {json.dumps(edited['spec'])}")


def node(dice: random.Random, world: World, _: Lab) -> Happening | None:
    """A Node is labelled, drained, becomes NotReady or loses its network, or recovers."""
    name = dice.choice(NODES)
    if f"Node/{name}" in world.broken:
        return None
    edited = json.loads(json.dumps(world.objects[f"Node/{name}"]))
    labels, notes = edited["metadata"]["labels"], edited["metadata"].setdefault("annotations", {})
    what = dice.choice(("drain", "drain", "exclude", "edge", "rack", "Ready", "NetworkUnavailable"))
    on = False
    if what == "drain":
        on = notes.pop(DRAIN, None) is None
        notes.update({DRAIN: "true"} if on else {})
    elif what in ("exclude", "edge", "rack"):
        key, value = {"exclude": (EXCLUDE, ""), "edge": ("edge", "yes"), "rack": (RACK, "other")}[what]
        on = labels.pop(key, None) is None
        labels.update({key: value} if on else {})
    else:
        on = not edited["status"].get("conditions")
        bad = {"type": what, "status": "False" if what == "Ready" else "True"}
        edited["status"]["conditions"] = [bad] if on else []
    world.put(edited)
    resets = all_of(name) if what == "edge" else frozenset[tuple[str, str]]()
    return Happening(f"edit Node {name}: {what} {'on' if on else 'off'}", resets=resets)


def broken_file(dice: random.Random, world: World, lab: Lab) -> Happening | None:
    """A file stops parsing, or is mended."""
    if world.broken:
        key = sorted(world.broken)[0]
        world.mend(key)
        return Happening(f"mend {key}")
    # Who stands in for kube-proxy does not remember what a broken file said.
    spared = {f"Service/{CONTROL}", f"EndpointSlice/{CONTROL}-v4", f"EndpointSlice/{CONTROL}-v6"}
    key = dice.choice(sorted(world.objects.keys() - spared))
    # A daemon that is still to start, or starting, would never have seen the file whole.
    if not all(process.alive() for process in lab.processes.all()):
        return None
    _await_started(lab)
    world.spoil(key)
    return Happening(f"break {key}")


def _service(dice: random.Random, name: str) -> Object:
    families = dice.choice((["IPv4"], ["IPv6"], ["IPv4", "IPv6"], ["IPv4", "IPv6"]))
    notes = {"lb.kubesphere.io/v1alpha1": "openelb"}
    asks = dice.choice(("anything", "anything", "pool", "address"))
    if asks == "pool":
        notes[EIP] = "west"
    elif asks == "address" and "IPv4" in families:
        notes[ADDRESS] = dice.choice(SHARED)
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "annotations": notes},
        "spec": {
            "type": dice.choice(("LoadBalancer",) * 5 + ("ClusterIP",)),
            "externalTrafficPolicy": dice.choice(("Cluster", "Local")),
            "ipFamilyPolicy": "RequireDualStack" if len(families) == 2 else "SingleStack",
            "ipFamilies": families,
            "selector": {"app": name},
            "ports": [{"name": "http", "protocol": "TCP", "port": dice.choice((80, 81)), "targetPort": 8080}],
        },
    }


def _sharers(world: World, one: Object) -> frozenset[str]:
    """The Service itself, and those that name the same address."""
    named = one["metadata"]["annotations"].get(ADDRESS)
    others = {
        name
        for name, other in world.of("Service").items()
        if named and other["metadata"]["annotations"].get(ADDRESS) == named
    }
    return frozenset({one["metadata"]["name"]} | others)


def _slice(service: str, version: int, pods: list[Any]) -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-v{version}",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": service},
        },
        "addressType": f"IPv{version}",
        "ports": [{"name": "http", "protocol": "TCP", "port": 8080}],
        "endpoints": pods,
    }


def _advertisements(dice: random.Random, pool: str) -> list[Object]:
    lengths = {"aggregationLength": 30, "aggregationLengthV6": 126}
    return dice.choice(
        (
            [{"communities": ["65000:100", "65000:1:1"]}],
            [{"med": 10}],
            [{"med": 20, "communities": ["65000:100"], "asPathPrepend": 1}],
            [{"peers": ["leaf1", "leaf1-v6"]}],
            [{"peers": ["leaf2", "leaf2-v6"], "communities": ["65000:7"]}],
            [{"nodeSelector": EDGE}],
            [{}, {**lengths, "communities": ["65000:30"]}],
            [{}, {**lengths, "peers": ["leaf2", "leaf2-v6"]}],
            [{}, {"peers": ["leaf1"], "communities": ["65000:9"]}],
        )
    )


def _peer(name: str) -> Object:
    host = name.removesuffix("-v6").removeprefix("leaf")
    address = f"fd00:10::{host}" if name.endswith("-v6") else f"10.10.0.{host}"
    return resource("BgpPeer", name, {"conf": {"neighborAddress": address, "peerAs": 65001}})


def _await_started(lab: Lab) -> None:
    """Wait until every daemon has read the manifests and done what they say."""
    for where, port in (("controller", 50052), *((node, 50053) for node in lab.nodes)):
        _await_ready(lab, where, port)


def _await_ready(lab: Lab, where: str, port: int) -> None:
    space = lab.space(where)
    wait_until(lambda: space.call(lambda: _is_ready(port)), within=20.0, what=f"{where} to be ready")


def _is_ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2.0) as answer:
            return bool(answer.status == 200)
    except URLError:
        return False
