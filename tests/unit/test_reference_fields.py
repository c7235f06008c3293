"""What the reference says of each field of Eip, BgpConf and BgpPeer: it is there, and it is so."""

import copy
import re
from ipaddress import ip_address
from typing import Any

import pytest

from openelb_bgp.bgp.diff import SessionEffect, session_effect
from openelb_bgp.bgp.global_conf import global_conf
from openelb_bgp.bgp.model import PeerConf
from openelb_bgp.bgp.sessions import session
from openelb_bgp.decode.decoding import decode
from openelb_bgp.decode.wire.described import Edit
from openelb_bgp.eligibility import NodeState
from openelb_bgp.model.addresses import Family
from openelb_bgp.model.facts import Facts
from openelb_bgp.model.keys import API_VERSION
from openelb_bgp.model.meta import Kind
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.routing import BgpConf, BgpPeer
from pages.fields import SPECS, Described, fields_of

ALL = [(kind, field) for kind in SPECS for field in fields_of(kind)]
LEAVES = [(kind, field) for kind, field in ALL if not field.is_object]
PEERS = [field for field in fields_of(Kind.BGP_PEER) if not field.is_object]
CONFS = [field for field in fields_of(Kind.BGP_CONF) if not field.is_object]

BASE: dict[Kind, dict[str, Any]] = {
    Kind.EIP: {"address": "192.0.2.0/24"},
    Kind.BGP_CONF: {"as": 64999},
    Kind.BGP_PEER: {
        "conf": {"neighborAddress": "192.0.2.9", "peerAs": 65009},
        "afiSafis": [{"config": {"family": {"afi": "AFI_IP", "safi": "SAFI_UNICAST"}}}],
    },
}
# What has to stand beside a field for its example to have an effect.
BESIDE: dict[str, dict[str, Any]] = {
    "spec.ebgpMultihop": {"ebgpMultihop": {"enabled": True}},
    "spec.ttlSecurity": {"ttlSecurity": {"enabled": True}},
    "spec.bfd": {"bfd": {"enabled": True}},
    "spec.conf.authPasswordSecretRef": {"conf": {"authPasswordSecretRef": {"name": "a", "key": "b"}}},
    "spec.afiSafis[].longLivedGracefulRestart": {
        "afiSafis": [{"longLivedGracefulRestart": {"config": {"enabled": True}}}]
    },
    "spec.afiSafis[].prefixLimits": {"afiSafis": [{"prefixLimits": {"maxPrefixes": 10}}]},
    "spec.conf.neighborInterface": {"conf": {"neighborAddress": "fe80::1"}},
    "spec.vip": {"protocol": "vip"},
    "spec.layer2": {"protocol": "layer2"},
}
IDENTITY = {Edit.OTHER_NEIGHBOUR, Edit.NODES}
NODE = NodeState(name="node1", rack="r1", addresses=(ip_address("192.0.2.11"),))


def _merged(below: Any, above: Any) -> Any:
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {key: _merged(below.get(key), value) for key, value in above.items()}
    if isinstance(below, list) and isinstance(above, list) and isinstance(above[0] if above else None, dict):
        return [_merged(below[0], above[0])]
    return copy.deepcopy(above)


def _without(kind: Kind, field: Described) -> dict[str, Any]:
    """The smallest object in which the field could stand."""
    spec = BASE[kind]
    for path, beside in BESIDE.items():
        if f"{field.path}.".startswith(f"{path}.") and not field.path.endswith(".enabled"):
            spec = _merged(spec, beside)
    return {"apiVersion": API_VERSION, "kind": str(kind), "metadata": {"name": "default"}, "spec": spec}


def _with(kind: Kind, field: Described) -> dict[str, Any]:
    document = _merged(_without(kind, field), field.written())
    conf = document["spec"].get("conf", {})
    if field.path == "spec.conf.neighborDiscovery":
        del conf["neighborAddress"]
    return document  # type: ignore[no-any-return]


def _decoded(document: dict[str, Any]) -> Any:
    decoded = decode(document)
    assert decoded.resource is not None, decoded
    return decoded.resource


@pytest.mark.parametrize(("kind", "field"), ALL, ids=lambda one: getattr(one, "path", one))
def test_every_field_says_what_it_is(kind: Kind, field: Described) -> None:
    assert field.description.endswith((".", ". "))


@pytest.mark.parametrize(("kind", "field"), LEAVES, ids=lambda one: getattr(one, "path", one))
def test_every_field_has_a_type_a_rule_a_default_an_example_its_modes_and_what_an_edit_does(
    kind: Kind, field: Described
) -> None:
    said = (field.type, field.rule, field.default, field.modes, field.edit)
    assert all(said)
    assert field.example is not None


@pytest.mark.parametrize(("kind", "field"), LEAVES, ids=lambda one: getattr(one, "path", one))
def test_every_example_is_understood(kind: Kind, field: Described) -> None:
    without, with_it = decode(_without(kind, field)), decode(_with(kind, field))
    assert with_it.resource is not None, with_it.invalid
    complaints = [one for one in with_it.warnings if one.reason is not Reason.NO_EFFECT]
    assert complaints == [one for one in without.warnings if one.reason is not Reason.NO_EFFECT]


@pytest.mark.parametrize(("kind", "field"), LEAVES, ids=lambda one: getattr(one, "path", one))
def test_a_default_is_the_one_that_the_description_names(kind: Kind, field: Described) -> None:
    named = re.search(r"(?:^|[;,.:] |; )(\S+) when absent", field.description)
    if named:
        assert field.default.lower().startswith(named[1].lower()) or named[1] == "InternalIP"


def _session(peer: BgpPeer, conf: BgpConf | None = None) -> PeerConf:
    conf = conf or _decoded({**_without(Kind.BGP_CONF, CONFS[0])})
    made = session(
        peer,
        conf,
        address=peer.neighbor_address or "192.0.2.9",
        families=frozenset({one.family for one in peer.afi_safis} or {Family.IPV4}),
        asn=conf.asn,
        password=None,
        facts=Facts(now=0.0, node="node1"),
    )
    return made.conf


EFFECTS = {
    SessionEffect.NONE: {Edit.NOTHING},
    SessionEffect.STORED: {Edit.NEXT_SESSION, Edit.BFD},
    SessionEffect.RESET: {Edit.NEW_SESSION, Edit.BFD},
    SessionEffect.GOODBYE: {Edit.GOODBYE},
}
# The password comes from elsewhere, and a peer with a VRF is left out: neither shows in what gobgpd is told.
NOT_IN_THE_SESSION = {
    "spec.conf.authPassword",
    "spec.conf.authPasswordSecretRef.name",
    "spec.conf.authPasswordSecretRef.key",
    "spec.conf.vrf",
}
# Equal to the default, or to what has to stand there anyway.
NO_OTHER_VALUE = {"spec.afiSafis[].config.family.safi", "spec.afiSafis[].config.enabled"}


IN_THE_SESSION = [
    field
    for field in PEERS
    if field.edit not in IDENTITY and field.path not in NOT_IN_THE_SESSION | NO_OTHER_VALUE
]


@pytest.mark.parametrize("field", IN_THE_SESSION, ids=lambda field: field.path)
def test_an_edit_of_a_peer_does_to_the_session_what_is_said(field: Described) -> None:
    old = _session(_decoded(_without(Kind.BGP_PEER, field)))
    new = _session(_decoded(_with(Kind.BGP_PEER, field)))
    assert field.edit in EFFECTS[session_effect(old, new)]


@pytest.mark.parametrize("field", CONFS, ids=lambda field: field.path)
def test_an_edit_of_the_conf_does_to_gobgpd_and_to_sessions_what_is_said(field: Described) -> None:
    old, new = (_decoded(made(Kind.BGP_CONF, field)) for made in (_without, _with))
    peer = _decoded(_without(Kind.BGP_PEER, PEERS[0]))
    restarts = global_conf(old, NODE) != global_conf(new, NODE)
    resets = session_effect(_session(peer, old), _session(peer, new)) is SessionEffect.RESET
    # On this node the rack's own number comes in the place of the other.
    assert restarts == (field.edit is Edit.GOBGPD)
    assert resets == (field.edit is Edit.NEW_SESSION or field.path == "spec.as")
