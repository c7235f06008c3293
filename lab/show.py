"""How the lab speaks to people: tables, lines and the commands to try next (rich).

Formatting only; what is shown was measured elsewhere.
"""

from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from lab.lab import Lab
from lab.state import LabFolder
from lab.steps import Finding


class Screen:
    """A terminal, or whatever standard output is."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """One table; numbers are set to the right."""
        table = Table(
            title=title or None, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
        )
        body = [tuple(row) for row in rows]
        for index, heading in enumerate(columns):
            numbers = bool(body) and all(isinstance(row[index], int | float) for row in body)
            table.add_column(heading, justify="right" if numbers else "left")
        for row in body:
            table.add_row(*(str(cell) for cell in row))
        self._console.print(table)

    def line(self, text: str) -> None:
        """One line; rich's markup works in it."""
        self._console.print(text)

    def heading(self, number: int, of: int, title: str) -> None:
        """The start of a step."""
        self._console.print()
        self._console.rule(f"[bold]{number}/{of}  {title}[/]", align="left")

    def finding(self, finding: Finding, *, seconds: float) -> None:
        """What a step saw, and how long it took."""
        self.table("", finding.columns, finding.rows)
        self._console.print(f"[green]✓[/] {finding.sentence} [dim]({seconds:.1f} s)[/]")

    def failed(self, reason: str) -> None:
        """A step that did not hold."""
        self._console.print("[bold red]✗ This step failed.[/]")
        self._console.print(reason, markup=False)

    def labs(self, folders: Iterable[LabFolder]) -> None:
        """The labs of this machine and what runs in each."""
        rows = [(folder.path.name, _condition(folder), _alive(folder)) for folder in folders]
        if rows:
            self.table("Labs of this machine", ("lab", "state", "processes alive"), rows)
        else:
            self.line("no lab is up; `make demo` builds one")

    def next_commands(self, lab: Lab) -> None:
        """What to try in a lab that has been left up."""
        router = next(iter(lab.routers.values()))
        node = lab.nodes[0]
        self.line(f"\n[bold]The lab is up[/] as {lab.folder.path.name}. Try next:")
        for command in (
            f"ip netns exec {router.name} ip route show proto bgp",
            f"vtysh -N {router.name} -c 'show bgp summary'",
            f"ip netns exec {lab.client.name} curl -s http://198.51.100.1/",
            f"ip netns exec {lab.space(node).name} ss -tnp",
            f"$EDITOR {lab.paths.manifests}/web.yaml",
            "make demo-down",
        ):
            self._console.print(f"  {command}", markup=False, soft_wrap=True)


def _condition(folder: LabFolder) -> str:
    return "up" if folder.kept else "being built, or left by a crash"


def _alive(folder: LabFolder) -> str:
    processes = folder.processes.all()
    return f"{sum(process.alive() for process in processes)} of {len(processes)}"
