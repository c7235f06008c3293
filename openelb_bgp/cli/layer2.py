"""`openelb-bgp layer2`: every address of the layer2 pools, who answers for it, since when, who comes next."""

from typing import TYPE_CHECKING, Any

import click

from openelb_bgp.settings import ExitCode

from . import options
from .listing import show

if TYPE_CHECKING:
    from openelb_bgp.layer2.show import Row

_COLUMNS = ("ADDRESS", "SERVICE", "POOL", "OWNER", "SINCE", "INTERFACE", "CANDIDATES")


@click.command()
@click.option("-o", "--output", type=click.Choice(["json"]), help="How to print.")
@options.source_options()
@options.common_options()
def command(output: str | None, **values: Any) -> int:
    """Show who answers for each address, and who comes next."""
    from openelb_bgp.layer2.show import rows

    from .whole import whole

    snapshot = whole(options.source_from(values))
    found = rows(snapshot, ignore_exclude_label=values["ignore_exclude_lb"])
    show(
        found,
        columns=_COLUMNS,
        cells=_cells,
        output=output,
        nothing="no Service has an address of a pool of protocol layer2",
    )
    for row in found if output is None else ():
        for problem in row.problems:
            if row.address in problem:
                click.echo(f"{row.address}: {problem}")
    return ExitCode.OK


def _cells(row: "Row") -> tuple[str, ...]:
    return (
        row.address,
        ",".join(row.services),
        row.pool,
        ",".join(row.owner) or "-",
        row.since or "-",
        row.interface or "-",
        " ".join(row.candidates) or _nobody(row),
    )


def _nobody(row: "Row") -> str:
    return "none: " + "; ".join(f"{node}: {why}" for node, why in row.not_candidates.items())
