"""What a command found, row by row: as a table for people, or as JSON."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import click

Row = TypeVar("Row")


def show(
    rows: Sequence[Row],
    *,
    columns: Sequence[str],
    cells: Callable[[Row], Sequence[str]],
    output: str | None,
    nothing: str,
) -> None:
    """Print them; `output` "json": whole. Where there are none `nothing` says so on stderr, JSON is empty."""
    if output == "json":
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(rows), indent=4).decode())
    elif rows:
        from .table import aligned

        click.echo("\n".join(aligned([columns, *map(cells, rows)])))
    else:
        click.echo(nothing, err=True)
