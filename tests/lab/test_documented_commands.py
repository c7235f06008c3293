"""Every command of the pages that can be run in a lab is run there, and prints what the page says."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from lab.inside import printed_at
from lab.lab import FILES, Lab, held_lab
from lab.tours import tour_named
from pages.sessions import Block, Command, agrees, blocks
from tests.lab import troubled

TOP = Path(__file__).parents[2]
PAGES = [*sorted(TOP.glob("README*.md")), *sorted((TOP / "docs").rglob("*.md"))]
RUN = [
    (page.relative_to(TOP), block)
    for page in PAGES
    for block in blocks(page.read_text())
    if block.how == "lab"
]
# A lab is built once, and one at a time.
RUN.sort(key=lambda one: one[1].what)
WITHIN = 120.0
"""Seconds in which a page's words come true: sessions come up, statuses follow."""

Labs = Callable[[tuple[str, ...]], Lab]


@pytest.fixture(scope="module")
def labs() -> Iterator[Labs]:
    """The lab that a mark names; the one before is taken down."""
    with ExitStack() as up:
        found: dict[tuple[str, ...], Lab] = {}

        def get(words: tuple[str, ...]) -> Lab:
            if words not in found:
                up.close()
                found.clear()
                found[words] = up.enter_context(started(*words))
            return found[words]

        yield get


@contextmanager
def started(name: str, mode: str = FILES) -> Iterator[Lab]:
    """A lab of that name as `make demo` leaves it, but for the tour; or the one with mistakes in it."""
    if name == troubled.NAME:
        with troubled.troubled() as lab:
            yield lab
        return
    tour = tour_named(name)
    with held_lab(tour.topology, mode=mode, name=name) as lab:
        lab.copy_manifests(*tour.more)
        lab.start_daemons()
        tour.ready(lab)
        yield lab


def expect_printed(lab: Lab, page: Path, command: Command) -> None:
    deadline = time.monotonic() + WITHIN
    printed = printed_at(lab, command.place, command.line)
    while not agrees(command.printed, printed):
        if time.monotonic() >= deadline:
            said = "\n".join(command.printed)
            pytest.fail(f"{page}:{command.number}: {command.line}\nsays\n{said}\nbut prints\n{printed}")
        printed = printed_at(lab, command.place, command.line)


@pytest.mark.parametrize(("page", "block"), RUN, ids=[f"{page}:{block.number}" for page, block in RUN])
def test_prints_what_the_page_says(labs: Labs, page: Path, block: Block) -> None:
    assert block.commands, "a block that is run has prompts"
    lab = labs(tuple(block.what.split()))
    for command in block.commands:
        expect_printed(lab, page, command)
