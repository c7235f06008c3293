"""`openelb-bgp controller`: allocates addresses and writes statuses."""

from typing import Any

import click

from openelb_bgp.lib.imports import without

from . import options


@click.command(epilog=options.epilog())
@options.source_options()
@options.common_options()
@options.controller_options()
@options.cluster_options()
@click.option("--metrics-addr", default=":50052", show_default=True, help="Metrics and health; port 0: off.")
def command(**values: Any) -> int:
    """Give addresses to Services and keep every status true."""
    settings = options.controller_from(values)
    with without("rich"):
        from openelb_bgp.controller import main

    return main(settings)
