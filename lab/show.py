"""How the lab speaks to people: tables, lines and the commands to try next (rich).

Formatting only; what is shown was measured elsewhere.
"""

from collections.abc import Container, Iterable, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lab import daemons
from lab.cluster.cluster import Cluster
from lab.frr import Router
from lab.lab import Lab
from lab.state import LabFolder
from lab.steps import SHOWN, Finding, Heading
from lab.traffic import Tally

_ROLES: Mapping[str, tuple[str, str]] = {
    "router": ("FRR router", "FRR routers"),
    "switch": ("switch", "switches"),
    "node": ("node", "nodes"),
    "backend": ("pod", "pods"),
    "client": ("client", "clients"),
}
"""What the groups of a topology are called, one and several."""

WIDEST = 100
"""Columns beyond which lines are hard to follow."""


def terminal() -> Console:
    """Standard output, at a width that reads well."""
    console = Console(highlight=False)
    console.width = min(console.width, WIDEST)
    return console


class Screen:
    """Where a lab's commands write for their reader."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def line(self, text: str) -> None:
        """One line; rich's markup works in it."""
        self._console.print(text)

    def building(self, lab: Lab) -> None:
        """What is about to be built, of which topology."""
        counts = ((len(lab.topology.in_group(group)), words) for group, words in _ROLES.items())
        parts = ", ".join(f"{count} {words[count != 1]}" for count, words in counts if count)
        self.line(f"[bold]Lab {lab.folder.path.name}[/]: {parts}, of network namespaces.")

    def heading(self, step: Heading, *, number: int, of: int) -> None:
        """The start of a step: its title and what it is about to do."""
        self._console.print()
        self._console.rule(f"[bold]{number}/{of}  {step.title}[/]", align="left", style="dim")
        self._console.print(step.does, style="dim", markup=False)

    def finding(self, finding: Finding, *, seconds: float) -> None:
        """What a step saw, and how long it took."""
        if finding.text:
            self._console.print()
            self._console.print(finding.text, markup=False, no_wrap=True, overflow="ellipsis")
        else:
            self._table(finding.columns, finding.rows)
        self._verdict("[green]✓[/]", finding.sentence, f"{seconds:.1f} s")

    def failed(self, reason: str) -> None:
        """A step that did not hold."""
        self._verdict("[bold red]✗[/]", "This step failed.", "")
        self._console.print(reason, markup=False)

    def summary(self, findings: Iterable[tuple[Heading, Finding]], *, seconds: float) -> None:
        """What the tour's requests met with, step by step."""
        rows = [
            (step.title, tally.sent, len(tally.retried), len(tally.lost), _outage(tally))
            for step, finding in findings
            if (tally := finding.tally) is not None
        ]
        self._console.print()
        self._console.rule("[bold]What it cost[/]", align="left", style="dim")
        self._table(("step", "requests", "sent twice", "lost", "lost for"), rows)
        self._verdict("[green]✓[/]", "[bold]Every step of the tour held.[/]", f"{seconds:.0f} s")

    def labs(self, folders: Iterable[LabFolder], *, leftovers: Container[LabFolder]) -> None:
        """The labs of this machine and what runs in each; `leftovers` are those that a crash left."""
        rows = [
            (folder.path.name, _condition(folder, is_left=folder in leftovers), *_processes(folder))
            for folder in folders
        ]
        if rows:
            self._table(("lab", "state", "processes", "dead"), rows)
        else:
            self.line("No lab is up; `make demo` builds one.")

    def next_commands(self, lab: Lab, *, service: str) -> None:
        """What to try in a lab that has been left up, with an address of a Service (namespace/name) or, where
        it has none, of any; no command is broken, so that it can be copied.
        """
        given = lab.addresses()
        address = next((ips[0] for ips in (given.get(service, ()), *given.values()) if ips), "ADDRESS")
        self.line(f"\n[bold]The lab is up[/] as {lab.folder.path.name}. Try next, as root:")
        for what, command in (
            *(_at_a_router(next(iter(lab.routers.values()))) if lab.routers else _on_a_lan(lab, address)),
            ("a request", f"ip netns exec {lab.client.name} curl -s http://{address}/"),
            *(
                _in_folder(lab)
                if lab.cluster is None
                else _in_cluster(lab.cluster, "bgppeer" if lab.routers else "eip")
            ),
            ("a shell in any of its nodes", f"make at AT={next(iter(lab.routers), lab.nodes[0])}"),
            ("the end", "make demo-down"),
        ):
            self._console.print(f"  [dim]# {escape(what)}[/]")
            self._console.print(f"  {command}", markup=False, soft_wrap=True)

    def _table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """One table, indented below its sentence; numbers are set to the right."""
        table = Table(box=box.SIMPLE_HEAD, pad_edge=True, header_style="bold", border_style="dim")
        for index, heading in enumerate(columns):
            numbers = bool(rows) and all(isinstance(row[index], int | float) for row in rows)
            table.add_column(escape(heading), justify="right" if numbers else "left")
        for row in rows:
            table.add_row(*(escape(str(cell)) for cell in row))
        self._console.print(table)

    def _verdict(self, mark: str, sentence: str, seconds: str) -> None:
        grid = Table.grid(padding=(0, 1), expand=True)
        grid.add_column()
        grid.add_column(ratio=1)
        grid.add_column(justify="right", style="dim", no_wrap=True)
        grid.add_row(mark, sentence, seconds)
        self._console.print(grid)


def _at_a_router(router: Router) -> tuple[tuple[str, str], ...]:
    return (
        ("the routes in a router's kernel", f"ip netns exec {router.name} ip route show proto bgp"),
        ("its BGP sessions", f"vtysh -N {router.name} -c 'show bgp summary'"),
    )


def _on_a_lan(lab: Lab, address: str) -> tuple[tuple[str, str], ...]:
    inside = f"ip netns exec {lab.client.name}"
    return (
        ("whom a client sends to", f"{inside} ip neighbour show {address}"),
        ("what its LAN says", f"{inside} tcpdump -ni eth1 arp or icmp6 or vrrp"),
    )


def _in_folder(lab: Lab) -> tuple[tuple[str, str], ...]:
    get = " ".join(daemons.get(lab.paths, "services"))
    return (
        ("the Services and their addresses", f"{get} -A -o wide"),
        ("the speakers", get.replace(" services ", " speakers ")),
        ("the folder that everything follows: edit, and look again", f"ls {lab.paths.manifests}"),
    )


def _in_cluster(cluster: Cluster, edited: str) -> tuple[tuple[str, str], ...]:
    kubectl = str(cluster.kubectl_script)
    return (
        ("the objects and what became of them", f"{kubectl} get {SHOWN}"),
        ("an edit: look again afterwards", f"{kubectl} edit {edited}"),
    )


def _outage(tally: Tally) -> str:
    return f"{tally.outage:.1f} s" if tally.lost else ""


def _condition(folder: LabFolder, *, is_left: bool) -> str:
    if folder.kept:
        return "up"
    return "left by a crash; the next start removes it" if is_left else "in use"


def _processes(folder: LabFolder) -> tuple[int, str]:
    """How many of its processes run, and the names of those that should and do not."""
    processes = folder.processes.all()
    dead = [process.name for process in processes if not process.alive()]
    return len(processes) - len(dead), " ".join(dead) or "none"
