"""The pure part alone: planning 10,000 Services anew, and after one endpoint's change.

Once with a pool that says nothing of advertisements, once with three of them and an aggregate, to two
routers.
"""

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from ipaddress import IPv4Address, ip_interface

import msgspec

from bench.results import Measure
from openelb_bgp.bgp.diff import Configuration, diff
from openelb_bgp.bgp.plan import BgpPlan, plan
from openelb_bgp.decode.pool_text import ranges
from openelb_bgp.lib.tables import Table
from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.cluster import Node
from openelb_bgp.model.facts import Facts, Link
from openelb_bgp.model.meta import Key, Kind, LabelSelector, Meta
from openelb_bgp.model.pools import Advertisement, Eip
from openelb_bgp.model.routing import BgpConf, BgpPeer
from openelb_bgp.model.services import Endpoint, EndpointSlice, Ingress, Service
from openelb_bgp.model.snapshot import Snapshot

_NUMBER = 10_000
_ROUNDS = 9
_AGGREGATION_LENGTH = 24
_AGGREGATES = 40
"""How many networks of that length hold all the addresses."""
_GOLD = LabelSelector(match_labels=(("tier", "gold"),))
FACTS = Facts(
    node="a",
    now=0.0,
    links=(Link(name="eth0", index=2, up=True, addresses=(ip_interface("10.0.0.1/24"),)),),
    adopted=frozenset(),
)


def plans() -> Sequence[Measure]:
    """Medians of several; a plan is made from the one before it, as in the speaker."""
    snapshot = cluster()
    first = plan(snapshot, FACTS)
    assert len(first.paths) == _NUMBER, first.problems
    advertised = _with_advertisements(snapshot)
    rich = plan(advertised, FACTS)
    assert len(rich.paths) == _NUMBER + _AGGREGATES, rich.problems
    fresh = _median(lambda: _seconds(lambda: plan(snapshot, FACTS)))
    again = _median(lambda: _replan(snapshot, first))
    one = _median(lambda: _one_endpoint(snapshot, first))
    return [
        Measure(what="re-plan of 10,000 after a Node's change", value=1000 * again, unit="ms", bound=100.0),
        Measure(what="one endpoint's change, plan and diff", value=1000 * one, unit="ms", bound=5.0),
        Measure(what="a first plan of 10,000", value=1000 * fresh, unit="ms"),
        *_advertised(advertised, rich),
    ]


def _advertised(snapshot: Snapshot, first: BgpPlan) -> list[Measure]:
    again = _median(lambda: _replan(snapshot, first))
    one = _median(lambda: _one_endpoint(snapshot, first))
    what = "three advertisements and an aggregate"
    return [
        Measure(what=f"re-plan, {what}", value=1000 * again, unit="ms", bound=100.0),
        Measure(what=f"one endpoint's change, {what}", value=1000 * one, unit="ms", bound=5.0),
    ]


def _replan(snapshot: Snapshot, previous: BgpPlan) -> float:
    node = Node(meta=Meta(name="c", labels={"rack": "2"}), addresses=(IPv4Address("10.0.0.3"),))
    changed = msgspec.structs.replace(snapshot, nodes={**snapshot.nodes, "c": node})
    return _seconds(lambda: plan(changed, FACTS, previous=previous))


def _one_endpoint(snapshot: Snapshot, previous: BgpPlan) -> float:
    key = Key("shop", "shop-05000")
    (slice_,) = snapshot.slices[key]
    gone = msgspec.structs.replace(slice_, endpoints=())
    changed = msgspec.structs.replace(snapshot, slices=Table.of(snapshot.slices).with_all({key: (gone,)}))

    def work() -> None:
        after = plan(changed, FACTS, previous=previous)
        # As the announcer does: it knows the paths that a plan has touched.
        assert diff(configuration(after), configuration(previous), touched=after.changed)

    return _seconds(work)


def configuration(made: BgpPlan) -> Configuration:
    """What a plan wants of gobgpd."""
    return Configuration(
        global_conf=made.global_conf, routing=made.routing, peers=made.peers, paths=made.paths
    )


def _median(measure: Callable[[], float]) -> float:
    measure()
    return statistics.median(measure() for _ in range(_ROUNDS))


def _seconds(work: Callable[[], object]) -> float:
    # Processor time: it is all in one thread, and waits for nothing.
    gc.collect()
    start = time.thread_time()
    work()
    return time.thread_time() - start


def cluster() -> Snapshot:
    """10,000 Services that have their addresses, on three nodes with one router."""
    services = [_service(number) for number in range(_NUMBER)]
    return Snapshot(
        eips={"pool": Eip(meta=Meta(name="pool"), ranges=ranges("198.18.0.0/16"))},
        bgp_confs={"default": BgpConf(meta=Meta(name="default"), asn=65000)},
        bgp_peers={
            "leaf": BgpPeer(meta=Meta(name="leaf"), neighbor_address="10.0.0.254", peer_asn=65001),
        },
        nodes={
            name: Node(meta=Meta(name=name), addresses=(IPv4Address(f"10.0.0.{last}"),))
            for last, name in enumerate("abc", 1)
        },
        services=Table({service.meta.key: service for service in services}),
        slices=Table({service.meta.key: (slice_of(service),) for service in services}),
        listed=frozenset(Kind),
    )


def _with_advertisements(snapshot: Snapshot) -> Snapshot:
    """The same to two routers: both get a community and the aggregates, each something of its own, and one
    that only of every second Service.
    """
    spine = BgpPeer(meta=Meta(name="spine"), neighbor_address="10.0.0.253", peer_asn=65002)
    pool = msgspec.structs.replace(
        snapshot.eips["pool"],
        advertisements=(
            Advertisement(communities=(65000 << 16 | 1,)),
            Advertisement(med=50, peers=("leaf",)),
            Advertisement(as_path_prepend=2, peers=("spine",), service_selector=_GOLD),
            Advertisement(aggregation_length=_AGGREGATION_LENGTH),
        ),
    )
    return msgspec.structs.replace(
        snapshot, eips={"pool": pool}, bgp_peers={**snapshot.bgp_peers, "spine": spine}
    )


def _service(number: int) -> Service:
    address = IPv4Address("198.18.0.0") + number
    return Service(
        meta=Meta(
            name=f"shop-{number:05}",
            namespace="shop",
            labels={"tier": "gold"} if number % 2 else {},
            annotations={
                keys.MANAGED_ANNOTATION: keys.MANAGED_VALUE,
                keys.ALLOCATED_ANNOTATION: f"{address}=pool",
            },
        ),
        type="LoadBalancer",
        ingress=(Ingress(address),),
    )


def slice_of(service: Service) -> EndpointSlice:
    """A ready endpoint on each node."""
    endpoints = tuple(Endpoint(node, ready=True, serving=True, terminating=False) for node in "abc")
    return EndpointSlice(
        meta=Meta(name=f"{service.meta.name}-0", namespace="shop"),
        service=service.meta.name,
        family=Family.IPV4,
        endpoints=endpoints,
    )
