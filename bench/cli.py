"""`python -m bench [ROW…] [--json FILE]`: measures row after row and prints the table.

A row over its bound is marked, one that cannot be measured says why; the exit code is 0 all the same. An
interrupted run prints and keeps what it has measured.
"""

import os
import time
from pathlib import Path

import click
from rich.console import Console

from bench import results
from bench.results import RowResult
from bench.rows import ROWS, Row
from lab.errors import LabError


@click.command()
@click.argument("rows", nargs=-1, type=click.Choice(list(ROWS)))
@click.option(
    "--json",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=results.RESULTS / "latest.json",
    help="Where the figures go as JSON.",
)
def main(rows: tuple[str, ...], file: Path) -> None:
    """Measure against the bounds that we hold ourselves to; without a ROW all of them, in their order."""
    console = Console(highlight=False)
    done: list[RowResult] = []
    try:
        for name in rows or ROWS:
            row = ROWS[name]
            console.print(f"[bold]{name}[/]  {row.title}")
            done.append(_measured(name, row))
            results.write(done, file)
    finally:
        console.print()
        results.show(done, console)


def _measured(name: str, row: Row) -> RowResult:
    if row.needs_root and os.geteuid() != 0:
        return RowResult(row=name, title=row.title, failed="makes network namespaces: run it as root")
    start = time.monotonic()
    try:
        measures, failed = tuple(row.measure()), ""
    except LabError as error:
        measures, failed = (), str(error)
    return RowResult(
        row=name,
        title=row.title,
        measures=measures,
        seconds=round(time.monotonic() - start, 1),
        load=round(os.getloadavg()[0], 1),
        failed=failed,
    )
