"""Commands in Markdown pages, with what they print: found, and compared with what they print today. Pure.

A block of commands is fenced as `console`, and marked by a comment on the line before the fence:

    <!-- lab: ecmp -->
    ```console
    leaf1# ip route show proto bgp
    ```

A line that begins with a prompt (`leaf1#`, `node1$`) is a command, run at that place of the lab; the lines
that follow are what it prints. In these `…` stands for anything within a line, and a line of it alone for any
lines. `<!-- lab: ecmp kubernetes -->` wants the lab with an API server, `<!-- folder: shop -->` the manifests
that the same page shows, `<!-- demo: ecmp -->` the whole tour; their prompt is `$` alone. What cannot be run
says so, and why: `<!-- not run: why -->`. `run` and `run by` mark blocks that other tests take care of.
"""

import re
from collections.abc import Iterator, Sequence

import msgspec

_MARK = re.compile(r"^ *<!-- (?P<how>lab|folder|demo|run|run by|not run): (?P<what>[^>]*?) -->$")
_FENCE = re.compile(r"^ *(?P<fence>`{3,}|~{3,})(?P<language>[a-z]*)")
_PROMPT = re.compile(r"^(?P<place>(?:[a-z][a-z0-9]*)?)[#$] (?P<line>.+)$")
_ANYTHING = "…"


class Command(msgspec.Struct, frozen=True):
    """A command at a place, and the lines that the page says it prints; `number` is its line in the page."""

    place: str
    line: str
    printed: tuple[str, ...]
    number: int


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """A fenced block. `how` is what its mark says of where it is run, empty without, and `what` the rest."""

    language: str
    text: str
    number: int
    how: str = ""
    what: str = ""

    @property
    def commands(self) -> tuple[Command, ...]:
        """Its commands, in their order; the lines above the first prompt belong to none."""
        return tuple(_commands(self.text.splitlines(), self.number + 1))


def blocks(page: str) -> Iterator[Block]:
    """Every fenced block of a page."""
    lines = page.splitlines()
    at = 0
    while at < len(lines):
        fence = _FENCE.match(lines[at])
        if fence is None:
            at += 1
            continue
        end = next(
            (to for to in range(at + 1, len(lines)) if lines[to].strip() == fence["fence"]), len(lines)
        )
        indent = len(lines[at]) - len(lines[at].lstrip())
        text = "\n".join(line[indent:] for line in lines[at + 1 : end])
        yield _block(fence["language"], text, at + 1, _MARK.match(lines[at - 1]) if at else None)
        at = end + 1


def _block(language: str, text: str, number: int, mark: re.Match[str] | None) -> Block:
    said = {"how": mark["how"], "what": mark["what"]} if mark else {}
    return Block(language=language, text=text, number=number, **said)


def _commands(lines: Sequence[str], first: int) -> Iterator[Command]:
    prompts = [(at, found) for at, line in enumerate(lines) if (found := _PROMPT.match(line))]
    ends = [at for at, _ in prompts[1:]] + [len(lines)]
    for (at, found), end in zip(prompts, ends, strict=True):
        printed = tuple(line for line in lines[at + 1 : end] if line.strip())
        yield Command(found["place"], found["line"], printed, first + at)


def agrees(said: Sequence[str], printed: str) -> bool:
    """Whether a command printed what the page says. Blanks count as one, empty lines as none."""
    lines = [line for line in printed.splitlines() if line.strip()]
    pattern = "".join(_pattern(line) for line in said)
    return re.fullmatch(pattern, "".join(f"{_plain(line)}\n" for line in lines)) is not None


def _pattern(said: str) -> str:
    plain = _plain(said)
    if plain == _ANYTHING:
        return r"(?:[^\n]*\n)*?"
    return "[^\n]*?".join(re.escape(part) for part in plain.split(_ANYTHING)) + "\n"


def _plain(line: str) -> str:
    return re.sub("─+", "─", " ".join(line.split()))
