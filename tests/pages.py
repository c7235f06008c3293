"""The blocks of documentation pages that tests run: fenced text under a comment that says what it is.

`<!-- file: NAME -->` or `<!-- merge: KIND -->` stands on the line before the fence, where readers of the page
do not see it. What is done with a block is the test's own matter.
"""

import re
from collections.abc import Mapping
from pathlib import Path

DOCS = Path(__file__).resolve().parent.parent / "docs"

_BLOCK = re.compile(
    r"^<!-- (?P<key>[a-z]+: [^>]+?) -->\n```[^\n]*\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


def marked(page: str) -> Mapping[str, str]:
    """The marked blocks of `docs/PAGE` by what their comments say, such as `file: frr.conf`."""
    found = [(block["key"], block["text"]) for block in _BLOCK.finditer((DOCS / page).read_text())]
    blocks = dict(found)
    assert len(blocks) == len(found), f"two blocks of docs/{page} have one mark"
    return blocks
