"""The lab's command line: `python -m lab up | demo | status | at | down`.

Thin: what the commands do is in `lab.py`, `tour.py` and `inside.py`.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from lab import inside, lab, state
from lab.commands import Commands
from lab.errors import LabError
from lab.show import Screen, terminal
from lab.tour import tour
from lab.tours import TOURS, Tour, tour_named


@click.group(cls=Commands)
def main() -> None:
    """Real routers and switches, real packets, no containers."""
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces: run it as root (sudo)")


def _which(required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--lab",
        "name",
        default="ecmp" if required else None,
        show_default=required,
        help=f"One of {', '.join(TOURS)}, or a topology file."
        if required
        else "Only labs of this name or id.",
    )


_mode = click.option(
    "--mode",
    type=click.Choice([lab.FILES, lab.KUBERNETES]),
    default=lab.FILES,
    show_default=True,
    help="Where the objects are: a folder of manifests, or an API server in the lab.",
)


@main.command()
@_which(required=True)
@_mode
@click.option("--bare", is_flag=True, help="Routers and pods only, no speakers.")
def up(name: str, mode: str, bare: bool) -> None:
    """Build a lab and leave it up."""
    screen, chosen = Screen(terminal()), tour_named(name)
    with _held(chosen, mode) as made:
        screen.building(made)
        if not bare:
            made.start_daemons()
            chosen.ready(made)
        made.folder.keep()
    if bare:
        screen.line(f"[bold]The lab is up[/] as {made.folder.path.name}, without speakers.")
    else:
        screen.next_commands(made, service=chosen.service)


@main.command()
@_which(required=True)
@_mode
def demo(name: str, mode: str) -> None:
    """Build a lab, take the tour with real packets, and leave the lab up."""
    screen, chosen = Screen(terminal()), tour_named(name)
    with _held(chosen, mode) as made:
        screen.building(made)
        made.start_daemons()
        held = tour(made, screen, chosen.steps_in(mode))
        made.folder.keep()
    screen.next_commands(made, service=chosen.service)
    if not held:
        sys.exit(1)


@main.command()
def status() -> None:
    """Show the labs of this machine."""
    Screen(terminal()).labs(state.labs(), leftovers=state.leftovers())


@main.command(context_settings={"ignore_unknown_options": True})
@_which(required=False)
@click.argument("place")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def at(name: str | None, place: str, command: tuple[str, ...]) -> None:
    """Run a command in a node of the lab that is up, or a shell: leaf1, node1, client ..."""
    found = [folder for folder in state.labs() if folder.kept and _is_called(folder, name)]
    if len(found) != 1:
        names = ", ".join(folder.path.name for folder in found)
        raise LabError(
            f"several labs are up, choose by --lab: {names}" if found else "no lab is up; `make demo`"
        )
    made = lab.open_lab(found[0])
    os.chdir(made.folder.path)
    argv = inside.argv_at(made, place, command)
    os.execvpe(argv[0], argv, inside.environment_at(made, place))


@main.command()
@_which(required=False)
def down(name: str | None) -> None:
    """Remove the labs that were left up, and what crashed ones left behind."""
    removed = list(lab.clean_up())
    for folder in state.labs():
        if folder.kept and _is_called(folder, name):
            lab.take_down(folder)
            removed.append(folder.path.name)
    click.echo(f"removed {', '.join(removed)}" if removed else "there was no lab to remove")


def _is_called(folder: state.LabFolder, name: str | None) -> bool:
    return name in (None, folder.lab, folder.id, folder.path.name)


@contextmanager
def _held(chosen: Tour, mode: str) -> Iterator[lab.Lab]:
    """A new lab with the manifests of its tour."""
    with lab.held_lab(chosen.topology, mode=mode, name=chosen.name) as made:
        made.copy_manifests(*chosen.more)
        yield made


if __name__ == "__main__":
    sys.exit(main())
