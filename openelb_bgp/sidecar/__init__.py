"""The process above a routing daemon: starts it, restarts it at once, takes orders over a unix socket.

`openelb-bgp sidecar gobgpd` is PID 1 of the container beside the speaker, and the same program runs as a
detached process in the lab and under `openelb-bgp run`. So a speaker may die and come back while gobgpd goes
on announcing. Standard library only: it takes 14 MB RSS, 10 MB of them its own;
asyncio and click would double that. Restarting a daemon is all it knows; of BGP it knows
nothing.

Who talks to a sidecar uses `openelb_bgp.sidecar.client`.
"""

from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Run `sidecar` with these arguments (`gobgpd --dir DIR …`) and return the exit code of the process."""
    # Whoever only wants the client does not pay for the supervisor's imports.
    from .command import main as run

    return run(argv)
