"""Graceful restart on the wire, which BgpConf and BgpPeer share."""

from typing import Annotated

import msgspec
from msgspec import Meta

from .common import Seconds24
from .described import Edit, doc

RestartSeconds = Annotated[int, Meta(ge=0, le=4095)]
Uint16 = Annotated[int, Meta(ge=0, le=65535)]


class GracefulRestart(msgspec.Struct, rename="camel", kw_only=True):
    """Graceful restart (RFC 4724); times in seconds."""

    enabled: Annotated[
        bool | None, doc("Whether graceful restart is offered.", default="true", example=False)
    ] = None
    restart_time: Annotated[
        RestartSeconds | None,
        doc("How long the peer keeps our routes; at most 4095 (RFC 4724, 3).", default="60", example=120),
    ] = None
    helper_only: Annotated[
        bool | None,
        doc("Help a restarting peer, but ask for no help.", default="false", example=True),
    ] = None
    deferral_time: Annotated[
        Uint16 | None,
        doc("How long a restarted speaker waits for End-of-RIB.", default="5", example=10),
    ] = None
    notification_enabled: Annotated[
        bool | None, doc("RFC 8538: a NOTIFICATION does not end it.", default="false", example=True)
    ] = None
    longlived_enabled: Annotated[
        bool | None,
        doc(
            "Long-lived graceful restart (RFC 9494).",
            default="true where an entry of afiSafis asks for it, else false",
            example=True,
        ),
    ] = None
    stale_routes_time: Annotated[
        Seconds24 | None,
        doc("How long stale routes of a peer are kept.", default="gobgpd's", example=360),
    ] = None
    peer_restart_time: Annotated[
        Seconds24 | None, doc("Read-only in GoBGP; accepted.", default="not written", example=120)
    ] = None
    peer_restarting: Annotated[
        bool | None, doc("Read-only in GoBGP; accepted.", default="not written", example=True)
    ] = None
    local_restarting: Annotated[
        bool | None,
        doc(
            "No effect: the restart bit is set whenever gobgpd comes back, and then only.",
            default="not written",
            example=False,
            edit=Edit.NOTHING,
        ),
    ] = None
    mode: Annotated[
        str | None, doc("As GoBGP has it; accepted.", default="not written", example="helper-only")
    ] = None
