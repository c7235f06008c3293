"""A seeded random walk through the whole ECMP lab: edits and deaths, and after each step everything is right.

A step does one to three things of `chaos.py` at once; then the lab must come to rest with exactly the routes
in the routers' kernels that `chaos_truth.py` works out from the manifests. Meanwhile requests go to a Service
that nobody touches.
"""

import json
import random
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.errors import StepFailed
from lab.lab import TOPOLOGIES, Lab, held_lab
from lab.steps.step import addresses, await_hops, await_sessions, await_value, expect
from lab.traffic import Load, under_load
from openelb_bgp import admission
from openelb_bgp.files import view
from openelb_bgp.files.errors import FilesError
from openelb_bgp.files.load import load
from openelb_bgp.ipam import Rules, allocate
from openelb_bgp.model.meta import Kind

from .chaos import draw
from .chaos_truth import Routes, Truth
from .chaos_world import CONTROL, Happening, World, world_of

SETTLED = 40.0
"""Seconds within which the lab must be at rest after a step: sessions come back, nodes are stood in for."""
RATE = 40.0
_BAD_WORDS = ("Traceback", "cycle_failed", "panic:")
_ALLOCATED = "openelb.kubesphere.io/allocated"
_ANNOUNCED = "network.kubesphere.io/Announced"


class Walk:
    """One walk: what was, so that a step can be compared with it."""

    def __init__(self, lab: Lab, world: World, seed: int, *, verbose: bool = False) -> None:
        self._lab, self._world = lab, world
        self._dice = random.Random(seed)
        self._verbose = verbose
        self._nodes = dict(lab.node_by_address)
        self._logs: dict[Path, int] = {}
        self._history: list[str] = []
        self._addresses: dict[str, frozenset[str]] = {}
        self._resets: Mapping[str, Mapping[str, int]] = {}
        self._announcing = self._truth().announcing(CONTROL, "control")

    def begin(self) -> None:
        """Come to rest before the first step."""
        self._settle()
        self._resets, self._addresses = self._lost_sessions(), self._held()

    def step(self, loads: list[Load]) -> None:
        """Do something, come to rest, and compare."""
        since = time.monotonic()
        happened = draw(self._dice, self._world, self._lab)
        self._history.append("; ".join(one.text for one in happened))
        self._say(f"{len(self._history)}. {self._history[-1]}")
        self._settle()
        self._say(f"   at rest after {time.monotonic() - since:.1f} s")
        self._check_addresses(happened)
        self._check_resets(happened)
        self._check_requests(happened, loads, since)
        self._check_logs()

    def rest(self, seconds: float) -> None:
        """Nothing happens, so nothing is sent, written or changed."""
        seen = [self._activity()]
        while len(seen) < 2 or seen[-1] != seen[-2]:
            # Reports are written together, a while after what they tell.
            self._expect(len(seen) < 15, expected="reports come to an end", seen=seen[-2:])
            time.sleep(2.0)
            seen.append(self._activity())
        before = seen[-1]
        with ExitStack() as stack:
            silent = [stack.enter_context(_routes_of(self._lab, name)) for name in self._lab.routers]
            time.sleep(seconds)
        after = self._activity()
        self._expect(before == after, expected=f"an idle lab stays at {before}", seen=after)
        said = [file.read_text() for file in silent if file.read_text()]
        self._expect(not said, expected="no route changes in an idle lab", seen=said)
        self._check_logs()

    # Rest.

    def _settle(self) -> None:
        try:
            await_value(self._unsettled, lambda wrong: not wrong, expected="nothing differs", within=SETTLED)
            # What flaps would have gone again by now.
            time.sleep(0.3)
            await_value(self._unsettled, lambda wrong: not wrong, expected="it stays so", within=0.0)
        except StepFailed as exc:
            raise StepFailed(f"{exc}\nafter:\n{self._story()}") from exc

    def _unsettled(self) -> dict[str, Any]:
        """Everything that is not as it should be yet."""
        # First, so that everything else is compared with what the last address given means.
        addresses = self._unallocated()
        truth = self._truth()
        wrong: dict[str, Any] = {
            "addresses": addresses,
            "sessions": _different(wanted=truth.sessions(), seen=self._sessions_seen()),
            "routes": {
                router: _different(wanted=routes, seen=self._kernel(router))
                for router, routes in truth.routes().items()
            },
            "speakers": self._busy_speakers(),
            "announced": self._misreported(truth.routes()),
        }
        wrong["routes"] = {router: found for router, found in wrong["routes"].items() if found}
        return {what: found for what, found in wrong.items() if found}

    def _truth(self) -> Truth:
        return Truth(self._world.objects, self._allocated())

    def _allocated(self) -> dict[str, dict[str, str]]:
        """Each Service's addresses and their pools, as its status and annotation say."""
        found: dict[str, dict[str, str]] = {}
        for service in self._services().values():
            text = service["metadata"].get("annotations", {}).get(_ALLOCATED, "")
            pools = dict(part.split("=") for part in text.split(",") if part)
            ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress", [])
            found[service["metadata"]["name"]] = {one["ip"]: pools.get(one["ip"], "") for one in ingress}
        return found

    def _services(self) -> dict[str, Any]:
        try:
            found = view.objects(self._world.whole, self._lab.paths.state, Kind.SERVICE)
        except FilesError:
            return {}
        return {one["metadata"]["name"]: one for one in found}

    def _unallocated(self) -> dict[str, Any]:
        """Services that a controller would still change."""
        snapshot = load(self._world.whole, state=self._lab.paths.state).snapshot
        made = allocate(snapshot, rules=Rules(), blocked_pools=admission.blocked_pools(snapshot))
        return {
            str(key): (snapshot.services[key].addresses, decision.written().addresses)
            for key, decision in made.services.items()
            if key in snapshot.services and decision.written().addresses != snapshot.services[key].addresses
        }

    def _busy_speakers(self) -> dict[str, Any]:
        found = {
            one["metadata"]["name"]: one.get("status", {}) for one in self._lab.desk.objects(Kind.SPEAKER)
        }
        return {
            node: found.get(node, {}).get("routes")
            for node in self._lab.nodes
            if (routes := found.get(node, {}).get("routes")) is None
            or routes["desired"] != routes["announced"]
        }

    def _misreported(self, routes: Routes) -> dict[str, str]:
        """Services whose condition does not say what the routers hold."""
        reached = {prefix for held in routes.values() for prefix in held}
        wrong = {}
        for name, service in self._services().items():
            ips = [one["ip"] for one in service.get("status", {}).get("loadBalancer", {}).get("ingress", [])]
            conditions = service.get("status", {}).get("conditions", [])
            said: dict[str, Any] = next((one for one in conditions if one["type"] == _ANNOUNCED), {})
            told = [ip in reached for ip in ips]
            if ips and all(told) and said.get("status") != "True":
                wrong[name] = f"announced, but: {said}"
            if ips and not any(told) and said.get("status") == "True" and self._is_plain(name):
                wrong[name] = f"not announced, but: {said}"
        return wrong

    def _is_plain(self, service: str) -> bool:
        """Whether its pools are advertised whole, by all nodes and to all peers."""
        eips = self._world.of("Eip")
        pools = [eips[pool]["spec"] for pool in self._allocated()[service].values() if pool in eips]
        advertised = [one for pool in pools for one in pool.get("bgp", {}).get("advertisements", [])]
        return not any({"nodeSelector", "peers"} & one.keys() for one in advertised)

    def _sessions_seen(self) -> dict[tuple[str, int], frozenset[str]]:
        found: dict[tuple[str, int], frozenset[str]] = {}
        for name, router in self._lab.routers.items():
            up = router.established()
            for version in (4, 6):
                peers = (peer for peer in up if (":" in peer) == (version == 6))
                found[name, version] = frozenset(self._nodes[peer] for peer in peers)
        return found

    def _kernel(self, router: str) -> dict[str, frozenset[str]]:
        found: dict[str, frozenset[str]] = {}
        space = self._lab.routers[router].namespace
        for family in ("-4", "-6"):
            for route in json.loads(
                space.run("ip", family, "-json", "route", "show", "proto", "bgp") or "[]"
            ):
                legs = route.get("nexthops", [route])
                hops = frozenset(self._nodes.get(leg.get("gateway", ""), str(leg)) for leg in legs)
                found[route["dst"]] = found.get(route["dst"], frozenset()) | hops
        return found

    # Comparisons.

    def _check_addresses(self, happened: list[Happening]) -> None:
        before, self._addresses = self._addresses, self._held()
        asked = frozenset[str]().union(*(one.moved for one in happened))
        left = {
            name: (sorted(held), sorted(self._addresses.get(name, ())))
            for name, held in before.items()
            if name not in asked and not held <= self._addresses.get(name, frozenset())
        }
        self._expect(not left, expected="no Service that was not asked to moves", seen=left)
        owners: dict[str, list[str]] = {}
        for name, held in self._addresses.items():
            for address in held:
                owners.setdefault(address, []).append(name)
        services = self._world.of("Service")
        twice = {
            address: names
            for address, names in owners.items()
            if len({services[name]["spec"]["ports"][0]["port"] for name in names if name in services})
            < len(names)
        }
        self._expect(not twice, expected="no address twice on one port", seen=twice)

    def _held(self) -> dict[str, frozenset[str]]:
        return {name: frozenset(addresses) for name, addresses in self._allocated().items()}

    def _check_resets(self, happened: list[Happening]) -> None:
        allowed = frozenset[tuple[str, str]]().union(*(one.resets for one in happened))
        before, self._resets = self._resets, self._lost_sessions()
        more = {
            f"{router}-{peer}": (before[router].get(peer, 0), count)
            for router, counts in self._resets.items()
            for peer, count in counts.items()
            if count > before[router].get(peer, 0) and (router, self._nodes[peer]) not in allowed
        }
        self._expect(not more, expected="no session reset that need not be", seen=more)

    def _lost_sessions(self) -> dict[str, dict[str, int]]:
        return {
            name: {peer: session.resets for peer, session in router.sessions().items()}
            for name, router in self._lab.routers.items()
        }

    def _check_requests(self, happened: list[Happening], loads: list[Load], since: float) -> None:
        before, self._announcing = self._announcing, self._truth().announcing(CONTROL, "control")
        # Where no node announced it before and after, a router has been without its routes.
        gap = any(not before[key] & now for key, now in self._announcing.items())
        if gap or any(one.gap for one in happened):
            # Requests under way at this moment were sent without routes, too.
            time.sleep(1.0)
            return
        lost = [answer for load in loads for answer in load.tally().since(since).lost]
        seen = [(round(one.sent - since, 2), one.error, one.tries) for one in lost]
        self._expect(not lost, expected=f"no request to {CONTROL} lost", seen=seen)

    def _check_logs(self) -> None:
        files = [*self._lab.folder.path.rglob("*.log"), *self._lab.paths.root.glob("run/*/*/log")]
        for file in files:
            text = file.read_text(errors="replace")
            fresh = text[self._logs.get(file, 0) :]
            self._logs[file] = len(text)
            bad = [line for line in fresh.splitlines() if any(word in line for word in _BAD_WORDS)]
            self._expect(not bad, expected=f"no traceback in {file.name}", seen="\n".join(bad)[:3000])

    def _activity(self) -> dict[str, Any]:
        """What grows when anything is sent to a router or written into the state."""
        found: dict[str, Any] = {}
        for name, router in self._lab.routers.items():
            for family in ("ipv4", "ipv6"):
                table = router.show(f"show bgp {family} unicast")
                found[f"{name} {family} table"] = table.get("tableVersion")
            for peer, data in router.show("show bgp neighbors").items():
                stats = data.get("messageStats", {})
                found[f"{name} {peer} updates"] = (stats.get("updatesRecv"), stats.get("notificationsRecv"))
        for kind in (Kind.SERVICE, Kind.SPEAKER, Kind.EIP, Kind.BGP_PEER):
            for one in self._lab.desk.objects(kind):
                found[f"{kind} {one['metadata']['name']}"] = one["metadata"].get("resourceVersion")
        return found

    def _expect(self, holds: bool, *, expected: str, seen: object) -> None:
        expect(holds, expected=expected, seen=f"{seen}\nafter:\n{self._story()}")

    def _story(self) -> str:
        return "\n".join(f"{n}. {text}" for n, text in enumerate(self._history, 1))

    def _say(self, text: str) -> None:
        if self._verbose:
            print(text, flush=True)  # noqa: T201


def walk(lab: Lab, *, seed: int, steps: int, idle: float, verbose: bool = False) -> None:
    """Start everything, take `steps` steps under load, then let the lab be for `idle` seconds."""
    world = world_of(lab)
    lab.start_daemons()
    await_sessions(lab)
    targets = addresses(lab, CONTROL)
    for address in targets:
        await_hops(lab, address, lab.nodes)
    one = Walk(lab, world, seed, verbose=verbose)
    one.begin()
    with ExitStack() as stack:
        loads = [stack.enter_context(under_load(lab.client, address, rate=RATE)) for address in targets]
        for _ in range(steps):
            one.step(loads)
    one.rest(idle)


@pytest.mark.parametrize("seed", [9])
def test_whatever_happens_the_routers_hold_what_the_manifests_say(seed: int) -> None:
    with held_lab(TOPOLOGIES / "ecmp.clab.yml") as lab:
        walk(lab, seed=seed, steps=20, idle=5.0)


@contextmanager
def _routes_of(lab: Lab, router: str) -> Iterator[Path]:
    """A file with every route that the router's kernel changes meanwhile."""
    file = lab.folder.path / f"{router}-routes.txt"
    argv = lab.routers[router].namespace.argv("ip", "monitor", "route")
    with file.open("w") as output, subprocess.Popen(argv, stdout=output) as monitor:
        try:
            yield file
        finally:
            monitor.kill()


def _different(*, wanted: Mapping[Any, Any], seen: Mapping[Any, Any]) -> dict[Any, Any]:
    return {
        key: {"wanted": sorted(wanted.get(key, ())), "seen": sorted(seen.get(key, ()))}
        for key in {**wanted, **seen}
        if wanted.get(key) != seen.get(key)
    }
