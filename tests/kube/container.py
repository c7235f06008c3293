"""A container of a pod as a process here, with exactly the rights that the manifest gives it.

User, capabilities and no_new_privs are put on it as a container runtime does: what is added lies in the
bounding set and is not ambient, so that a user who is not root has none of it. Its processes are a namespace
of their own, and everybody may read our programs, as in an image. Nothing can be written but what stands for
volumes, and what RuntimeDefault withholds from everybody is refused.
"""

import contextlib
import os
import platform
import signal
import stat
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.daemons.harness.gobgp import NEW, gobgpd_binary
from tests.daemons.harness.netns import Namespace
from tests.daemons.harness.processes import Daemon
from tests.kube.rendered import Object, containers

_GETFD = 438
_WITHHELD = (
    # io_uring_*, and the calls that mount: of the numbers that all machines share.
    *range(425, 434),
    442,
    # mount, umount2, unshare, setns, pivot_root, reboot, swapon, keyctl and its like, bpf, perf_event_open,
    # kcmp, userfaultfd, open_by_handle_at, quotactl, syslog, acct, init_module and its like, settimeofday.
    *(
        (
            165,
            166,
            272,
            308,
            155,
            169,
            167,
            248,
            249,
            250,
            321,
            298,
            312,
            323,
            304,
            179,
            103,
            163,
            175,
            313,
            164,
        )
        if platform.machine() == "x86_64"
        else ()
    ),
)
"""What RuntimeDefault of containerd and Docker answers with EPERM unless the container has a capability that
ours have not (seccomp(2); https://docs.docker.com/engine/security/seccomp/). Theirs withholds
pidfd_getfd(2), too, which CRI-O allows."""

# Classic BPF (seccomp(2)): load the number, compare it with each, return.
_FORBIDDING = """
import ctypes, os, struct, sys
numbers = [int(one) for one in sys.argv.pop(1).split(",")]
rules = [(0x20, 0, 0, 0)]
rules += [(0x15, len(numbers) - place, 0, one) for place, one in enumerate(numbers)]
rules += [(0x06, 0, 0, 0x7FFF0000), (0x06, 0, 0, 0x00050001)]
code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *rule) for rule in rules))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_char_p]
failed = libc.prctl(22, 2, struct.pack("@HP", len(rules), ctypes.addressof(code)))
assert not failed, os.strerror(ctypes.get_errno())
os.execvp(sys.argv[1], sys.argv[1:])
"""

# Programs may lie in a home folder, where only its owner may go. In a namespace of mounts of its own an empty
# folder that all may enter takes the place of each such folder ($1), and holds what is needed of it ($2).
# What may be written ($3) is a mount of its own; then all others but the kernel's become read-only.
_IMAGE = """
closed=$1 needed=$2 writable=$3 IFS=,
shift 3
kept=$(mktemp --directory)
mount -t tmpfs tmpfs "$kept"
for path in $needed; do mkdir -p "$kept$path" && mount --bind "$path" "$kept$path"; done
for path in $closed; do mount -t tmpfs -o mode=755 tmpfs "$path"; done
for path in $needed; do mkdir -p "$path" && mount --bind "$kept$path" "$path"; done
for path in $writable; do mount --bind "$path" "$path"; done
findmnt --raw --noheadings --output TARGET | sort -u | while read -r path; do
  case "$path" in /proc* | /sys* | /dev* | /run/netns*) continue ;; esac
  case ",$writable," in *",$path,"*) continue ;; esac
  mount -o remount,bind,ro "$path"
done
exec "$@"
"""


class Container(Daemon):
    """One container; `command` is what runs in it, `volumes` the folders that it may write to.

    `forbid_getfd` stands for containerd's seccomp profile, which withholds more than CRI-O's.
    """

    def __init__(
        self,
        space: Namespace,
        pod: Object,
        name: str,
        command: tuple[str, ...],
        *,
        log: Path,
        volumes: Sequence[Path] = (),
        forbid_getfd: bool = False,
    ) -> None:
        isolated = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
        image = ("sh", "-ec", _IMAGE, "sh", *_hidden(), ",".join(map(str, volumes)))
        withheld = (*_WITHHELD, _GETFD) if forbid_getfd else _WITHHELD
        seccomp = (sys.executable, "-c", _FORBIDDING, ",".join(map(str, withheld)))
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
        """User ids, capabilities, no_new_privs and seccomp of its first process, as proc(5) writes them."""
        lines = Path(f"/proc/{self.first_process}/status").read_text().splitlines()
        shown = ("Uid", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
        return {key: value for key, _, value in (line.partition(":\t") for line in lines) if key in shown}

    @property
    def writable(self) -> tuple[str, ...]:
        """Where its first process may write, the kernel's own file systems left out."""
        mounts = [
            line.split() for line in Path(f"/proc/{self.first_process}/mounts").read_text().splitlines()
        ]
        kernels = ("/proc", "/sys", "/dev", "/run/netns")
        return tuple(
            sorted(
                target
                for _, target, _, options, *_ in mounts
                if "rw" in options.split(",") and not target.startswith(kernels)
            )
        )


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
    assert security["readOnlyRootFilesystem"] and security["seccompProfile"] == {"type": "RuntimeDefault"}
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
