"""What BgpConf and BgpPeer share: graceful restart."""

from openelb_bgp.model.routing import GracefulRestart

from .wire import restart as wire


def graceful_restart(found: wire.GracefulRestart | None) -> GracefulRestart | None:
    """The model's settings, None where none are written; every field keeps "not written" as None."""
    if found is None:
        return None
    return GracefulRestart(
        enabled=found.enabled,
        restart_time=found.restart_time,
        helper_only=found.helper_only,
        deferral_time=found.deferral_time,
        notification_enabled=found.notification_enabled,
        longlived_enabled=found.longlived_enabled,
        stale_routes_time=found.stale_routes_time,
        peer_restart_time=found.peer_restart_time,
        peer_restarting=found.peer_restarting,
        local_restarting=found.local_restarting,
        mode=found.mode,
    )
