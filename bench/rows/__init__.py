"""The rows of the benchmark: one module a subject, a function for each row."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec

from bench.results import Measure
from bench.rows import (
    bulk,
    calm,
    changes,
    cluster,
    cluster_bulk,
    cluster_deaths,
    cluster_watchers,
    command,
    failover,
    heartbeats,
    images,
    lan,
    latency,
    planning,
    speaker,
    vip,
    vip_failover,
    wire,
)


class Row(msgspec.Struct, frozen=True):
    """One row: what it is about, and the function that measures it, alone and cleaning up after itself."""

    title: str
    measure: Callable[[], Sequence[Measure]]
    needs_root: bool = True


ROWS: Mapping[str, Row] = {
    "latency": Row("a Service written → route in the router's kernel, `run`", latency.in_one),
    "latency-apart": Row("the same, controller and speaker apart", latency.apart),
    "bulk": Row("10,000 Services at once, `run`", bulk.ten_thousand),
    "bulk-yaml": Row("10,000 Services read from YAML, `run`", bulk.from_yaml),
    "bulk-50k": Row("50,000 Services at once, `run`", bulk.fifty_thousand),
    "cold-start": Row("a speaker's start at 10,000 Services", speaker.cold_start),
    "plan": Row("planning 10,000 Services", planning.plans, needs_root=False),
    "changes": Row("1,000 Services, one after another", changes.one_by_one, needs_root=False),
    "speaker-100": Row("a speaker at 100 Services", speaker.hundred),
    "speaker-10k": Row("a speaker at 10,000 Services, 20,000 EndpointSlices", speaker.ten_thousand),
    "cluster-latency": Row("a Service created in a cluster → route, three speakers", cluster.created),
    "cluster-deleted": Row("a Service deleted in a cluster → route", cluster.deleted_ones),
    "cluster-moved": Row("an endpoint of a Local Service moves → route", cluster.moved),
    "cluster-killed": Row("everything of ours killed with -9, at 1,000 Services", cluster_deaths.killed),
    "cluster-1k": Row("1,000 Services at once in a cluster, three speakers", cluster_bulk.thousand),
    "cluster-10k": Row(
        "10,000 at once, then 20,000 EndpointSlices, at rest, a start", cluster_bulk.ten_thousand
    ),
    "cluster-200": Row("200 speakers as the API server sees them", cluster_watchers.watched),
    "layer2-killed": Row(
        "20 speakers killed, layer2, requests all the while", failover.layer2_speaker_killed
    ),
    "layer2-unplugged": Row("20 cables pulled, layer2, under requests", failover.layer2_link_cut),
    "layer2-paused": Row("20 nodes paused, layer2, under requests", failover.layer2_node_paused),
    "layer2-calm": Row(
        "layer2 beside processes that take all cores: false failovers", calm.layer2_under_load
    ),
    "layer2-answers": Row("questions answered by an owner of 2,500 addresses", wire.answers),
    "layer2-storm": Row("20,000 ARP requests a second for others' addresses", wire.storm),
    "layer2-10k": Row("10,000 addresses of each family, a quarter owned, at rest", wire.ten_thousand),
    **{
        f"vip-{words.replace(' ', '')}-{kind}": Row(
            f"a vip master struck, {kind}, {words}, beside keepalived by hand",
            partial(vip_failover.failovers, kind, milliseconds, rounds),
        )
        for words, milliseconds, rounds in (("100 ms", 100, 15), ("200 ms", 200, 15), ("1 s", 1000, 12))
        for kind in vip_failover.STRIKES
    },
    "vip-1k": Row("1,000 vip addresses at once, and one more under requests", vip.thousand),
    "heartbeats": Row("heartbeats of a node at 10 and 100 members", heartbeats.at_rest),
    "layer2-speakers": Row("four speakers on a LAN with 10,000 addresses, at rest", lan.ten_thousand),
    "help": Row("the time to answer --help", command.help_text, needs_root=False),
    "image": Row("the daemon's image, after `hack/setup containers`", images.daemon),
}
