"""How commands in pages are found, and when what they print agrees with what the page says."""

import pytest

from pages.sessions import Block, Command, agrees, blocks

PAGE = """\
Text.

<!-- lab: ecmp kubernetes -->
```console
leaf1# ip route show
10.0.0.0/8 dev eth1

node1$ true
```

<!-- not run: it needs a registry -->
```sh
helm install
```

- in a list

  ```yaml
  a: b
  ```
"""


def test_blocks_are_found_with_their_marks() -> None:
    first, second, third = blocks(PAGE)
    assert (first.language, first.how, first.what, first.number) == ("console", "lab", "ecmp kubernetes", 4)
    assert (second.language, second.how, second.what) == ("sh", "not run", "it needs a registry")
    assert third == Block(language="yaml", text="a: b", number=18)


def test_a_command_is_a_line_with_a_prompt_and_what_follows_is_what_it_prints() -> None:
    first = next(iter(blocks(PAGE)))
    assert first.commands == (
        Command("leaf1", "ip route show", ("10.0.0.0/8 dev eth1",), 5),
        Command("node1", "true", (), 8),
    )


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ((), ""),
        (("a b",), "a    b\n"),
        (("pid … is up",), "pid 4711 is up\n"),
        (("first", "…", "last"), "first\nx\ny\nlast\n"),
        (("first", "…", "last"), "first\nlast\n"),
        (("────",), "──────────\n"),
        (("a",), "\na\n\n"),
    ],
)
def test_it_agrees(said: tuple[str, ...], printed: str) -> None:
    assert agrees(said, printed)


@pytest.mark.parametrize(
    ("said", "printed"),
    [
        ((), "oops\n"),
        (("a",), "a\nb\n"),
        (("a", "b"), "a\n"),
        (("pid … is up",), "pid 4711 is down\n"),
        (("pid … is up",), "pid\nis up\n"),
        (("a.c",), "abc\n"),
    ],
)
def test_it_does_not_agree(said: tuple[str, ...], printed: str) -> None:
    assert not agrees(said, printed)
