"""Whoever measures comes first: in a real network clients and pods have processors of their own.

Here they share some with every router, node and control plane of this and perhaps of other labs, and a client
that does not run for a second counts its own delay as a lost request.
"""

import contextlib
import os
import threading

_NICE = -10


def come_first() -> None:
    """Let the calling thread run before others (setpriority(2)); without the right to that, as before."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
