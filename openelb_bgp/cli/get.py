"""`openelb-bgp get`: objects with their status, printed as kubectl would.

Reads the manifests and the state beside them; no daemon needs to run.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from openelb_bgp.settings import ExitCode

from . import options
from .failures import BadUsage, Failed, StateFailed

if TYPE_CHECKING:
    from .kinds import ShownKind

Object = Mapping[str, Any]


@click.command()
@click.argument("kinds", metavar="KIND[,KIND…]")
@click.argument("names", metavar="[NAME]…", nargs=-1)
@click.option("-n", "--namespace", default="default", show_default=True, help="Namespace to look into.")
@click.option("-A", "--all-namespaces", is_flag=True, help="Look into all namespaces.")
@click.option("-o", "--output", type=click.Choice(["wide", "yaml", "json", "name"]), help="How to print.")
@click.option("-w", "--watch", is_flag=True, help="Go on printing what changes.")
@options.source_options()
def command(kinds: str, names: tuple[str, ...], **values: Any) -> int:
    """Show objects with their status, as kubectl get would.

    Kinds: eips, bgpconfs, bgppeers, speakers, services (svc), endpointslices, nodes, namespaces, configmaps,
    events. KIND/NAME works too.
    """
    from .kinds import UnknownKind, kinds_named

    source = options.files_from(
        values,
        otherwise="write --files DIR; in a cluster kubectl shows the same objects with the same columns",
    )
    kinds, slash, name = kinds.partition("/")
    try:
        shown = kinds_named(kinds)
    except UnknownKind as error:
        raise BadUsage(str(error)) from error
    asked = _Asked(
        kinds=shown,
        names=(name, *names) if slash else names,
        namespace=None if values["all_namespaces"] else values["namespace"],
        output=values["output"] or "",
        directory=source.files,
        state=source.state,
    )
    return asked.follow() if values["watch"] else asked.show()


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One question to the folder and its state. `namespace` None asks for all."""

    kinds: Sequence["ShownKind"]
    names: Sequence[str]
    namespace: str | None
    output: str
    directory: Path
    state: Path

    def show(self) -> int:
        """Print once. Raises ClickException with one line where there is nothing of that name."""
        from .printing import printed

        found = [(kind, self._choose(kind, self._read(kind))) for kind in self.kinds]
        self._complain_of_missing(found)
        text = printed(
            found,
            output=self.output,
            now=_now(),
            namespaces=self.namespace is None,
            one=len(self.names) == 1,
        )
        if text:
            click.echo(text)
        self._complain_of_no_state()
        if not any(objects for _, objects in found) and not self.names:
            click.echo(self._nothing(), err=True)
        return ExitCode.OK

    def follow(self) -> int:
        """Print, and go on printing what changes, until interrupted."""
        import asyncio

        if len(self.kinds) > 1:
            raise BadUsage("--watch follows one kind; name one")
        asyncio.run(self._follow(self.kinds[0]))
        return ExitCode.OK

    async def _follow(self, kind: "ShownKind") -> None:
        from .printing import Follower

        follower = Follower(kind, output=self.output, namespaces=self.namespace is None)
        async for objects in self._changes(kind):
            for line in follower.lines(self._choose(kind, objects), now=_now()):
                click.echo(line)

    async def _changes(self, kind: "ShownKind") -> AsyncIterator[list[dict[str, Any]]]:
        from openelb_bgp.files.view import changes
        from openelb_bgp.model.meta import Kind
        from openelb_bgp.runtime.clock import SystemClock

        if kind.kind not in list(Kind):
            raise BadUsage(f"--watch cannot follow {kind.plural}; print them again instead")
        with _told_in_one_line():
            async for objects in changes(self.directory, self.state, Kind(kind.kind), SystemClock()):
                yield objects

    def _read(self, kind: "ShownKind") -> list[dict[str, Any]]:
        from openelb_bgp.files.view import events, objects
        from openelb_bgp.model.meta import Kind

        with _told_in_one_line():
            if kind.kind not in list(Kind):
                return events(self.state)
            return objects(self.directory, self.state, Kind(kind.kind))

    def _choose(self, kind: "ShownKind", objects: Sequence[Object]) -> list[Object]:
        from .kinds import chosen

        namespace = self.namespace if kind.namespaced else None
        return chosen(objects, names=self.names, namespace=namespace)

    def _complain_of_missing(self, found: Sequence[tuple["ShownKind", Sequence[Object]]]) -> None:
        for kind, objects in found:
            there = {one["metadata"]["name"] for one in objects}
            for name in self.names:
                if name not in there:
                    raise Failed(f'{kind.resource} "{name}" not found')

    def _complain_of_no_state(self) -> None:
        """Without it everything looks as if it had just been made, which somebody may believe."""
        from openelb_bgp.files.peek import is_empty

        if is_empty(self.state):
            told = (
                f"no daemon has written to {self.state}, so no status is shown; name its folder with --state"
            )
            click.echo(f"openelb-bgp: {told}", err=True)

    def _nothing(self) -> str:
        where = "" if self.namespace is None else f" in {self.namespace} namespace"
        namespaced = any(kind.namespaced for kind in self.kinds)
        return f"No resources found{where}." if namespaced and where else "No resources found"


@contextlib.contextmanager
def _told_in_one_line() -> Iterator[None]:
    """What the folder or the state raises, for the shell."""
    from openelb_bgp.files.errors import FilesError, StateError

    try:
        yield
    except FilesError as error:
        raise Failed(str(error)) from error
    except StateError as error:
        raise StateFailed(str(error)) from error


def _now() -> float:
    import time

    return time.time()
