"""What can go wrong around a sidecar, one exception per cause, each with the exit code that stands for it.

The sidecar's process raises them before it starts anything and ends with their exit code; the client turns
the code back into the same exception. Exit codes of `openelb-bgp sidecar`: 0 stopped as asked, 2 bad usage,
and those below.
"""


class SidecarError(Exception):
    """Anything that a caller of the client may want to catch."""

    exit_code = 1


class SidecarBusy(SidecarError):
    """Another sidecar holds this folder."""

    exit_code = 3


class FolderUnusable(SidecarError):
    """The folder for the sockets cannot be made, or made private, or its path is too long for a socket."""

    exit_code = 4


class DaemonMissing(SidecarError):
    """The daemon's program is not there or cannot be executed."""

    exit_code = 5


class SidecarGone(SidecarError):
    """Nobody answers on the control socket: there is no sidecar over this folder."""


class SidecarSilent(SidecarError):
    """The sidecar took the order and did not answer in time."""


class OrderRefused(SidecarError):
    """The sidecar understood the order and says why it does not carry it out."""


class DaemonFailed(SidecarError):
    """The daemon does not come up; the message has the last lines that it wrote."""


BY_EXIT_CODE: dict[int, type[SidecarError]] = {
    error.exit_code: error for error in (SidecarBusy, FolderUnusable, DaemonMissing)
}
