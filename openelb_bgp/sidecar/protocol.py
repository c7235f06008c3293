"""What goes over the control socket: one JSON object a line, each way. Pure: bytes to values and back.

    {"command": "restart"}                  the daemon is killed (SIGKILL) and started anew: routes stay
    {"command": "stop", "withdraw": true}   the daemon says goodbye (SIGTERM; SIGKILL if false), both end
    {"command": "reload"}                   the configuration that lies ready is checked and read
    {"command": "report"}                   the daemon writes down how it stands, where it can
    {"command": "remove", "address": "…"}   an address that keepalived left, `eth0 192.0.2.1/32`, goes
    {"command": "hang-up", "address": "…"}  its BGP connections to that neighbour end without a NOTIFICATION
    {"command": "dump"}                     how it stands

are answered, once done, by `{"ok": true, "dump": {…}}` or `{"ok": false, "error": "…"}`; the fields of a dump
are those of `Dump`. Several orders may follow each other on one connection.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum

from .errors import OrderRefused

LONGEST_LINE = 65_536
"""Bytes; nobody who keeps to the protocol sends a longer order."""


class Command(StrEnum):
    """The orders that a sidecar takes."""

    RESTART = "restart"
    RELOAD = "reload"
    STOP = "stop"
    HANG_UP = "hang-up"
    REPORT = "report"
    REMOVE = "remove"
    DUMP = "dump"


class BadOrder(Exception):
    """A line that is no order; the message says why."""


@dataclass(frozen=True)
class Order:
    """One order.

    `withdraw` counts for STOP only: whether the daemon may say goodbye to its neighbours. `address` counts
    for HANG_UP, the neighbour, a link-local one with its zone, and for REMOVE, interface and address.
    """

    command: Command
    withdraw: bool = False
    address: str = ""


@dataclass(frozen=True)
class Exit:
    """How and when (ISO 8601, UTC) a daemon ended; both None for an adopted one, whose status is lost."""

    at: str
    code: int | None = None
    signal: int | None = None

    def __str__(self) -> str:
        if self.signal is not None:
            return f"signal {self.signal} at {self.at}"
        return f"exit code {'unknown' if self.code is None else self.code} at {self.at}"


@dataclass(frozen=True)
class Dump:
    """How a sidecar and its daemon stand.

    `pid` is None between two lives, `ready` says that the API socket accepts connections, `version` is of
    the running daemon as its `--version` says, `started_at` ISO 8601 in UTC, `restarts` counts since the
    sidecar started, `adopted` says that a former sidecar started the daemon. Of `last_output` the last is
    the newest; it is what the daemon wrote to stdout and stderr. `sockets` are the inodes of the daemon's
    sockets, by which it is known from others in the kernel's tables, in another PID namespace too; none
    where they cannot be read.
    """

    kind: str
    sidecar_pid: int
    pid: int | None
    ready: bool
    version: str
    started_at: str | None
    adopted: bool
    restarts: int
    last_exit: Exit | None
    crash_loop: bool
    last_output: tuple[str, ...]
    api: str
    sockets: tuple[int, ...] = ()


def parse_order(line: bytes) -> Order:
    """Raises BadOrder."""
    try:
        fields = json.loads(line)
    except ValueError as exc:
        raise BadOrder(f"not JSON: {exc}") from exc
    match fields:
        case {"command": str(name), **rest} if name in list(Command):
            command = Command(name)
        case {"command": other}:
            raise BadOrder(f"unknown command {other!r}; there are {', '.join(Command)}")
        case _:
            raise BadOrder('not an order: {"command": "dump"} would be one')
    withdraw, address = rest.pop("withdraw", False), rest.pop("address", "")
    if rest or not isinstance(withdraw, bool) or not isinstance(address, str):
        raise BadOrder(f"{name} takes no {', '.join(map(str, rest)) or 'withdraw but true or false'}")
    return Order(command, withdraw, address)


def render_order(order: Order) -> bytes:
    """One line, with its end."""
    fields = asdict(order)
    if not order.address:
        del fields["address"]
    return _line(fields)


def render_done(dump: Dump) -> bytes:
    """One line, with its end."""
    return _line({"ok": True, "dump": asdict(dump)})


def render_refusal(error: str) -> bytes:
    """One line, with its end."""
    return _line({"ok": False, "error": error})


def parse_reply(line: bytes) -> Dump:
    """What an order led to. Raises OrderRefused with the sidecar's reason, ValueError for anything else."""
    match json.loads(line):
        case {"ok": True, "dump": dict(fields)}:
            return parse_dump(fields)
        case {"ok": False, "error": str(error)}:
            raise OrderRefused(error)
    raise ValueError(f"not a reply: {line!r}")


def parse_dump(fields: Mapping[str, object]) -> Dump:
    """Read back a dump; fields of a later version are passed over. Raises ValueError."""
    match fields:
        case {
            "kind": str(kind),
            "sidecar_pid": int(sidecar_pid),
            "pid": int() | None as pid,
            "ready": bool(ready),
            "version": str(version),
            "started_at": str() | None as started_at,
            "adopted": bool(adopted),
            "restarts": int(restarts),
            "last_exit": dict() | None as last_exit,
            "crash_loop": bool(crash_loop),
            "last_output": list(last_output),
            "api": str(api),
        }:
            return Dump(
                kind=kind,
                sidecar_pid=sidecar_pid,
                pid=pid,
                ready=ready,
                version=version,
                started_at=started_at,
                adopted=adopted,
                restarts=restarts,
                last_exit=None if last_exit is None else _exit(last_exit),
                crash_loop=crash_loop,
                last_output=tuple(str(each) for each in last_output),
                api=api,
                sockets=_inodes(fields.get("sockets")),
            )
    raise ValueError(f"not a dump: {fields!r}")


def _inodes(found: object) -> tuple[int, ...]:
    """A sidecar of an earlier version does not tell them."""
    return tuple(one for one in found if isinstance(one, int)) if isinstance(found, list) else ()


def _exit(fields: Mapping[str, object]) -> Exit:
    match fields:
        case {"at": str(at), "code": int() | None as code, "signal": int() | None as signal}:
            return Exit(at, code, signal)
    raise ValueError(f"not an exit: {fields!r}")


def _line(fields: Mapping[str, object]) -> bytes:
    return json.dumps(fields).encode() + b"\n"
