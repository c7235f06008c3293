"""Whether this node has booted since we last ran: a fast reboot must not pass for a restart.

The kernel's boot id is kept beside gobgpd's socket; that folder need not survive a boot, but where it does
(a folder on disk), the id in it tells. Reading and writing only; what follows from it is the announcer's.
"""

import contextlib
import time
from pathlib import Path

KERNEL_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_FILE = "boot-id"


def read_boot_id(source: Path = KERNEL_BOOT_ID) -> str:
    """The running kernel's boot id, or the empty text where the file cannot be read."""
    try:
        return source.read_text().strip()
    except OSError:
        return ""


def seconds_since_boot() -> float:
    """How long ago the kernel started, time in suspension included (clock_gettime(2), CLOCK_BOOTTIME)."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def is_new_boot(runtime_dir: Path, *, boot_id: str) -> bool:
    """Whether what stands in the runtime folder was left by another boot, or by none.

    A first start on a boot counts as new: there is nothing outside that a restart could preserve.
    """
    try:
        return (runtime_dir / _FILE).read_text().strip() != boot_id
    except OSError:
        return True


def remember_boot(runtime_dir: Path, *, boot_id: str) -> None:
    """Keep the boot id for the next start. A folder that cannot be written makes that start a new boot."""
    with contextlib.suppress(OSError):
        (runtime_dir / _FILE).write_text(boot_id + "\n")
