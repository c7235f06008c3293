"""What a row measured: values, the table of them, and the JSON file."""

import json
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).resolve().parent / "results"


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One figure. `beside` is the same of what it is compared with, in the same unit.

    `bound` is the most that we allow ourselves; a figure without one is there for comparison.
    """

    what: str
    value: float
    unit: str
    beside: float | None = None
    bound: float | None = None

    @property
    def is_over(self) -> bool:
        """Whether it is over its bound."""
        return self.bound is not None and self.value > self.bound


class RowResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one row came to. `failed` says why it came to nothing; `load` is the load average at its end."""

    row: str
    title: str
    measures: tuple[Measure, ...] = ()
    seconds: float = 0.0
    load: float = 0.0
    failed: str = ""


def show(results: Sequence[RowResult], console: Console) -> None:
    """The table."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("row")
    table.add_column("what")
    for heading in ("measured", "beside", "bound", ""):
        table.add_column(heading, justify="right")
    for result in results:
        if result.failed:
            table.add_row(result.row, result.failed, "", "", "", "[bold red]failed[/]")
        for index, one in enumerate(result.measures):
            table.add_row("" if index else result.row, one.what, *_cells(one))
        table.add_section()
    console.print(table)


def write(results: Sequence[RowResult], file: Path) -> None:
    """The JSON file; its folder is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {**msgspec.to_builtins(result), "measures": [_plain(one) for one in result.measures]}
        for result in results
    ]
    document = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), "rows": rows}
    file.write_text(json.dumps(document, indent=2) + "\n")


def machine() -> dict[str, Any]:
    """What the figures were taken on, in general words."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "architecture": platform.machine(),
        "kernel": ".".join(platform.release().split(".")[:2]),
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
    }


def _plain(one: Measure) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(one)
    return {**plain, "over": one.is_over}


def _cells(one: Measure) -> tuple[str, str, str, str]:
    verdict = "" if one.bound is None else "[bold red]over[/]" if one.is_over else "[green]held[/]"
    value, beside, bound = (_number(number, one.unit) for number in (one.value, one.beside, one.bound))
    return value, beside, bound, verdict


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f} {unit}"
