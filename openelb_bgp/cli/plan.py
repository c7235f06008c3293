"""`openelb-bgp plan`: what a node would announce by BGP, and why not the rest."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from openelb_bgp import settings
from openelb_bgp.model.keys import DEFAULT_NAMESPACE

from .failures import BadUsage, StateFailed

if TYPE_CHECKING:
    from .whatif import Answer

_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.command()
@click.argument("directory", type=_FOLDER)
@click.option("--node", help="The node to plan for; else NODE_NAME, else this host's name.")
@click.option("--state", type=_FOLDER, help="Folder with what has been allocated already.")
@click.option("-o", "--output", type=click.Choice(["yaml", "json"]), help="How to print.")
@click.option("--claim-all", is_flag=True, help="Take every LoadBalancer Service without a class.")
@click.option("--ignore-exclude-lb", is_flag=True, help="As for the speaker.")
def command(
    directory: Path,
    node: str | None,
    state: Path | None,
    output: str | None,
    claim_all: bool,
    ignore_exclude_lb: bool,
) -> int:
    """Show what a node would announce, and why not the rest.

    Sessions are taken for established. Nothing is changed; without --state addresses are given as a
    controller would give them now. The exit code is 0 for every plan: whether the manifests are right is what
    `validate` says.
    """
    from openelb_bgp.files.errors import FilesError, StateError

    from .whatif import Question, UnknownNode, answer

    question = Question(
        directory=directory,
        state=state,
        node=_node_name(node),
        namespace=os.environ.get("OPENELB_NAMESPACE") or DEFAULT_NAMESPACE,
        claim_all=claim_all,
        ignore_exclude_label=ignore_exclude_lb,
    )
    try:
        made = answer(question)
    except (UnknownNode, FilesError) as error:
        raise BadUsage(str(error)) from error
    except StateError as error:
        raise StateFailed(str(error)) from error
    _print(made, output)
    return settings.ExitCode.OK


def _node_name(given: str | None) -> str:
    import socket

    try:
        return settings.node_name(given, environment=os.environ, hostname=socket.gethostname())
    except settings.SettingError as error:
        raise BadUsage(str(error)) from error


def _print(made: "Answer", output: str | None) -> None:
    from .plan_text import document

    if output == "json":
        import json

        click.echo(json.dumps(document(made), indent=4, ensure_ascii=False))
    elif output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(document(made), sort_keys=False, allow_unicode=True), nl=False)
    elif sys.stdout.isatty():
        _print_boxes(made)
    else:
        _print_plain(made)
    if made.unusable:
        objects = "1 object" if made.unusable == 1 else f"{made.unusable} objects"
        click.echo(f"{objects} cannot be used; openelb-bgp validate says why", err=True)


def _print_plain(made: "Answer") -> None:
    from .plan_text import headline, sections
    from .table import aligned

    click.echo(headline(made))
    for section in sections(made):
        if section.rows:
            click.echo(f"\n{section.title}:")
            click.echo("\n".join(aligned([section.columns, *section.rows])))
        elif section.nothing:
            click.echo(f"\n{section.nothing}")


def _print_boxes(made: "Answer") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from .plan_text import headline, sections

    console = Console(highlight=False)
    console.print(headline(made), style="bold", markup=False)
    for section in sections(made):
        if section.rows:
            table = Table(title=section.title, title_justify="left", box=box.SIMPLE_HEAD)
            for column in section.columns:
                table.add_column(column, overflow="fold")
            for row in section.rows:
                table.add_row(*(cell.replace("[", "\\[") for cell in row))
            console.print(table)
        elif section.nothing:
            console.print(section.nothing, markup=False)
