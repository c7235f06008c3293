"""Every block of commands in the pages says where it is run, or why it is not."""

from pathlib import Path

from pages.reference import FOLDER, pages
from pages.sessions import Block, blocks

TOP = Path(__file__).parents[2]
# Pages that are made show how commands are written, and the Chinese ones repeat the English.
MADE = {TOP / FOLDER / name for name in pages()}
PAGES = [TOP / "README.md", *(page for page in (TOP / "docs").rglob("*.md") if page.parent.name != "zh")]
COMMANDS = {"sh", "bash", "console"}


def _unmarked(page: Path) -> list[int]:
    found: list[Block] = [one for one in blocks(page.read_text()) if one.language in COMMANDS]
    return [one.number for one in found if not one.how]


def test_every_block_of_commands_says_where_it_is_run_or_why_not() -> None:
    unmarked = {str(page.relative_to(TOP)): _unmarked(page) for page in PAGES if page not in MADE}
    hint = "write <!-- lab: ecmp --> before the fence, or <!-- not run: why -->; see pages/sessions.py"
    assert {page: lines for page, lines in unmarked.items() if lines} == {}, hint


def test_a_block_that_another_test_runs_names_a_test_that_is_there() -> None:
    named = {one.what for page in PAGES for one in blocks(page.read_text()) if one.how == "run by"}
    assert named
    assert [one for one in named if not (TOP / one).is_file()] == []
