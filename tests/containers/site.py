"""A lab that docker compose brought up: how it is asked, and how it is broken."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.engine.engine import Engine
from lab.engine.standins import REPOSITORY
from lab.steps.step import await_value
from tests.containers.kernels import PATIENCE, Kernels


@dataclass(frozen=True, slots=True)
class Site(Kernels):
    """One compose file on one engine."""

    engine: Engine
    file: Path

    def compose(self, *arguments: str, timeout: float = 300.0) -> str:
        """What a compose command prints. Raises LabError."""
        return self.engine.compose(self.file, *arguments, timeout=timeout)

    def run_in(self, service: str, /, *command: str) -> str:
        """What a command inside a service's container prints."""
        return self.compose("exec", "-T", service, *command)

    def container(self, service: str) -> str:
        """The id of a service's container, also of one that has ended."""
        label = ("label=com.docker.compose.service=" + service, "label=com.docker.compose.oneoff=False")
        filters = [word for one in label for word in ("--filter", one)]
        return self.engine.docker("ps", "--all", "--quiet", *filters).strip()

    def log(self, service: str) -> str:
        """What a service has said so far."""
        return self.engine.docker("logs", self.container(service))

    def state(self, service: str) -> Mapping[str, object]:
        """How a service's container stands, as docker inspects it."""
        found: dict[str, object] = json.loads(
            self.engine.docker("inspect", "--format", "{{json .State}}", self.container(service))
        )
        return found

    def await_end(self, service: str) -> int:
        """The exit code of a service that ends by itself."""
        state = await_value(
            lambda: self.state(service),
            lambda state: state["Status"] == "exited",
            expected=f"{service} ends",
            within=PATIENCE,
        )
        code = state["ExitCode"]
        assert isinstance(code, int)
        return code


@contextmanager
def held_site(engine: Engine, file: str) -> Iterator[Site]:
    """A lab for the `with` block. Raises LabError with what its containers said last if it fails."""
    site = Site(engine, REPOSITORY / file)
    # A former run may have been killed: its engine took the containers with it, but not their records.
    site.compose("down", "--volumes", "--remove-orphans")
    try:
        site.compose("up", "--detach", "--no-build", timeout=600.0)
        yield site
    finally:
        site.compose("down", "--volumes", "--remove-orphans")
