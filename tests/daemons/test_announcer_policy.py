"""Edits of policies, advertisements and peers: sessions stay, and routers end up with the plan and no more.

Two FRR routers, one with add-path and one without. What each has is compared with what the plan says that it
sees; a walk of random edits looks for paths that stay behind.
"""

import json
import random
from collections.abc import AsyncIterator, Callable
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from openelb_bgp.bgp.plan import plan
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.meta import LabelSelector
from openelb_bgp.model.pools import Advertisement
from openelb_bgp.model.routing import AfiSafi
from openelb_bgp.model.snapshot import Snapshot
from tests.contract.process import Process, eventually
from tests.contract.real import RealNode, started
from tests.contract.world import (
    NODE_ASN,
    cluster,
    conf,
    peer,
    policy,
    pool,
    prefixes,
    with_,
    with_services,
    without_peer,
)
from tests.daemons.conftest import StartRouter
from tests.daemons.harness.frr import Frr
from tests.daemons.harness.kernel import RouteDeletions
from tests.daemons.harness.netns import Lan

WEB = range(20)
REJECT_SOME = """
[[defined-sets.prefix-sets]]
prefix-set-name = "some"
[[defined-sets.prefix-sets.prefix-list]]
ip-prefix = "{prefix}"
masklength-range = "32..32"
[[policy-definitions]]
name = "users"
[[policy-definitions.statements]]
name = "no"
[policy-definitions.statements.conditions.match-prefix-set]
prefix-set = "some"
[policy-definitions.statements.actions]
route-disposition = "reject-route"
[global.apply-policy.config]
export-policy-list = ["users"]
"""
ONLY_FOR_ONE = """
[[defined-sets.neighbor-sets]]
neighbor-set-name = "one"
neighbor-info-list = ["{neighbour}"]
[[policy-definitions]]
name = "users"
[[policy-definitions.statements]]
name = "only"
[policy-definitions.statements.conditions.match-neighbor-set]
neighbor-set = "one"
match-set-options = "invert"
[policy-definitions.statements.actions]
route-disposition = "reject-route"
[global.apply-policy.config]
export-policy-list = ["users"]
"""
SET_MED = """
[[policy-definitions]]
name = "users"
[[policy-definitions.statements]]
name = "med"
[policy-definitions.statements.actions.bgp-actions]
set-med = "{med}"
[global.apply-policy.config]
export-policy-list = ["users"]
"""


class Scene(NamedTuple):
    """Two sessions that are up; the second router takes one path a prefix."""

    node: RealNode
    speaker: Process
    snapshot: Snapshot
    lan: Lan
    routers: tuple[Frr, Frr]

    def established(self) -> list[int]:
        """How often each session came up."""
        node = self.lan.nodes[0].v4
        return [router.neighbor(node)["connectionsEstablished"] for router in self.routers]

    async def settle(self, *objects: Any) -> None:
        await self.speaker.settle(with_(self.snapshot, *objects))

    async def both_have(self, *wanted: set[str]) -> None:
        for router, some in zip(self.routers, wanted, strict=True):
            has_them = partial(has, router, some)
            await eventually(has_them, within=20, what=f"{len(some)} prefixes in {router.namespace.name}")


def has(router: Frr, prefixes: set[str]) -> bool:
    return router.prefixes() == prefixes


def peers(lan: Lan) -> list[Any]:
    one = AfiSafi(family=Family.IPV4, add_paths_send_max=0)
    first, second = lan.routers
    return [peer(first.v4, "leaf1"), peer(second.v4, "leaf2", afi_safis=(one,))]


@pytest.fixture
async def scene(
    gobgp_version: str, new_lan: Callable[..., Lan], start_router: StartRouter, tmp_path: Path
) -> AsyncIterator[Scene]:
    lan = new_lan(routers=2)
    first, second = [await start_router(one, neighbors={lan.nodes[0].v4: NODE_ASN}) for one in lan.routers]
    snapshot = cluster(WEB, peers=peers(lan))
    async with (
        started(gobgp_version, lan.nodes[0], tmp_path) as node,
        node.process(new_boot=True).running() as speaker,
    ):
        await speaker.settle(snapshot)
        scene = Scene(node, speaker, snapshot, lan, (first, second))
        await scene.both_have(prefixes(WEB), prefixes(WEB))
        yield scene


async def test_a_users_policy_withdraws_what_it_newly_rejects_and_nothing_else(scene: Scene) -> None:
    used, everything = conf(policy="policy"), prefixes(WEB)
    with RouteDeletions(scene.lan.routers[0]) as first, RouteDeletions(scene.lan.routers[1]) as second:
        await scene.settle(used, policy(REJECT_SOME.format(prefix="198.18.0.0/30")))
        left = everything - prefixes(range(4))
        await scene.both_have(left, left)
        await scene.settle(used, policy(REJECT_SOME.format(prefix="198.18.0.8/30")))
        left = everything - prefixes(range(8, 12))
        await scene.both_have(left, left)
    gone = [*range(4), *range(8, 12)]
    assert (
        sorted(first.prefixes)
        == sorted(second.prefixes)
        == sorted(one.removesuffix("/32") for one in prefixes(gone))
    )
    await scene.settle()
    await scene.both_have(everything, everything)
    assert scene.established() == [1, 1]


async def test_a_policy_for_one_router_costs_the_other_nothing(scene: Scene) -> None:
    used = conf(policy="policy")
    first, second = (leaf.v4 for leaf in scene.lan.routers)
    with RouteDeletions(scene.lan.routers[1]) as deletions:
        await scene.settle(used, policy(ONLY_FOR_ONE.format(neighbour=second)))
        await scene.both_have(set(), prefixes(WEB))
    assert deletions.prefixes == ()
    await scene.settle(used, policy(ONLY_FOR_ONE.format(neighbour=first)))
    await scene.both_have(prefixes(WEB), set())
    assert scene.established() == [1, 1]


async def test_a_policy_that_modifies_is_seen_by_routers_that_have_the_routes(scene: Scene) -> None:
    def has_med(router: Frr, number: int) -> bool:
        return [path.get("metric") for path in router.paths("198.18.0.7/32")] == [number]

    with RouteDeletions(scene.lan.routers[0]) as first, RouteDeletions(scene.lan.routers[1]) as second:
        for number in (7, 8):
            await scene.settle(conf(policy="policy"), policy(SET_MED.format(med=number)))
            for router in scene.routers:
                await eventually(partial(has_med, router, number), within=20, what="the MED")
    assert (first.prefixes, second.prefixes) == ((), ())
    assert scene.established() == [1, 1]


async def test_a_policy_that_gobgpd_refuses_leaves_the_old_one_in_force(scene: Scene) -> None:
    missing = SET_MED.replace(
        'name = "med"\n',
        'name = "med"\n[policy-definitions.statements.conditions.match-prefix-set]\nprefix-set = "nowhere"\n',
    )
    with RouteDeletions(scene.lan.routers[0]) as deletions:
        revision = scene.speaker.put(
            with_(scene.snapshot, conf(policy="policy"), policy(missing.format(med=3)))
        ).revision
        await scene.speaker.until(lambda: scene.speaker.last.revision == revision)
        await scene.speaker.until(lambda: "BgpConf default" in scene.speaker.reasons)
        await scene.settle(with_(scene.snapshot).eips["pool"])
    assert deletions.prefixes == ()
    assert scene.established() == [1, 1]


# A walk of random edits

Seen = tuple[str, tuple[str, ...], int, int]
"""Prefix, communities, MED, length of the AS path."""
COMMUNITIES = [(), (NODE_ASN << 16 | 1,), (NODE_ASN << 16 | 1, NODE_ASN << 16 | 2)]


class UserPolicy(NamedTuple):
    """A policy of the user's, and what it makes of a path on its way to a neighbour."""

    text: str
    effect: Callable[[Seen, str], Seen | None]


def rejecting(prefix: str) -> UserPolicy:
    inside = IPv4Network(prefix)

    def effect(seen: Seen, to: str) -> Seen | None:
        network = IPv4Network(seen[0])
        return None if network.prefixlen == 32 and network.subnet_of(inside) else seen

    return UserPolicy(REJECT_SOME.format(prefix=prefix), effect)


def only_for(neighbour: str) -> UserPolicy:
    return UserPolicy(
        ONLY_FOR_ONE.format(neighbour=neighbour), lambda seen, to: seen if to == neighbour else None
    )


def med(value: int) -> UserPolicy:
    return UserPolicy(SET_MED.format(med=value), lambda seen, to: (*seen[:2], value, seen[3]))


NO_POLICY = UserPolicy("", lambda seen, to: seen)


class Walk:
    """A snapshot that changes at random, and the user's policy in it."""

    def __init__(self, scene: Scene, seed: int) -> None:
        self.dice = random.Random(seed)
        self.snapshot = scene.snapshot
        self.users = NO_POLICY
        self.sessions = dict.fromkeys(("leaf1", "leaf2"), 1)
        self._peers = dict(scene.snapshot.bgp_peers)
        self._leaves = [leaf.v4 for leaf in scene.lan.routers]

    def step(self) -> None:
        """One more edit of advertisements, policy, peers or Services."""
        match self.dice.randrange(9):
            case 0 | 1 | 2:
                lines = tuple(self._advertisement() for _ in range(self.dice.randrange(4)))
                self.snapshot = with_(self.snapshot, pool(advertisements=lines))
            case 3:
                self._set_policy(NO_POLICY)
            case 4 | 5:
                numbers = self.dice.randrange(5), self.dice.randrange(3)
                choice = [rejecting(f"198.18.0.{4 * numbers[0]}/30"), med(numbers[1])]
                self._set_policy(self.dice.choice([*choice, *map(only_for, self._leaves)]))
            case 6 if self.snapshot.bgp_peers:
                self._edit_a_peer(self.dice.choice(sorted(self.snapshot.bgp_peers)))
            case 6 | 7:
                self._take_or_return_a_peer(self.dice.choice(sorted(self._peers)))
            case _:
                some = self.dice.sample(WEB, self.dice.randrange(len(WEB)))
                self.snapshot = with_services(self.snapshot, sorted(some))

    def _edit_a_peer(self, name: str) -> None:
        """Its description, or how many paths it takes, for which it needs another session."""
        before = self.snapshot.bgp_peers[name]
        changed = msgspec.structs.replace(before, description=str(self.dice.random()))
        if self.dice.random() < 0.5:
            (family,) = before.afi_safis or (AfiSafi(family=Family.IPV4),)
            more = 8 if family.add_paths_send_max != 8 else 0
            families = (msgspec.structs.replace(family, add_paths_send_max=more),)
            changed = msgspec.structs.replace(before, afi_safis=families)
            self.sessions[name] += 1
        self.snapshot = with_(self.snapshot, changed)

    def _take_or_return_a_peer(self, name: str) -> None:
        if name in self.snapshot.bgp_peers:
            self.snapshot = without_peer(self.snapshot, name)
        else:
            self.snapshot = with_(self.snapshot, self._peers[name])
            self.sessions[name] += 1

    def _set_policy(self, users: UserPolicy) -> None:
        self.users = users
        self.snapshot = with_(
            self.snapshot, conf(policy="policy" if users.text else None), policy(users.text)
        )

    def _advertisement(self) -> Advertisement:
        dice = self.dice
        one = LabelSelector(match_labels=(("number", str(dice.choice(WEB))),))
        return Advertisement(
            aggregation_length=dice.choice([None, None, 32, 28]),
            communities=dice.choice(COMMUNITIES),
            med=dice.choice([None, None, 5]),
            as_path_prepend=dice.choice([0, 0, 2]),
            peers=dice.choice([(), (), ("leaf1",), ("leaf2",), ("leaf1", "leaf2")]),
            service_selector=dice.choice([None, None, one]),
        )

    def expected(self, scene: Scene) -> dict[str, set[Seen]]:
        """What each neighbour should have: what the plan says that it sees, by the user's policy."""
        made = plan(self.snapshot, scene.speaker.facts())
        book = made.memory.book if made.memory is not None else None
        assert book is not None
        found: dict[str, set[Seen]] = {neighbour: set() for neighbour in self._leaves}
        for key in made.paths:
            entry = book.entry(key)
            assert entry is not None
            for to, attrs in entry.variant.seen:
                communities = tuple(sorted(f"{one >> 16}:{one & 0xFFFF}" for one in attrs.communities))
                seen = (str(key.prefix), communities, attrs.med or 0, 1 + len(attrs.prepend))
                passed = self.users.effect(seen, to)
                if passed is not None:
                    found[to].add(passed)
        return found


def table(router: Frr) -> set[Seen]:
    """Every path that a router has of us."""
    # All prefixes in one process: starting it is what takes time.
    commands = [f"show bgp ipv4 unicast {prefix} json" for prefix in sorted(router.prefixes())]
    text, found = router.vtysh(*commands) if commands else "", set()
    while text := text.lstrip():
        entry, end = json.JSONDecoder().raw_decode(text)
        text = text[end:]
        for path in entry.get("paths", []):
            communities = tuple(sorted(path.get("community", {}).get("list", [])))
            found.add((entry["prefix"], communities, path.get("metric", 0), path["aspath"]["length"]))
    return found


def has_table(router: Frr, expected: set[Seen]) -> bool:
    return table(router) == expected


def has_sessions(scene: Scene, often: list[int]) -> bool:
    return scene.established() == often


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2])
async def test_no_path_is_stale_after_any_edits(scene: Scene, seed: int) -> None:
    walk = Walk(scene, seed)
    for number in range(30):
        walk.step()
        await scene.speaker.settle(walk.snapshot)
        wanted = walk.expected(scene)
        for router in scene.routers:
            expected = wanted[router.namespace.v4]
            try:
                await eventually(partial(has_table, router, expected), within=30, what="the plan")
            except AssertionError:
                assert (number, table(router)) == (number, expected)
        have_come = partial(has_sessions, scene, list(walk.sessions.values()))
        await eventually(have_come, within=40, what=f"the sessions after step {number}")
    assert scene.established() == list(walk.sessions.values())
