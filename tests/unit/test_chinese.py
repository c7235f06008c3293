"""The Chinese pages keep beside the English: the same headings, tables, commands, and names in the text."""

import re
from pathlib import Path

import pytest

from pages.sessions import blocks

TOP = Path(__file__).parents[2]
PAIRS = [("README.md", "README.zh.md"), ("docs/start.md", "docs/zh/start.md")]

_OUTSIDE_FENCES = re.compile(r"^(```|~~~).*?^\1\s*?$", re.MULTILINE | re.DOTALL)
_REMARK = re.compile(r" +# .*$", re.MULTILINE)


def _prose(page: str) -> str:
    return _OUTSIDE_FENCES.sub("", (TOP / page).read_text())


def _headings(page: str) -> list[int]:
    """The levels of its headings, in their order."""
    return [len(found[1]) for found in re.finditer(r"^(#+) ", _prose(page), re.MULTILINE)]


def _table_rows(page: str) -> list[int]:
    """How many cells each row of its tables has."""
    return [line.count("|") for line in _prose(page).splitlines() if line.startswith("|")]


def _code(page: str) -> list[tuple[str, str]]:
    """Its blocks, without remarks, which are translated."""
    found = blocks((TOP / page).read_text())
    return [(block.language, _REMARK.sub("", block.text)) for block in found]


def _inline(page: str) -> set[str]:
    """Words of commands and objects in the text."""
    return set(re.findall(r"`([^`\n]+)`", _prose(page)))


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_the_headings_have_the_same_levels_in_the_same_order(english: str, chinese: str) -> None:
    assert _headings(chinese) == _headings(english)


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_the_commands_and_what_they_print_are_the_same(english: str, chinese: str) -> None:
    assert _code(chinese) == _code(english)


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_the_tables_have_the_same_rows(english: str, chinese: str) -> None:
    assert _table_rows(chinese) == _table_rows(english)


@pytest.mark.parametrize(("english", "chinese"), PAIRS)
def test_commands_flags_and_names_in_the_text_are_the_same(english: str, chinese: str) -> None:
    assert _inline(chinese) == _inline(english)
