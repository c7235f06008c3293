"""Plain aligned columns as kubectl sets them: left-aligned, three spaces apart, no boxes, no colour."""

from collections.abc import Iterable, Sequence

_GAP = 3


def aligned(rows: Iterable[Sequence[str]], widths: Sequence[int] = ()) -> list[str]:
    """Lines of cells; a column is at least as wide as in `widths`. The last column is not padded."""
    found = [[" ".join(cell.split()) for cell in row] for row in rows]
    wanted = widths_of(found, widths)
    return [
        "".join(cell.ljust(width + _GAP) for cell, width in zip(row, wanted, strict=True)).rstrip()
        for row in found
    ]


def widths_of(rows: Iterable[Sequence[str]], widths: Sequence[int] = ()) -> list[int]:
    """Each column's width: its longest cell, at least what `widths` says."""
    found = list(widths)
    for row in rows:
        if not found:
            found = [0] * len(row)
        found = [max(width, len(cell)) for width, cell in zip(found, row, strict=True)]
    return found
