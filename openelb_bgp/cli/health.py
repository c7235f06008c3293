"""`openelb-bgp health`: whether what runs beside it works, as an exit code; for an image's HEALTHCHECK."""

import asyncio
import http.client
from pathlib import Path

import click

from openelb_bgp import settings
from openelb_bgp.settings import ExitCode, HostPort

from .failures import BadUsage, Failed

_PORTS = (50053, 50052)
"""The speaker's and the controller's, unless they were told otherwise."""
_SECONDS = 3.0


@click.command()
@click.argument("daemon", type=click.Choice(["gobgpd", "keepalived"]), required=False)
@click.option(
    "--runtime-dir",
    "runtime",
    type=click.Path(path_type=Path, file_okay=False),
    default=settings.DEFAULT_RUNTIME,
    show_default=True,
    help="The sidecar's --dir, for DAEMON.",
)
@click.option("--metrics-addr", help="Where controller, speaker or run answers; else its default port.")
def command(daemon: str | None, runtime: Path, metrics_addr: str | None) -> int:
    """Say whether a daemon works, by exit code 0 or 1.

    Without DAEMON controller, speaker or run is asked for /healthz, else the sidecar of DAEMON.
    """
    click.echo(asyncio.run(_sidecar(daemon, runtime)) if daemon else _daemon(metrics_addr))
    return ExitCode.OK


def _daemon(metrics_addr: str | None) -> str:
    """What the first that listens says. Raises Failed where nobody does, or where it is not well."""
    for address in _addresses(metrics_addr):
        connection = http.client.HTTPConnection(address.host or "127.0.0.1", address.port, timeout=_SECONDS)
        try:
            connection.request("GET", "/healthz")
            answer = connection.getresponse()
            said = answer.read().decode(errors="replace").strip()
        except ConnectionRefusedError:
            continue
        except (OSError, http.client.HTTPException) as exc:
            raise Failed(f"{address} does not answer: {exc}") from exc
        finally:
            connection.close()
        if answer.status != http.client.OK:
            raise Failed(said)
        return said
    raise Failed("neither a speaker nor a controller listens here; if at another --metrics-addr, say so")


def _addresses(metrics_addr: str | None) -> tuple[HostPort, ...]:
    if metrics_addr is None:
        return tuple(HostPort("", port) for port in _PORTS)
    try:
        return (settings.host_port(metrics_addr, flag="--metrics-addr"),)
    except settings.SettingError as exc:
        raise BadUsage(str(exc)) from exc


async def _sidecar(daemon: str, runtime: Path) -> str:
    """How the daemon stands. Raises Failed where it is not up, or no sidecar is."""
    from openelb_bgp.sidecar import client
    from openelb_bgp.sidecar.kinds import KINDS

    kind = KINDS[daemon]
    try:
        dump = await client.control(runtime, client.Command.DUMP, within=_SECONDS, kind=kind)
    except client.SidecarError as exc:
        raise Failed(str(exc)) from exc
    # keepalived runs only while there is an address for it.
    if dump.crash_loop or not (dump.ready or dump.pid is None):
        raise Failed(f"{daemon} is not up: {'; '.join(dump.last_output[-1:]) or dump.last_exit}")
    return f"{dump.version or daemon}: ok"
