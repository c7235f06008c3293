"""`openelb-bgp speaker`: the daemon of one node."""

from typing import Any

import click

from openelb_bgp.lib.imports import without

from . import options


@click.command(epilog=options.epilog())
@options.source_options()
@options.speaker_options()
@options.common_options()
@click.option("--metrics-addr", default=":50053", show_default=True, help="Metrics and health; port 0: off.")
def command(**values: Any) -> int:
    """Announce this node's addresses."""
    settings = options.speaker_from(values)
    with without("rich"):
        from openelb_bgp.speaker import main

    return main(settings)
