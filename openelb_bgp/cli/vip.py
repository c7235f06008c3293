"""`openelb-bgp vip`: every address of the vip pools, its virtual router, who is master, who comes next."""

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import click

from openelb_bgp.settings import ExitCode, FilesSettings, SourceSettings

from . import options
from .failures import Failed, StateFailed

if TYPE_CHECKING:
    from openelb_bgp.model.snapshot import Snapshot
    from openelb_bgp.vip.show import Row

_COLUMNS = ("ADDRESS", "SERVICE", "POOL", "VRID", "INTERFACE", "MASTER", "PRIORITIES")
_SECONDS = 30.0


@click.command()
@click.option("-o", "--output", type=click.Choice(["json"]), help="How to print.")
@options.source_options()
@options.common_options()
def command(output: str | None, **values: Any) -> int:
    """Show who is VRRP master of each address, and who comes next."""
    from openelb_bgp.vip.show import rows

    snapshot = _snapshot(options.source_from(values))
    found = rows(snapshot, ignore_exclude_label=values["ignore_exclude_lb"])
    if output == "json":
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(found), indent=4).decode())
    elif found:
        from .table import aligned

        click.echo("\n".join(aligned([_COLUMNS, *map(_cells, found)])))
    else:
        click.echo("no Service has an address of a pool of protocol vip", err=True)
    return ExitCode.OK


def _cells(row: "Row") -> tuple[str, ...]:
    ranked = " ".join(f"{node}={priority}" for node, priority in row.priorities.items())
    return (
        row.address,
        ",".join(row.services),
        row.pool,
        str(row.vrid or "-"),
        row.interface,
        ",".join(row.master) or "-",
        row.why or ranked,
    )


def _snapshot(source: SourceSettings) -> "Snapshot":
    from openelb_bgp.files.errors import FilesError, StateError

    if not isinstance(source, FilesSettings):
        return asyncio.run(_of_cluster(source))
    from openelb_bgp.files.load import load

    try:
        return load(source.files, state=source.state).snapshot
    except StateError as error:
        raise StateFailed(str(error)) from error
    except FilesError as error:
        raise Failed(str(error)) from error


async def _of_cluster(source: SourceSettings) -> "Snapshot":
    """Everything listed once. Raises Failed."""
    from openelb_bgp.kube.errors import NoAccess
    from openelb_bgp.model.meta import Kind
    from openelb_bgp.origin import feed, opened

    needed = (Kind.EIP, Kind.SERVICE, Kind.ENDPOINT_SLICE, Kind.NODE, Kind.BGP_CONF, Kind.SPEAKER)
    try:
        async with asyncio.timeout(_SECONDS), opened(source, node=None, owner=False) as origin:
            changed = asyncio.Event()
            origin.store.subscribe(changed.set)
            feeding = asyncio.create_task(feed(origin))
            try:
                while not origin.store.snapshot.has_listed(*needed):
                    await changed.wait()
                    changed.clear()
            finally:
                feeding.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await feeding
            return origin.store.snapshot
    except TimeoutError as error:
        raise Failed(f"the API server has not listed everything in {_SECONDS:g} s") from error
    except NoAccess as error:
        raise Failed(str(error)) from error
