"""CEL rules of the CRDs: the syntax of texts, and fields that exclude each other or need each other. Pure.

A rule refuses only what OpenELB's own CRD refused or what can never have worked there; fields of ours are
checked whole. Its message is the remedy, in the words that `decode` uses. What takes more than an expression
(ranges that go down or overlap, addresses that no Service can have) is left to the webhook, which has
`decode`. No rule stands at an object's root: elsewhere an API server (1.30 or later) lets a stored object
that breaks a rule be written again as long as the part that breaks it stays as it is; so its status can say
what is wrong.

The limits are there because an API server refuses rules whose worst case costs too much; each is far beyond
what can be meant.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from openelb_bgp.decode.wire import bgp_conf, bgp_peer, eip
from openelb_bgp.decode.wire.common import LabelSelector, Requirement
from openelb_bgp.model.routing import LONGEST_PASSWORD

from . import texts


class Rule(msgspec.Struct, frozen=True):
    """A CEL expression that must hold of `self`, and what to write instead where it does not."""

    expression: str
    message: str

    def document(self) -> dict[str, str]:
        """As it stands in `x-kubernetes-validations`."""
        return {"rule": self.expression, "message": self.message}


class Checks(msgspec.Struct, frozen=True):
    """Of one field, and of the items where it is a list: rules, and limits such as maxLength or enum."""

    rules: tuple[Rule, ...] = ()
    limits: Mapping[str, Any] = {}
    item_rules: tuple[Rule, ...] = ()
    item_limits: Mapping[str, Any] = {}


def of_field(owner: type[msgspec.Struct], name: str) -> Checks:
    """What holds of one field, by its name on the wire."""
    return FIELDS.get((owner, name), _NONE)


def of_struct(type_: type[msgspec.Struct]) -> tuple[Rule, ...]:
    """What holds between the fields of a struct."""
    return STRUCTS.get(type_, ())


_NONE = Checks()


def _matches(pattern: str, message: str, *, longest: int) -> Checks:
    return Checks((_rule_of(pattern, message),), {"maxLength": longest})


def _each(pattern: str, message: str, *, most: int, longest: int) -> Checks:
    return Checks(
        limits={"maxItems": most},
        item_rules=(_rule_of(pattern, message),),
        item_limits={"maxLength": longest},
    )


def _rule_of(pattern: str, message: str) -> Rule:
    return Rule(f"self.matches({_quoted(pattern)})", message)


def _quoted(pattern: str) -> str:
    """A raw CEL string."""
    assert "'" not in pattern
    return f"r'{pattern}'"


def _at_most(number: int) -> Checks:
    return Checks(limits={"maxItems": number})


_SECONDS = _matches(texts.SECONDS_OR_BLANK, "write seconds as text, from 0 to 65535", longest=64)
_HOLD_TIME = Rule(r"!self.matches(r'^\s*0*[12]\s*$')", 'write "0", or at least "3" (RFC 4271, 4.2)')
_NOT_A_HOST = Rule(
    r"!self.matches(r'^\s*(22[4-9]\.|23[0-9]\.|0\.0\.0\.0\s*$|[fF][fF][0-9A-Fa-f]{2}:|::\s*$)')",
    "write the neighbour's own address",
)
_PASSWORD = Rule(
    f"bytes(self).size() <= {LONGEST_PASSWORD}",
    f"agree on a password of at most {LONGEST_PASSWORD} bytes with the neighbour",
)

FIELDS: Mapping[tuple[type[msgspec.Struct], str], Checks] = {
    (eip.EipSpec, "address"): Checks(
        (
            _rule_of(texts.RANGES, "write an IP, IP/length, IP1-IP2, or a comma list of these"),
            Rule(
                f"!self.matches({_quoted(texts.NEVER_A_SERVICES)})",
                "write addresses that a host can have: no loopback, multicast or unspecified ones",
            ),
        ),
        {"maxLength": 32768},
    ),
    (eip.EipSpec, "interface"): Checks(limits={"maxLength": 4096}),
    (eip.EipSpec, "excludeAddresses"): _each(
        texts.ONE_RANGE, "write an IP, IP/length or IP1-IP2", most=1000, longest=128
    ),
    (eip.EipBgp, "advertisements"): _at_most(32),
    (eip.Advertisement, "communities"): _each(
        texts.COMMUNITY, "write a:b, a:b:c, or a well-known name such as no-export", most=64, longest=64
    ),
    (eip.Advertisement, "peers"): _at_most(1000),
    (eip.EipVip, "virtualRouterIds"): _matches(
        texts.VIRTUAL_ROUTER_IDS, "write numbers from 1 to 255, such as 51-58 or 51,60-62", longest=4096
    ),
    (bgp_conf.BgpConfSpec, "listenAddresses"): Checks(
        (
            Rule(
                f"size(self) == 0 || self.exists(one, one.matches({_quoted(texts.ONE_IP)}))",
                "write at least one IP of the nodes, or 0.0.0.0",
            ),
        ),
        {"maxItems": 256},
        item_limits={"maxLength": 256},
    ),
    (bgp_peer.NeighborConf, "neighborAddress"): Checks(
        (
            _rule_of(texts.NEIGHBOR_OR_BLANK, "write an IP address, such as 192.0.2.1 or fe80::1%eth0"),
            _NOT_A_HOST,
        ),
        {"maxLength": 256},
    ),
    (bgp_peer.NeighborConf, "authPassword"): Checks((_PASSWORD,), {"maxLength": 1024}),
    (bgp_peer.TimersConfig, "connectRetry"): _SECONDS,
    (bgp_peer.TimersConfig, "holdTime"): Checks((*_SECONDS.rules, _HOLD_TIME), _SECONDS.limits),
    (bgp_peer.TimersConfig, "keepaliveInterval"): _SECONDS,
    (bgp_peer.TimersConfig, "minimumAdvertisementInterval"): _SECONDS,
    (bgp_peer.Transport, "localAddress"): _matches(
        texts.IP_OR_BLANK, "write an IP address of the node", longest=256
    ),
    (LabelSelector, "matchExpressions"): _at_most(256),
    (Requirement, "operator"): Checks(limits={"enum": ["In", "NotIn", "Exists", "DoesNotExist"]}),
}

_BLANK = f"(!has(self.{{0}}) || self.{{0}}.matches({_quoted(texts.BLANK)}))"


def _on(field: str) -> str:
    return f"(has(self.{field}) && has(self.{field}.enabled) && self.{field}.enabled)"


STRUCTS: Mapping[type[msgspec.Struct], tuple[Rule, ...]] = {
    eip.EipSpec: (
        Rule(
            "!has(self.interface) || !has(self.protocol) || self.protocol == 'bgp'"
            f" || self.interface.matches({_quoted(texts.INTERFACES)})",
            "write NIC names or globs with commas between in interface, can_reach:IP, or auto",
        ),
    ),
    bgp_conf.BgpConfSpec: (
        # `as` is a word of CEL; Kubernetes escapes it so.
        Rule("has(self.__as__) || has(self.asPerRack)", "write our AS number in as, from 1 to 4294967295"),
    ),
    bgp_peer.BgpPeerSpec: (
        Rule(
            f"!({_on('ttlSecurity')} && {_on('ebgpMultihop')})",
            "turn one of ttlSecurity and ebgpMultihop off",
        ),
        Rule(
            "!has(self.transport) || !has(self.transport.localAddress)"
            " || !has(self.conf.neighborAddress) || self.conf.neighborAddress.contains('.')"
            " && self.conf.neighborAddress.contains(':')"
            f" || self.transport.localAddress.matches({_quoted(texts.BLANK)})"
            f" || self.conf.neighborAddress.matches({_quoted(texts.BLANK)})"
            " || self.transport.localAddress.contains(':') == self.conf.neighborAddress.contains(':')",
            "write a localAddress of the neighbour's family",
        ),
    ),
    bgp_peer.NeighborConf: (
        Rule(
            f"has(self.neighborDiscovery) || !{_BLANK.format('neighborAddress')}",
            "write the neighbour's IP in neighborAddress, or neighborDiscovery: DefaultGateway",
        ),
        Rule(
            f"!has(self.neighborDiscovery) || {_BLANK.format('neighborAddress')}",
            "keep one of neighborAddress and neighborDiscovery",
        ),
        Rule(
            "!has(self.neighborAddress)"
            " || !self.neighborAddress.matches(r'^\\s*[fF][eE][89abAB][0-9a-fA-F]:')"
            " || self.neighborAddress.contains('%')"
            " || (has(self.neighborInterface) && self.neighborInterface != '')",
            "write the NIC of a link-local neighbour too: fe80::1%eth0, or neighborInterface",
        ),
        Rule(
            "!has(self.authPasswordSecretRef) || !has(self.authPassword) || self.authPassword == ''",
            "keep one of authPassword and authPasswordSecretRef",
        ),
    ),
    Requirement: (
        Rule(
            "!(self.operator in ['In', 'NotIn']) || (has(self.values) && size(self.values) > 0)",
            "add a value to compare with, or write Exists or DoesNotExist",
        ),
        Rule(
            "!(self.operator in ['Exists', 'DoesNotExist']) || !has(self.values) || size(self.values) == 0",
            "remove values, or write In or NotIn",
        ),
    ),
}
