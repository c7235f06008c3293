"""`openelb-bgp run`: controller and speaker in one process, for one machine without a cluster."""

from typing import Any

import click

from openelb_bgp.lib.imports import without

from . import options


@click.command(epilog=options.epilog())
@options.source_options()
@options.speaker_options()
@options.common_options()
@options.controller_options()
@click.option("--metrics-addr", default=":50053", show_default=True, help="Metrics and health; port 0: off.")
def command(**values: Any) -> int:
    """Controller and speaker of one machine, over a folder of manifests."""
    options.files_from(
        values,
        otherwise="write --files DIR; in a cluster controller and speaker run as processes of their own",
    )
    speaker, controller = options.speaker_from(values), options.controller_from(values)
    with without("rich"):
        from openelb_bgp.run import main

    return main(speaker, controller)
