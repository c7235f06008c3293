"""The runtime that starts an engine's containers where the machine itself has not every capability.

A privileged container is to have all that the kernel knows. An engine that is in a container itself, with
fewer, cannot give it those, and runc starts none at all; so they are taken out of what runc is told.
"""

from collections.abc import Sequence
from pathlib import Path

from lab.shell import program

NAME = "lesser"
CAPABILITIES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"),
    *("SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW"),
    *("IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT"),
    *("SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE"),
    *("AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM"),
    *("BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE"),
)
"""By their numbers, as in linux/capability.h."""
_SCRIPT = """\
#!/bin/sh
# What `create` reads is in the folder that --bundle names, what `exec` reads is the file of --process.
for word; do
  case $before in
    --bundle) file=$word/config.json ;;
    --process) file=$word ;;
  esac
  before=$word
done
if test -n "$file"; then sed -i {edits} "$file"; fi
exec {runc} "$@"
"""


def options(folder: Path) -> Sequence[str]:
    """What dockerd is told, with a script in `folder`; nothing on a machine that has all. Raises LabError."""
    status = Path("/proc/self/status").read_text().splitlines()
    (bounding,) = (line.split()[1] for line in status if line.startswith("CapBnd:"))
    lacking = missing(int(bounding, 16))
    if not lacking:
        return ()
    script = folder / NAME
    write(script, without=lacking, runc=program("runc"))
    return ("--add-runtime", f"{NAME}={script}", "--default-runtime", NAME)


def missing(bounding: int) -> tuple[str, ...]:
    """The capabilities that a bounding set, a bit for each, lacks."""
    return tuple(name for number, name in enumerate(CAPABILITIES) if not bounding >> number & 1)


def write(script: Path, *, without: Sequence[str], runc: str) -> None:
    """Make a script that is called as runc is, and calls that without these capabilities."""
    script.write_text(_SCRIPT.format(edits=" ".join(map(_edits, without)), runc=runc))
    script.chmod(0o755)


def _edits(capability: str) -> str:
    """In JSON without blanks, as engines write it: before others, after others, or alone."""
    name = f'"CAP_{capability}"'
    return f"-e 's/{name},//g' -e 's/,{name}//g' -e 's/{name}//g'"
