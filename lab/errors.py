"""What can go wrong in the lab; no behaviour lives here."""


class LabError(Exception):
    """Something that the reader of the lab's output can act upon; its text is one or a few lines."""


class TopologyError(LabError):
    """A topology file that cannot be built: names the file and the field, as in `nodes.leaf1.exec[2]`."""

    def __init__(self, file: object, field: str, problem: str) -> None:
        super().__init__(f"{file}: {field}: {problem}")
        self.field = field


class CommandFailed(LabError):
    """A command ended with a non-zero status: carries the command and the end of what it printed."""

    def __init__(self, argv: tuple[str, ...], status: int, output: str) -> None:
        super().__init__(f"{' '.join(argv)}: exit status {status}\n{output.strip()[-2000:]}")
        self.status = status


class StepFailed(LabError):
    """A step of the tour saw something else than it promised: the text says what was expected and what was
    seen.
    """
