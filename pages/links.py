"""Links between Markdown files of the checkout, made to hold on the site. Pure.

A page is written to be read in the checkout: it links to `../README.md` or `docs/vip.md`. On the site the
files of the top folder are pages too, under other names, and what is no page is named without a link.
"""

import re
from collections.abc import Callable, Mapping
from posixpath import dirname, join, normpath, relpath

AT_THE_TOP: Mapping[str, str] = {
    "README.md": "index.md",
    "README.zh.md": "zh/index.md",
    "CONTRIBUTING.md": "development.md",
    "CHANGELOG.md": "changelog.md",
    "LICENSE": "license.md",
}
"""Files of the top folder that are pages, and what they are called on the site."""

DOCS = "docs"

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]\[]*)\]\((?P<target>[^()\s]+)\)")
_FENCE = re.compile(r"^ *(```|~~~)")
_ELSEWHERE = re.compile(r"[a-z]+:")


class DeadLink(Exception):
    """A link to a file that is not there; the text names both."""


def for_the_site(text: str, *, source: str, exists: Callable[[str], bool]) -> str:
    """The text with its links as they are on the site.

    `source` is the file's path in the checkout, `exists` says of a path there whether it is one. Raises
    DeadLink.
    """
    lines, fenced = [], False
    for line in text.split("\n"):
        fenced ^= bool(_FENCE.match(line))
        lines.append(line if fenced else _LINK.sub(lambda found: _link(found, source, exists), line))
    return "\n".join(lines)


def page_of(path: str) -> str | None:
    """What a file of the checkout is called on the site; None for one that is no page."""
    inside = path.removeprefix(f"{DOCS}/")
    return inside if inside != path else AT_THE_TOP.get(path)


def _link(found: re.Match[str], source: str, exists: Callable[[str], bool]) -> str:
    target, _, anchor = found["target"].partition("#")
    if not target or _ELSEWHERE.match(target):
        return found[0]
    path = normpath(join(dirname(source), target))
    if not exists(path):
        raise DeadLink(f"{source}: there is no {target}")
    page, here = page_of(path), page_of(source)
    if page is None or here is None:
        return found["text"]
    behind = f"#{anchor}" if anchor else ""
    return f"[{found['text']}]({relpath(page, dirname(here) or '.')}{behind})"
