"""VRRP as a router's administrator sees it: tcpdump at the gateway, and what its lines say."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.faults import LAN
from lab.lab import Lab
from lab.shell import wait_until
from lab.steps.lan.look import ASKING_AT

_ADVERT = re.compile(r"(\d+\.\d+) IP (\S+) > \S+: .*Advertisement.* vrid (\d+), prio (\d+)")


@dataclass(frozen=True, slots=True)
class Advert:
    """One IPv4 advertisement (RFC 9568): `at` in seconds, `node` sent it."""

    at: float
    node: str
    vrid: int
    priority: int


class Capture:
    """What tcpdump has printed so far."""

    def __init__(self, lab: Lab, output: Path) -> None:
        self._lab, self._output = lab, output

    def adverts(self) -> tuple[Advert, ...]:
        """The advertisements, in their order."""
        names = self._lab.node_by_address
        found = (_ADVERT.match(line) for line in self._output.read_text(errors="replace").splitlines())
        return tuple(
            Advert(float(one[1]), names.get(one[2], one[2]), int(one[3]), int(one[4])) for one in found if one
        )


@contextmanager
def captured(lab: Lab) -> Iterator[Capture]:
    """tcpdump runs at the gateway for the `with` block."""
    with tempfile.TemporaryDirectory() as folder:
        output, words = Path(folder, "adverts"), Path(folder, "words")
        argv = lab.space(ASKING_AT).argv(
            *("tcpdump", "-l", "-n", "-tt", "--immediate-mode", "-i", LAN, "ip proto 112")
        )
        with output.open("w") as printed, words.open("w") as said:
            process = subprocess.Popen(argv, stdout=printed, stderr=said)
        try:
            wait_until(lambda: "listening on" in words.read_text(), within=10.0, what="tcpdump to listen")
            yield Capture(lab, output)
        finally:
            process.kill()
            process.wait()
