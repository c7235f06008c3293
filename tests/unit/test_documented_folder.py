"""The folder of manifests that a page shows is what its commands are run on, and they print what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pages.sessions import Block, agrees, blocks

TOP = Path(__file__).parents[2]
PAGE = (TOP / "docs" / "files.md").read_text()
RUN = [block for block in blocks(PAGE) if block.how == "folder"]
FILES = {
    found[1]: block.text
    for block in blocks(PAGE)
    if block.language == "yaml" and (found := re.match(r"# (shop/[a-z0-9]+\.yaml)", block.text))
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where `shop/` is, as the page shows it."""
    assert len(FILES) == 3
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    return tmp_path


def _printed(line: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ("bash", "-c", line),
        cwd=folder,
        env={"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize("block", RUN, ids=lambda block: f"files.md:{block.number}")
def test_prints_what_the_page_says(folder: Path, block: Block) -> None:
    (command,) = block.commands
    printed = _printed(command.line, folder)
    assert agrees(command.printed, printed), printed
