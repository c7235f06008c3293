"""Markdown tables. Pure."""

from collections.abc import Iterable, Iterator, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table, and an empty one behind it."""
    yield _line(head)
    yield _line(["---"] * len(head))
    for row in rows:
        yield _line([cell(one) for one in row])
    yield ""


def cell(text: str) -> str:
    """The text as it may stand in a cell."""
    return " ".join(text.split()).replace("\\|", "|").replace("|", r"\|")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
