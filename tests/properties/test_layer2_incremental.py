"""A plan that starts from the last one says the same as one that works everything out anew from its past."""

import random
from collections.abc import Callable

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from openelb_bgp.layer2.plan import PlanMemory, plan
from openelb_bgp.model.forwarding import Forwarding
from openelb_bgp.model.meta import Key
from openelb_bgp.model.pools import Layer2Settings
from openelb_bgp.model.reasons import Reason, Refused
from tests.unit.layer2_world import Lan, address, drained, endpoints, node, service

OWN = "n1"
UNPROVEN = Refused(Reason.NOT_PROVEN, "not seen forwarding yet")


class World:
    """A LAN, and which Services this node must not announce yet."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.lan = Lan(count=4, services=12)
        self.unproven: dict[Key, Refused] = {}

    def key(self) -> Key:
        return self.dice.choice([*self.lan.services])

    def name(self) -> str:
        return self.dice.choice([*self.lan.nodes])


def _silence(world: World) -> None:
    world.lan.silent ^= {world.name()}


def _void(world: World) -> None:
    world.lan.void ^= {world.name()}


def _return(world: World) -> None:
    world.lan.stable[world.name()] = world.lan.now


def _drain(world: World) -> None:
    name = world.name()
    world.lan.nodes[name] = drained(name) if world.dice.random() < 0.5 else node(name)


def _edit(world: World) -> None:
    """Another policy, another preference, an address that is shared, or only a status."""
    number = world.dice.randrange(12)
    made = service(
        f"web{number}",
        address(world.dice.choice([number, world.dice.randrange(14)])),
        local=world.dice.random() < 0.3,
        preferred=world.dice.choice(["", "", world.name()]),
    )
    world.lan.add(made, *world.dice.sample([*world.lan.nodes], 2))


def _touch(world: World) -> None:
    key = world.key()
    world.lan.services = {**world.lan.services, key: msgspec.structs.replace(world.lan.services[key])}


def _endpoints(world: World) -> None:
    key = world.key()
    backed = world.dice.sample([*world.lan.nodes], world.dice.randrange(3))
    world.lan.slices = {**world.lan.slices, key: (endpoints(key.name, *backed),)}


def _delete(world: World) -> None:
    if len(world.lan.services) > 3:
        gone = world.key()
        world.lan.services = {key: one for key, one in world.lan.services.items() if key != gone}


def _pool(world: World) -> None:
    old = world.lan.pools["lan"]
    garp = Layer2Settings(garp_interval_seconds=world.dice.randrange(20, 22))
    world.lan.pools = {"lan": msgspec.structs.replace(old, layer2=garp)}


def _forward(world: World) -> None:
    key = world.key()
    if world.unproven.pop(key, None) is None:
        world.unproven[key] = UNPROVEN


def _answer(world: World) -> None:
    world.lan.answering ^= {address(world.dice.randrange(12))}


CHANGES: tuple[Callable[[World], None], ...] = (
    _silence,
    _silence,
    _void,
    _return,
    _drain,
    _edit,
    _edit,
    _touch,
    _endpoints,
    _delete,
    _pool,
    _forward,
    _answer,
)


@settings(max_examples=60)
@given(seed=st.integers(0, 10_000))
def test_what_is_remembered_to_save_work_changes_no_plan(seed: int) -> None:
    world = World(seed)
    memory: PlanMemory | None = None
    for _ in range(25):
        world.dice.choice(CHANGES)(world)
        world.lan.now += world.dice.choice([0.1, 1.0, 10.0])
        forwarding = Forwarding(known=True, services=dict(world.unproven))
        facts = msgspec.structs.replace(world.lan.facts(OWN), forwarding=forwarding)
        history = None if memory is None else msgspec.structs.replace(memory.plan, left_out={})
        without = None if history is None else PlanMemory(plan=history)
        anew = plan(world.lan.snapshot, facts, previous=without)
        memory = plan(world.lan.snapshot, facts, previous=memory)
        assert memory.plan == anew.plan
