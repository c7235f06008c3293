"""`openelb-bgp controller`: allocates addresses and writes statuses."""

from typing import Any

import click

from . import options


@click.command()
@options.source_options()
@options.common_options()
@click.option("--claim-all", is_flag=True, help="Take every LoadBalancer Service without a class.")
@click.option("--metrics-addr", default=":50052", show_default=True, help="Metrics and health; port 0: off.")
@click.option("--webhook-port", type=int, default=443, hidden=True)
@click.option("--webhook-cert-dir", hidden=True)
@click.option("--readiness-addr", hidden=True)
@click.option("--leader-elect/--no-leader-elect", default=True, hidden=True)
@click.option("--kubeconfig", hidden=True)
def command(**values: Any) -> int:
    """Give addresses to Services and keep every status true."""
    settings = options.controller_from(values)
    from openelb_bgp.controller import main

    return main(settings)
