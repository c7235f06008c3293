"""BgpPeer: wire to model.

Fatal is what no session can come up without (who the neighbour is, AS numbers, our own address), and what
protects it: a password or TTL check that is not understood must never end in a session without it. Timers,
families and the like are left out where they are bad.
"""

from ipaddress import IPv6Address, ip_address

from openelb_bgp.model.addresses import Address, parse_address
from openelb_bgp.model.meta import Meta
from openelb_bgp.model.routing import LONGEST_PASSWORD, Bfd, BgpPeer, SecretKeyRef, Timers, Transport

from .afi_safis import afi_safis
from .bgp_common import graceful_restart
from .findings import HIDDEN, Findings
from .numbers import whole_number
from .selectors import selector
from .wire import bgp_peer as wire

_TYPES = ("internal", "external")
_COMMUNITIES = ("standard", "extended", "both", "none")


def bgp_peer(meta: Meta, spec: wire.BgpPeerSpec, findings: Findings) -> BgpPeer:
    """The neighbour; worth something only where `findings` holds nothing fatal."""
    conf = spec.conf or wire.NeighborConf()
    address = _neighbor(conf, findings)
    multihop, ttl_security = _ttls(spec, findings)
    if conf.peer_as is None and not findings.mentions("spec.conf.peerAs"):
        # OpenELB's own types drop a 0 when they write, and its gobgpd took whoever came.
        problem = "is missing, and counts as 0: any eBGP AS that the neighbour shows is taken"
        findings.left_out("spec.conf.peerAs", None, problem, "write the neighbour's AS number")
    return BgpPeer(
        meta=meta,
        peer_asn=conf.peer_as or 0,
        neighbor_address=address,
        neighbor_discovery=conf.neighbor_discovery,
        local_asn=conf.local_as or None,
        auth_password=_password(conf, findings),
        auth_password_ref=_password_ref(conf, findings),
        description=conf.description,
        peer_group=conf.peer_group or None,
        peer_type=None if conf.peer_type is None else _TYPES[conf.peer_type],
        remove_private_as=conf.remove_private_as,
        route_flap_damping=conf.route_flap_damping,
        send_community=None if conf.send_community is None else _COMMUNITIES[conf.send_community],
        neighbor_interface=conf.neighbor_interface or None,
        vrf=conf.vrf or None,
        allow_own_asn=conf.allow_own_as,
        replace_peer_asn=conf.replace_peer_as,
        admin_down=conf.admin_down,
        ebgp_multihop_ttl=multihop,
        ttl_security_min=ttl_security,
        timers=_timers((spec.timers and spec.timers.config) or wire.TimersConfig(), findings),
        transport=_transport(spec.transport or wire.Transport(), address, findings),
        graceful_restart=graceful_restart(spec.graceful_restart),
        bfd=_bfd(spec.bfd),
        afi_safis=afi_safis(spec.afi_safis or (), findings),
        node_selector=selector(spec.node_selector, "spec.nodeSelector", findings),
    )


def _neighbor(conf: wire.NeighborConf, findings: Findings) -> str | None:
    """The neighbour's address as gobgpd takes it, with its zone if it is link-local."""
    path, text = "spec.conf.neighborAddress", (conf.neighbor_address or "").strip()
    if conf.neighbor_discovery is not None:
        if text:
            remedy = "keep one of the two"
            findings.fatal(path, text, "has no place beside conf.neighborDiscovery", remedy)
        return None
    if not text:
        if findings.mentions("spec.conf.neighborDiscovery"):
            return None
        findings.missing(path, "write the neighbour's IP, or conf.neighborDiscovery: DefaultGateway")
        return None
    try:
        address = ip_address(text)
    except ValueError:
        findings.fatal(path, text, "is not an IP address", "write one, such as 192.0.2.1 or fe80::1%eth0")
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        # To gobgpd the two are one neighbour: left apart, this peer would take down the one written plainly.
        address = address.ipv4_mapped
    if address.is_multicast or address.is_unspecified:
        findings.fatal(path, text, "is not the address of a host", "write the neighbour's own address")
    return _with_zone(address, conf.neighbor_interface, findings)


def _with_zone(address: Address, interface: str | None, findings: Findings) -> str:
    path = "spec.conf.neighborAddress"
    if not isinstance(address, IPv6Address):
        return str(address)
    zone = address.scope_id
    if not address.is_link_local:
        if zone is not None:
            remedy = "leave %zone out; only link-local addresses have one"
            findings.fatal(path, str(address), "is not link-local but has a zone", remedy)
    elif zone is None and not interface:
        remedy = "write the NIC too: fe80::1%eth0, or conf.neighborInterface"
        findings.fatal(path, str(address), "is link-local without a NIC", remedy)
    elif zone is None:
        return f"{address}%{interface}"
    return str(address)


def _password(conf: wire.NeighborConf, findings: Findings) -> str | None:
    path, password = "spec.conf.authPassword", conf.auth_password
    if not password:
        return None
    if len(password.encode(errors="replace")) > LONGEST_PASSWORD:
        problem = f"is longer than {LONGEST_PASSWORD} bytes, the most that TCP MD5 takes"
        findings.fatal(path, HIDDEN, problem, "agree on a shorter one with the neighbour")
    if conf.auth_password_secret_ref is not None:
        findings.fatal(path, HIDDEN, "has no place beside authPasswordSecretRef", "keep one of the two")
    return password


def _password_ref(conf: wire.NeighborConf, findings: Findings) -> SecretKeyRef | None:
    found = conf.auth_password_secret_ref
    if found is None:
        return None
    for name, value in (("name", found.name), ("key", found.key)):
        if not value:
            findings.missing(f"spec.conf.authPasswordSecretRef.{name}", f"write the Secret's {name}")
    return SecretKeyRef(found.name or "", found.key or "")


def _ttls(spec: wire.BgpPeerSpec, findings: Findings) -> tuple[int | None, int | None]:
    """TTLs of eBGP multihop and of TTL security; None where it is off."""
    multihop = spec.ebgp_multihop and spec.ebgp_multihop.enabled and (spec.ebgp_multihop.multihop_ttl or 255)
    security = spec.ttl_security and spec.ttl_security.enabled and (spec.ttl_security.ttl_min or 255)
    if multihop and security:
        remedy = "turn one of the two off"
        findings.fatal("spec.ttlSecurity", None, "has no place beside ebgpMultihop", remedy)
    return multihop or None, security or None


def _timers(config: wire.TimersConfig, findings: Findings) -> Timers:
    hold = _seconds(config.hold_time, "holdTime", findings)
    keepalive = _seconds(config.keepalive_interval, "keepaliveInterval", findings)
    path = "spec.timers.config"
    if hold in (1, 2):
        problem = "is neither 0 nor at least 3 seconds (RFC 4271, 4.2)"
        findings.left_out(f"{path}.holdTime", config.hold_time, problem, 'write "9", for example')
        hold = None
    if hold and keepalive and keepalive >= hold:
        problem = "is not below holdTime, so that the session would never last"
        findings.left_out(
            f"{path}.keepaliveInterval", config.keepalive_interval, problem, "write a third of holdTime"
        )
        keepalive = None
    return Timers(
        connect_retry=_seconds(config.connect_retry, "connectRetry", findings),
        hold_time=hold,
        keepalive_interval=keepalive,
        minimum_advertisement_interval=_seconds(
            config.minimum_advertisement_interval, "minimumAdvertisementInterval", findings
        ),
    )


def _seconds(text: str | None, name: str, findings: Findings) -> int | None:
    if not text:
        return None
    try:
        return whole_number(text, low=0, high=65535)
    except ValueError as error:
        remedy = "write seconds as text, from 0 to 65535"
        findings.left_out(f"spec.timers.config.{name}", text, str(error), remedy)
        return None


def _transport(found: wire.Transport, neighbor: str | None, findings: Findings) -> Transport:
    return Transport(
        mtu_discovery=found.mtu_discovery,
        passive_mode=found.passive_mode,
        remote_address=_remote_address(found.remote_address, findings),
        remote_port=found.remote_port,
        tcp_mss=found.tcp_mss or None,
        local_address=_local_address(found.local_address, neighbor, findings),
    )


def _remote_address(text: str | None, findings: Findings) -> str | None:
    if not text:
        return None
    try:
        return str(ip_address(text.strip()))
    except ValueError:
        findings.left_out("spec.transport.remoteAddress", text, "is not an IP address", "write one")
        return None


def _local_address(text: str | None, neighbor: str | None, findings: Findings) -> Address | None:
    if not text:
        return None
    path = "spec.transport.localAddress"
    try:
        address = parse_address(text)
    except ValueError:
        findings.fatal(path, text, "is not an IP address", "write an address of the node")
        return None
    if neighbor is not None and ip_address(neighbor).version != address.version:
        problem = f"is not of the neighbour's family, {neighbor}"
        findings.fatal(path, text, problem, "write an address of the same family")
    return address


def _bfd(found: wire.Bfd | None) -> Bfd | None:
    if found is None:
        return None
    return Bfd(
        enabled=bool(found.enabled),
        desired_minimum_tx_interval=found.desired_minimum_tx_interval,
        required_minimum_receive=found.required_minimum_receive,
        detection_multiplier=found.detection_multiplier,
    )
