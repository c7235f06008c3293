"""The command line of a sidecar: arguments, everything that can fail before the start, and detaching.

Whatever is wrong is one line on stderr and an exit code of `errors`; also with `--detach`, because the
process leaves its caller only when the folder is locked and the program has been asked for its version.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .care import Care, GobgpdCare
from .errors import FolderUnusable, SidecarError
from .keepalived import KeepalivedCare
from .kinds import GOBGPD, KEEPALIVED, KINDS, Kind, Wish, ask, open_addresses
from .output import FileOutput, PipedOutput, open_log, say
from .places import Places, lock, make_private, places
from .supervisor import Supervisor
from .upkeep import Task

_GOBGPD_SIGNALS = """\
SIGTERM, SIGINT: gobgpd says goodbye to its neighbours, its routes go at once, exit code 0. A second one, or
1.5 s without an end: SIGKILL. Routes stay when gobgpd is ended by SIGKILL: orders restart and stop, or
SIGKILL as the container's stop signal.
Exit codes: 0 stopped as asked, 2 usage, 3 another sidecar holds the folder, 4 the folder is unusable,
5 the daemon's program is missing."""
_KEEPALIVED_SIGNALS = """\
It starts keepalived once DIR/keepalived/keepalived.conf has a vrrp_instance. The order reload checks
keepalived.conf.new (keepalived -t), puts it in the place of that one, and sends SIGHUP. When keepalived
dies, or is stopped for 0.3 s, its addresses are taken off the interfaces and it is started anew.
SIGTERM, SIGINT: keepalived says goodbye, the next node takes over at once, exit code 0. A second one, or
1.5 s without an end: SIGKILL, and its addresses are taken away.
Exit codes: 0 stopped as asked, 2 usage, 3 another sidecar holds the folder, 4 the folder is unusable,
5 the daemon's program is missing."""


def main(argv: Sequence[str]) -> int:
    """Parse the arguments and be a sidecar until told to stop; returns the exit code."""
    options = parser().parse_args(_before_the_dashes(argv))
    options.extra = _behind_the_dashes(argv)
    try:
        return _run(options)
    except SidecarError as exc:
        print(f"openelb-bgp sidecar: {exc}", file=sys.stderr)
        return exc.exit_code


def parser() -> argparse.ArgumentParser:
    """The arguments, with one parser below for each daemon."""
    parser = argparse.ArgumentParser(
        prog="openelb-bgp sidecar",
        description="Keep a routing daemon running beside the speaker.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    daemons = parser.add_subparsers(dest="kind", required=True, metavar="DAEMON")
    for kind, what, epilog in (
        (GOBGPD.name, "GoBGP", _GOBGPD_SIGNALS),
        (KEEPALIVED.name, "VRRP by keepalived", _KEEPALIVED_SIGNALS),
    ):
        daemon = daemons.add_parser(
            kind,
            help=what,
            usage=f"%(prog)s --dir DIR [options] [-- further arguments of {kind}]",
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        _add_options(daemon, kind)
    return parser


def _add_options(parser: argparse.ArgumentParser, kind: str) -> None:
    parser.add_argument(
        "--dir", type=Path, required=True, help=f"sockets and files are in DIR/{kind}, mode 0700"
    )
    parser.add_argument(f"--{kind}", dest="program", default=kind, metavar="PATH", help="the program")
    if kind == GOBGPD.name:
        parser.add_argument(
            "--api-hosts",
            action="append",
            default=[],
            metavar="HOST:PORT",
            help="open the API there too: whoever reaches it can announce any route "
            "(default: unix socket only)",
        )
    else:
        parser.set_defaults(api_hosts=[])
    parser.add_argument("--pid-file", type=Path, help="write the pid file there as well")
    parser.add_argument(
        "--log-file",
        type=Path,
        help=f"log there instead of to stderr; {kind} then outlives a killed sidecar, and the next adopts it",
    )
    parser.add_argument(
        "--detach", action="store_true", help="go into the background once everything is checked"
    )


def _before_the_dashes(argv: Sequence[str]) -> list[str]:
    return list(argv[: argv.index("--")] if "--" in argv else argv)


def _behind_the_dashes(argv: Sequence[str]) -> tuple[str, ...]:
    return tuple(argv[argv.index("--") + 1 :] if "--" in argv else ())


def _run(options: argparse.Namespace) -> int:
    kind = KINDS[options.kind]
    place = places(options.dir, kind)
    make_private(place)
    held = lock(place)
    task = Task(
        kind=kind,
        care=_care(kind, place),
        place=place,
        program=ask(kind, options.program),
        wish=Wish(place.api_socket, _addresses(options.api_hosts), options.extra),
        pid_file=options.pid_file.absolute() if options.pid_file else None,
    )
    log = _log_path(options, place)
    output = _open_output(log)
    if options.detach and os.fork():
        return 0
    if log:
        _leave_for(log, own_session=options.detach)
    return _supervise(task, output, held)


def _care(kind: Kind, place: Places) -> Care:
    return KeepalivedCare(place) if kind is KEEPALIVED else GobgpdCare(place)


def _addresses(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(address for value in values for address in value.split(",") if address)


def _log_path(options: argparse.Namespace, place: Places) -> Path | None:
    if options.log_file:
        return Path(options.log_file).absolute()
    return place.log if options.detach else None


def _open_output(log: Path | None) -> FileOutput | PipedOutput:
    if log is None:
        return PipedOutput()
    try:
        os.close(open_log(log))
    except OSError as exc:
        raise FolderUnusable(f"the log {log} cannot be written: {exc.strerror}") from exc
    return FileOutput(log)


def _leave_for(log: Path, *, own_session: bool) -> None:
    """Write to the log from now on; detached, let go of the caller's terminal, pipes and directory."""
    descriptor = open_log(log)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    if own_session:
        os.setsid()
        os.chdir("/")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)


def _supervise(task: Task, output: FileOutput | PipedOutput, held: int) -> int:
    if exposed := open_addresses(task.wish.api_hosts):
        say("warning", "api_open_on_network", addresses=exposed, risk="it knows no authentication")
    # gobgpd takes the mode of its socket from here.
    os.umask(0o077)
    try:
        supervisor = Supervisor(task, output)
    except OSError as exc:
        raise FolderUnusable(f"{task.place.control_socket} cannot be made: {exc.strerror}") from exc
    supervisor.run()
    os.close(held)
    supervisor.farewell()
    return 0
