"""Which pages of the reference are made from the code, and what each holds."""

from collections.abc import Callable, Mapping
from functools import partial

from openelb_bgp.model.meta import Kind

from . import commands, metrics
from .kinds import page

_KINDS = (Kind.EIP, Kind.BGP_CONF, Kind.BGP_PEER, Kind.SPEAKER)
_MADE: Mapping[str, Callable[[], str]] = {
    **{f"{kind.lower()}.md": partial(page, kind) for kind in _KINDS},
    "commands.md": commands.page,
    "metrics.md": metrics.page,
}
FOLDER = "docs/reference"


def pages() -> Mapping[str, str]:
    """Every page that is made, by the name of its file in `FOLDER`."""
    return {name: _after_title(made()) for name, made in _MADE.items()}


def _after_title(text: str) -> str:
    title, _, rest = text.partition("\n")
    return f"{title}\n\n<!-- Made by `make reference` from the code: edit that. -->\n{rest}"
