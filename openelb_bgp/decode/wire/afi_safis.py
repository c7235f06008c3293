"""The address families of a BgpPeer on the wire."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from .common import Seconds24, Uint32
from .described import Edit, doc

Octet = Annotated[int, Meta(ge=0, le=255)]
Percent = Annotated[int, Meta(ge=0, le=100)]


class FamilyName(msgspec.Struct, rename="camel", kw_only=True):
    """An address family."""

    afi: Annotated[
        Literal["AFI_IP", "AFI_IP6"] | None,
        doc("IPv4 or IPv6.", default="none: an entry without it is left out", example="AFI_IP6"),
    ] = None
    safi: Annotated[
        Literal["SAFI_UNICAST"] | None, doc("Unicast.", default="SAFI_UNICAST", example="SAFI_UNICAST")
    ] = None


class AfiSafiConfig(msgspec.Struct, rename="camel", kw_only=True):
    """Which address family, and whether it is on."""

    family: Annotated[FamilyName | None, doc("The address family.")] = None
    enabled: Annotated[bool | None, doc("True when absent.", default="true", example=True)] = None


class AddPathsConfig(msgspec.Struct, rename="camel", kw_only=True):
    """Additional paths (RFC 7911)."""

    receive: Annotated[
        bool | None,
        doc("Take several paths of a prefix from the neighbour.", default="false", example=True),
    ] = None
    send_max: Annotated[
        Octet | None, doc("How many paths of a prefix the neighbour gets.", default="255", example=10)
    ] = None


class AddPaths(msgspec.Struct, rename="camel", kw_only=True):
    """Additional paths (RFC 7911)."""

    config: Annotated[AddPathsConfig | None, doc("Settings.")] = None


class EnabledConfig(msgspec.Struct, rename="camel", kw_only=True):
    """A switch."""

    enabled: Annotated[
        bool | None,
        doc("Whether it is on.", default="as gracefulRestart.enabled of the session", example=False),
    ] = None


class MpGracefulRestart(msgspec.Struct, rename="camel", kw_only=True):
    """Graceful restart of one family."""

    config: Annotated[EnabledConfig | None, doc("Settings.")] = None


class LongLivedConfig(msgspec.Struct, rename="camel", kw_only=True):
    """Long-lived graceful restart of one family (RFC 9494)."""

    enabled: Annotated[bool | None, doc("Whether it is on.", default="false", example=True)] = None
    restart_time: Annotated[
        Seconds24 | None,
        doc(
            "How long the peer keeps our routes, in seconds.",
            default="3600",
            example=7200,
            edit=Edit.NEXT_SESSION,
        ),
    ] = None


class LongLivedGracefulRestart(msgspec.Struct, rename="camel", kw_only=True):
    """Long-lived graceful restart of one family (RFC 9494)."""

    config: Annotated[LongLivedConfig | None, doc("Settings.")] = None


class PrefixLimits(msgspec.Struct, rename="camel", kw_only=True):
    """How many prefixes the neighbour may send."""

    max_prefixes: Annotated[
        Uint32 | None, doc("The most prefixes; 0 is no limit.", default="0", example=1000)
    ] = None
    shutdown_threshold_pct: Annotated[
        Percent | None, doc("Warn from this share on, in percent.", default="0", example=80)
    ] = None


class AfiSafi(msgspec.Struct, rename="camel", kw_only=True):
    """One address family of the session."""

    config: Annotated[AfiSafiConfig | None, doc("Which family.")] = None
    add_paths: Annotated[AddPaths | None, doc("Additional paths.")] = None
    mp_graceful_restart: Annotated[MpGracefulRestart | None, doc("Graceful restart.")] = None
    long_lived_graceful_restart: Annotated[
        LongLivedGracefulRestart | None, doc("Long-lived graceful restart.", ours=True)
    ] = None
    prefix_limits: Annotated[
        PrefixLimits | None, doc("Limit on received prefixes.", ours=True, edit=Edit.NEXT_SESSION)
    ] = None
