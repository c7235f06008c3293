"""Eip: wire to model.

Fatal is what the pool cannot do without (addresses, protocol) and whatever limits it: a pool whose
exclusions, bindings or selectors are not understood would give or announce what its owner withheld. Other
bad fields are left out.
"""

from collections.abc import Callable
from typing import TypeVar

from openelb_bgp.model.addresses import AddressRange
from openelb_bgp.model.meta import Meta
from openelb_bgp.model.pools import Advertisement, Eip, Layer2Settings, Protocol, VipSettings
from openelb_bgp.model.reasons import Reason

from .communities import community
from .findings import Findings
from .numbers import virtual_router_ids
from .pool_text import address_range, interfaces, ranges
from .selectors import selector
from .walk import numbered
from .wire import eip as wire

T = TypeVar("T")


def eip(meta: Meta, spec: wire.EipSpec, findings: Findings) -> Eip:
    """The pool; worth something only where `findings` holds nothing fatal."""
    protocol = Protocol(spec.protocol or Protocol.BGP)
    _check_settings(spec, protocol, findings)
    return Eip(
        meta=meta,
        ranges=_ranges(spec.address, findings),
        excluded=_excluded(spec.exclude_addresses or (), findings),
        protocol=protocol,
        interfaces=_interfaces(spec.interface, protocol, findings),
        disabled=bool(spec.disable),
        priority=spec.priority or 0,
        namespaces=frozenset(spec.namespaces or ()),
        namespace_selector=spec.namespace_selector,
        service_selector=selector(spec.service_selector, "spec.serviceSelector", findings),
        enforce_namespaces=bool(spec.enforce_namespaces),
        avoid_buggy_ips=bool(spec.avoid_buggy_ips),
        node_selector=selector(spec.node_selector, "spec.nodeSelector", findings),
        advertisements=_advertisements(spec.bgp, findings),
        vip=_vip(spec.vip or wire.EipVip(), findings),
        layer2=_layer2(spec.layer2 or wire.EipLayer2()),
    )


def _ranges(text: str | None, findings: Findings) -> tuple[AddressRange, ...]:
    remedy = "write an IP, IP/length, IP1-IP2, or a comma list of these"
    if text is None:
        findings.missing("spec.address", remedy)
        return ()
    return _parsed(text, "spec.address", ranges, remedy, findings) or ()


def _excluded(texts: tuple[str, ...], findings: Findings) -> tuple[AddressRange, ...]:
    found = (
        _parsed(
            text,
            f"spec.excludeAddresses[{index}]",
            address_range,
            "write an IP, IP/length or IP1-IP2",
            findings,
        )
        for index, text in numbered(texts)
    )
    return tuple(one for one in found if one is not None)


def _interfaces(text: str | None, protocol: Protocol, findings: Findings) -> tuple[str, ...]:
    if text is None:
        return ()
    try:
        return interfaces(text)
    except ValueError as error:
        remedy = "write NIC names or globs with commas between, can_reach:IP, or auto"
        fatal = protocol is not Protocol.BGP
        findings.add("spec.interface", text, _sentence(error), remedy, fatal=fatal)
        return ()


def _advertisements(found: wire.EipBgp | None, findings: Findings) -> tuple[Advertisement, ...]:
    written = (found.advertisements or ()) if found else ()
    return tuple(
        _advertisement(one, f"spec.bgp.advertisements[{index}]", findings) for index, one in numbered(written)
    )


def _advertisement(one: wire.Advertisement, path: str, findings: Findings) -> Advertisement:
    plain: list[int] = []
    large: list[tuple[int, int, int]] = []
    for index, text in numbered(one.communities):
        try:
            found = community(text)
        except ValueError as error:
            remedy = "write a:b, a:b:c, or a well-known name such as no-export"
            findings.left_out(f"{path}.communities[{index}]", text, str(error), remedy)
        else:
            plain.append(found) if isinstance(found, int) else large.append(found)
    return Advertisement(
        aggregation_length=one.aggregation_length,
        aggregation_length_v6=one.aggregation_length_v6,
        communities=tuple(sorted(set(plain))),
        large_communities=tuple(sorted(set(large))),
        local_pref=one.local_pref,
        med=one.med,
        as_path_prepend=one.as_path_prepend or 0,
        peers=tuple(one.peers or ()),
        node_selector=selector(one.node_selector, f"{path}.nodeSelector", findings),
        service_selector=selector(one.service_selector, f"{path}.serviceSelector", findings),
    )


def _vip(found: wire.EipVip, findings: Findings) -> VipSettings:
    defaults = VipSettings()
    text = found.virtual_router_ids
    remedy = "write numbers from 1 to 255, such as 51-58 or 51,60-62"
    path = "spec.vip.virtualRouterIds"
    return VipSettings(
        virtual_router_ids=()
        if text is None
        else _parsed(text, path, virtual_router_ids, remedy, findings) or (),
        advert_interval_ms=found.advert_interval_ms or defaults.advert_interval_ms,
        unicast=bool(found.unicast),
    )


def _layer2(found: wire.EipLayer2) -> Layer2Settings:
    return Layer2Settings(
        garp_interval_seconds=found.garp_interval_seconds or 0, any_subnet=bool(found.any_subnet)
    )


def _check_settings(spec: wire.EipSpec, protocol: Protocol, findings: Findings) -> None:
    settings = {Protocol.BGP: spec.bgp, Protocol.VIP: spec.vip, Protocol.LAYER2: spec.layer2}
    for of, found in settings.items():
        if found is not None and of is not protocol:
            problem = f"has no effect on a pool of protocol {protocol}"
            remedy = f"remove it, or write protocol: {of}"
            findings.left_out(f"spec.{of}", None, problem, remedy, reason=Reason.NO_EFFECT)


def _parsed(text: str, path: str, parse: Callable[[str], T], remedy: str, findings: Findings) -> T | None:
    try:
        return parse(text)
    except ValueError as error:
        findings.fatal(path, text, _sentence(error), remedy)
        return None


def _sentence(error: ValueError) -> str:
    text = str(error)
    return text if text.startswith(("is ", "has ", "holds ")) else f"is wrong: {text}"
