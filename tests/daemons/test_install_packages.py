"""Packages are installed with service starts refused, and the machine gets its own policy back afterwards.

Run in a mount namespace with a /usr/sbin of its own and an apt-get that only notes what it would have met.
"""

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.daemons.harness.waiting import wait_until

INSTALL = Path(__file__).parents[2] / "hack" / "install-packages"
THEIRS = "#!/bin/sh\n# the machine's own\nexit 104\n"
MET = 'cat /usr/sbin/policy-rc.d > "$NOTES"; stat -c %a /usr/sbin/policy-rc.d >> "$NOTES"\n'


@dataclass
class Machine:
    """`sbin` stands in for /usr/sbin; `notes` is what apt-get met."""

    sbin: Path
    tools: Path
    notes: Path

    def apt(self, *lines: str) -> None:
        """What apt-get does."""
        for name, text in (("apt-get", MET + "".join(lines)), ("apt-cache", "echo 'Candidate: 1'\n")):
            (self.tools / name).write_text(f"#!/bin/sh\n{text}")
            (self.tools / name).chmod(0o755)

    @property
    def policy(self) -> str | None:
        """The policy-rc.d that stands there; None without one."""
        path = self.sbin / "policy-rc.d"
        return path.read_text() if path.exists() else None

    def start(self) -> subprocess.Popen[bytes]:
        """Begin to install a package that is there already."""
        inside = 'mount --bind "$1" /usr/sbin && exec "$2" iproute2'
        argv = ["unshare", "--mount", "sh", "-c", inside, "sh", str(self.sbin), str(INSTALL)]
        path = f"{self.tools}:{os.environ['PATH']}"
        named = {**os.environ, "PATH": path, "NOTES": str(self.notes)}
        return subprocess.Popen(argv, env=named, start_new_session=True)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path / "sbin", tmp_path / "tools", tmp_path / "notes")
    made.sbin.mkdir()
    made.tools.mkdir()
    return made


@pytest.mark.parametrize("before", [THEIRS, None], ids=["a policy of theirs", "no policy"])
@pytest.mark.parametrize("code", [0, 100], ids=["installed", "failed"])
def test_starts_are_refused_meanwhile_and_the_former_policy_is_back_afterwards(
    machine: Machine, before: str | None, code: int
) -> None:
    if before is not None:
        (machine.sbin / "policy-rc.d").write_text(before)
    machine.apt(f"exit {code}\n")
    assert (machine.start().wait(timeout=30) == 0) is (code == 0)
    met = machine.notes.read_text().splitlines()
    assert (met[0], met[-2:]) == ("#!/bin/sh", ["exit 101", "755"])
    assert machine.policy == before


async def test_a_run_that_was_killed_leaves_its_policy_to_the_next_which_puts_the_former_back(
    machine: Machine,
) -> None:
    (machine.sbin / "policy-rc.d").write_text(THEIRS)
    machine.apt("exec sleep 60\n")
    killed = machine.start()
    await wait_until(machine.notes.exists, within=20, what="the installation")
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait(timeout=10)
    assert machine.policy is not None
    assert "exit 101" in machine.policy
    machine.apt("exit 0\n")
    assert machine.start().wait(timeout=30) == 0
    assert machine.policy == THEIRS
