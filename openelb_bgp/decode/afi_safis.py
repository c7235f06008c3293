"""BgpPeer.spec.afiSafis: wire to model. A family that we do not speak is left out."""

from openelb_bgp.model.addresses import Family
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.routing import AfiSafi

from .findings import Findings
from .walk import numbered
from .wire import afi_safis as wire

_FAMILIES = {"AFI_IP": Family.IPV4, "AFI_IP6": Family.IPV6}


def afi_safis(written: tuple[wire.AfiSafi, ...], findings: Findings) -> tuple[AfiSafi, ...]:
    """The families in the order written, each once."""
    found: dict[Family, AfiSafi] = {}
    for index, one in numbered(written):
        path = f"spec.afiSafis[{index}]"
        family = _family(one, path, findings)
        if family in found:
            problem = f"names {family} a second time"
            findings.left_out(path, None, problem, "remove it; the first one counts", reason=Reason.NO_EFFECT)
        elif family is not None:
            found[family] = _afi_safi(family, one)
    return tuple(found.values())


def _family(one: wire.AfiSafi, path: str, findings: Findings) -> Family | None:
    name = one.config.family if one.config else None
    where = f"{path}.config.family.afi"
    # Bad values are known already.
    if findings.mentions(f"{path}.config.family.safi"):
        return None
    if name is not None and name.afi is not None:
        return _FAMILIES[name.afi]
    if not findings.mentions(where):
        findings.left_out(where, None, "is missing", "write AFI_IP or AFI_IP6")
    return None


def _afi_safi(family: Family, one: wire.AfiSafi) -> AfiSafi:
    config = one.config or wire.AfiSafiConfig()
    add_paths = (one.add_paths and one.add_paths.config) or wire.AddPathsConfig()
    restart = one.mp_graceful_restart and one.mp_graceful_restart.config
    long_lived = one.long_lived_graceful_restart and one.long_lived_graceful_restart.config
    limits = one.prefix_limits or wire.PrefixLimits()
    return AfiSafi(
        family=family,
        enabled=config.enabled is not False,
        add_paths_receive=add_paths.receive,
        add_paths_send_max=add_paths.send_max,
        mp_graceful_restart=restart.enabled if restart else None,
        long_lived_restart_time=long_lived.restart_time if long_lived else None,
        long_lived_enabled=bool(long_lived and long_lived.enabled),
        prefix_limit=limits.max_prefixes or None,
        prefix_limit_shutdown_threshold=limits.shutdown_threshold_pct,
    )
