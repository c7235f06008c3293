"""`openelb-bgp sidecar`: hands everything to the sidecar, which has its own arguments."""

import click


@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> int:
    """Run gobgpd or keepalived beside a speaker, and restart it."""
    from openelb_bgp.sidecar import main

    return main(arguments)
