"""What each role asks the API server for: which kinds, which objects of them, and how much of each."""

from collections.abc import Mapping

import msgspec

from openelb_bgp.model import keys
from openelb_bgp.model.meta import Kind

from .selection import Selection

_ALL = Selection()
_SPEAKER_PODS = "app=openelb,component=speaker"
# A headless Service has no address to announce, and often the most endpoints.
_SLICES = Selection(labels=f"{keys.SERVICE_NAME_LABEL},!service.kubernetes.io/headless")


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """The kinds that are listed and watched, and what of them.

    `versioned` are the kinds whose objects keep their resourceVersion: a write is based on it, and it counts
    for Snapshot.revision. In all others it is left out, so that an object that is touched without a change
    that matters (a Node's heartbeat, the status of an Eip) is equal to the one known, and nothing is planned
    anew.
    `named` are the kinds of which only those objects are read that BgpPeers and the BgpConf name;
    `kube_proxy` says whether its ConfigMap is, once there are pools to which it matters;
    `heartbeats` says the same of the keys with which speakers sign theirs.
    """

    kinds: Mapping[Kind, Selection]
    versioned: frozenset[Kind]
    named: frozenset[Kind] = frozenset({Kind.SECRET, Kind.CONFIG_MAP})
    kube_proxy: bool = False
    heartbeats: bool = False


CONTROLLER = Scope(
    kinds={
        Kind.EIP: _ALL,
        Kind.BGP_CONF: _ALL,
        Kind.BGP_PEER: _ALL,
        Kind.SPEAKER: _ALL,
        # Of every type: one that was a LoadBalancer has an address to give back, and labels to lose.
        Kind.SERVICE: _ALL,
        Kind.ENDPOINT_SLICE: _SLICES,
        Kind.NODE: _ALL,
        Kind.NAMESPACE: Selection(metadata_only=True),
    },
    versioned=frozenset({Kind.SERVICE}),
    kube_proxy=True,
)

SPEAKER = Scope(
    kinds={
        Kind.EIP: _ALL,
        Kind.BGP_CONF: _ALL,
        Kind.BGP_PEER: _ALL,
        Kind.SPEAKER: _ALL,
        Kind.SERVICE: Selection(fields="spec.type=LoadBalancer"),
        Kind.ENDPOINT_SLICE: _SLICES,
        Kind.NODE: _ALL,
    },
    # The controller asks of a speaker only up to which version it knows the Services.
    versioned=frozenset({Kind.SERVICE}),
    heartbeats=True,
)


def with_speaker_pods(scope: Scope, namespace: str) -> Scope:
    """The scope with the speakers' pods in our namespace, which say who of them lives."""
    pods = Selection(namespace=namespace, labels=_SPEAKER_PODS)
    return msgspec.structs.replace(scope, kinds={**scope.kinds, Kind.POD: pods})
