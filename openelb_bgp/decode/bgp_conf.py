"""BgpConf: wire to model. Fatal are wrong AS numbers, and listen addresses of which none is left."""

from openelb_bgp.model.addresses import parse_address
from openelb_bgp.model.meta import Meta
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.routing import BgpConf, Drain, NextHops

from .bgp_common import graceful_restart
from .findings import Findings
from .numbers import router_id
from .walk import numbered
from .wire import bgp_conf as wire


def bgp_conf(meta: Meta, spec: wire.BgpConfSpec, findings: Findings) -> BgpConf:
    """The settings; worth something only where `findings` holds nothing fatal."""
    if spec.asn is None:
        findings.missing("spec.as", "write our AS number, from 1 to 4294967295")
    if spec.families:
        findings.left_out(
            "spec.families",
            ", ".join(map(str, spec.families)),
            "has no effect: gobgpd always has IPv4 and IPv6, and each BgpPeer's afiSafis say what it carries",
            "remove it",
            reason=Reason.NO_EFFECT,
        )
    defaults = BgpConf(meta=meta, asn=0)
    stand_in_after = spec.stand_in_after_seconds
    return BgpConf(
        meta=meta,
        asn=spec.asn or 0,
        asn_per_rack=tuple(sorted((spec.as_per_rack or {}).items())),
        router_id=_router_id(spec.router_id, findings),
        listen_port=_listen_port(spec.listen_port, findings),
        listen_addresses=_listen_addresses(spec.listen_addresses or (), findings),
        families=tuple(spec.families or ()),
        use_multiple_paths=bool(spec.use_multiple_paths),
        graceful_restart=graceful_restart(spec.graceful_restart),
        policy=spec.policy or None,
        next_hops=NextHops(spec.next_hops or NextHops.AUTO),
        stand_in_after=defaults.stand_in_after if stand_in_after is None else float(stand_in_after),
        weighted_ecmp=bool(spec.weighted_ecmp),
        drain=_drain(spec.drain or wire.Drain()),
    )


def _router_id(text: str | None, findings: Findings) -> str | None:
    if not text:
        return None
    try:
        return router_id(text)
    except ValueError as error:
        remedy = "write a dotted quad such as 192.0.2.1, or leave it out to use each node's address"
        findings.left_out("spec.routerId", text, str(error), remedy)
        return None


def _listen_port(port: int | None, findings: Findings) -> int:
    if port == 0:
        findings.left_out("spec.listenPort", port, "is not a port", wire.PORT_REMEDY)
    return port or 179


def _listen_addresses(texts: tuple[str, ...], findings: Findings) -> tuple[str, ...]:
    good: list[str] = []
    bad: list[tuple[int, str]] = []
    for index, text in numbered(texts):
        try:
            good.append(str(parse_address(text)))
        except ValueError:
            bad.append((index, text))
    for index, text in bad:
        # With none left gobgpd would listen on every address, which is what the list is there to prevent.
        path = f"spec.listenAddresses[{index}]"
        findings.add(
            path, text, "is not an IP address", "write an IP of the nodes, or 0.0.0.0", fatal=not good
        )
    return tuple(good)


def _drain(found: wire.Drain) -> Drain:
    defaults = Drain()
    return Drain(
        grace_seconds=defaults.grace_seconds if found.grace_seconds is None else float(found.grace_seconds),
        taints=defaults.taints if found.taints is None else tuple(found.taints),
    )
