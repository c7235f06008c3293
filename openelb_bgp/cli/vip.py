"""`openelb-bgp vip`: every address of the vip pools, its virtual router, who is master, who comes next."""

from typing import TYPE_CHECKING, Any

import click

from openelb_bgp.settings import ExitCode

from . import options
from .listing import show

if TYPE_CHECKING:
    from openelb_bgp.vip.show import Row

_COLUMNS = ("ADDRESS", "SERVICE", "POOL", "VRID", "INTERFACE", "MASTER", "PRIORITIES")


@click.command()
@click.option("-o", "--output", type=click.Choice(["json"]), help="How to print.")
@options.source_options()
@options.common_options()
def command(output: str | None, **values: Any) -> int:
    """Show who is VRRP master of each address, and who comes next."""
    from openelb_bgp.vip.show import rows

    from .whole import whole

    snapshot = whole(options.source_from(values))
    found = rows(snapshot, ignore_exclude_label=values["ignore_exclude_lb"])
    show(
        found,
        columns=_COLUMNS,
        cells=_cells,
        output=output,
        nothing="no Service has an address of a pool of protocol vip",
    )
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
