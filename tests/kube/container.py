"""A container of a pod as a process here, with exactly the rights that the manifest gives it.

User, capabilities and no_new_privs are put on it as a container runtime does: what is added lies in the
bounding set and is not ambient, so that a user who is not root has none of it. Its processes are a namespace
of their own, and everybody may read our programs, as in an image.
"""

import contextlib
import os
import signal
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.daemons.harness.gobgp import NEW, gobgpd_binary
from tests.daemons.harness.netns import Namespace
from tests.daemons.harness.processes import Daemon
from tests.kube.rendered import Object, containers

# What RuntimeDefault of containerd and Docker answers to pidfd_getfd(2), unless the container has SYS_PTRACE,
# is EPERM. Classic BPF (seccomp(2)): load the number, compare it, return.
_FORBIDDING_GETFD = """
import ctypes, os, struct, sys
rules = [(0x20, 0, 0, 0), (0x15, 0, 1, 438), (0x06, 0, 0, 0x00050001), (0x06, 0, 0, 0x7FFF0000)]
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *rule) for rule in rules))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_char_p]
failed = libc.prctl(22, 2, struct.pack("@HP", len(rules), ctypes.addressof(code)))
assert not failed, os.strerror(ctypes.get_errno())
os.execv(sys.argv[1], sys.argv[1:])
"""

# Programs may lie in a home folder, where only its owner may go. In a namespace of mounts of its own an empty
# folder that all may enter takes the place of each such folder ($1), and holds what is needed of it ($2).
_IMAGE = """
closed=$1 needed=$2 IFS=,
shift 2
kept=$(mktemp --directory)
mount -t tmpfs tmpfs "$kept"
for path in $needed; do mkdir -p "$kept$path" && mount --bind "$path" "$kept$path"; done
for path in $closed; do mount -t tmpfs -o mode=755 tmpfs "$path"; done
for path in $needed; do mkdir -p "$path" && mount --bind "$kept$path" "$path"; done
exec "$@"
"""


class Container(Daemon):
    """One container; `command` is what runs in it. `forbid_getfd` stands for containerd's seccomp profile."""

    def __init__(
        self,
        space: Namespace,
        pod: Object,
        name: str,
        command: tuple[str, ...],
        *,
        log: Path,
        forbid_getfd: bool = False,
    ) -> None:
        isolated = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
        image = ("sh", "-ec", _IMAGE, "sh", *_hidden())
        seccomp = (sys.executable, "-c", _FORBIDDING_GETFD) if forbid_getfd else ()
        super().__init__(space.argv(*isolated, *image, *_setpriv(pod, name), *seccomp, *command), log=log)

    @property
    def first_process(self) -> int | None:
        """Its PID 1, by the pid that it has here; None before it starts and after it has ended."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            children = Path(f"/proc/{self.pids[-1]}/task/{self.pids[-1]}/children").read_text().split()
            return int(children[0]) if children else None
        return None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the first process, as a runtime does: the container ends with it."""
        if (pid := self.first_process) is None:
            super().send(number)
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)

    @property
    def rights(self) -> Mapping[str, str]:
        """User ids, capabilities and no_new_privs of its first process, as proc(5) writes them."""
        lines = Path(f"/proc/{self.first_process}/status").read_text().splitlines()
        shown = ("Uid", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")
        return {key: value for key, _, value in (line.partition(":\t") for line in lines) if key in shown}


def command_of(pod: Object, name: str, *, program: Path, paths: Mapping[str, str]) -> tuple[str, ...]:
    """A container's command line, `program` in the place of `openelb-bgp`, with `paths` that exist here."""
    one = containers(pod)[name]
    first, *words = list[str](one["command"] + one["args"])
    assert first == "openelb-bgp", first
    for there, here in paths.items():
        words = [word.replace(there, here) for word in words]
    return (str(program), *words)


def open_unprivileged_ports(space: Namespace, pod: Object) -> None:
    """The sysctls that the pod asks for, set in its network namespace."""
    for sysctl in pod["securityContext"]["sysctls"]:
        space.run("sysctl", "-q", "-w", f"{sysctl['name']}={sysctl['value']}")


def _setpriv(pod: Object, name: str) -> tuple[str, ...]:
    security = {**pod["securityContext"], **containers(pod)[name]["securityContext"]}
    assert (security["capabilities"]["drop"], security["allowPrivilegeEscalation"]) == (["ALL"], False)
    kept = ",".join(("-all", *(f"+{one.lower()}" for one in security["capabilities"].get("add", ()))))
    return (
        *("setpriv", f"--reuid={security['runAsUser']}", f"--regid={security['runAsGroup']}"),
        *("--clear-groups", "--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all"),
        f"--bounding-set={kept}",
    )


def _hidden() -> tuple[str, str]:
    """The folders that others may not enter, and what of Python, ours and gobgpd lies in them."""
    closed, needed = set(), set()
    ours = Path(__file__).parents[2]
    for path in (Path(sys.base_prefix).resolve(), ours.resolve(), gobgpd_binary(NEW).parent.resolve()):
        for above in reversed(path.parents):
            if not above.stat().st_mode & stat.S_IXOTH:
                closed.add(str(above))
                needed.add(str(path))
                break
    return ",".join(sorted(closed)), ",".join(sorted(needed))
