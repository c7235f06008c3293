"""The control socket's lines, both ways."""

import json

import pytest

from openelb_bgp.sidecar import protocol
from openelb_bgp.sidecar.errors import OrderRefused
from openelb_bgp.sidecar.protocol import Command, Dump, Exit, Order

DUMP = Dump(
    kind="gobgpd",
    sidecar_pid=1,
    pid=71,
    ready=True,
    version="4.8.0",
    started_at="2026-01-02T03:04:05.678+00:00",
    adopted=False,
    restarts=2,
    last_exit=Exit("2026-01-02T03:04:05.000+00:00", signal=9),
    crash_loop=False,
    last_output=("gobgpd started", "listen failed"),
    api="unix:///run/openelb/gobgpd/gobgp.sock",
)
BETWEEN_TWO_LIVES = Dump(
    kind="gobgpd",
    sidecar_pid=1,
    pid=None,
    ready=False,
    version="3.10.0",
    started_at=None,
    adopted=False,
    restarts=0,
    last_exit=None,
    crash_loop=True,
    last_output=(),
    api="unix:///run/openelb/gobgpd/gobgp.sock",
)


@pytest.mark.parametrize(
    ("line", "order"),
    [
        (b'{"command": "dump"}', Order(Command.DUMP)),
        (b'{"command": "restart"}', Order(Command.RESTART)),
        (b'{"command": "reload"}', Order(Command.RELOAD)),
        (b'{"command": "stop"}', Order(Command.STOP, withdraw=False)),
        (b'{"command": "stop", "withdraw": true}', Order(Command.STOP, withdraw=True)),
    ],
)
def test_an_order_reads_as_documented(line: bytes, order: Order) -> None:
    assert protocol.parse_order(line) == order
    assert protocol.parse_order(protocol.render_order(order)) == order


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"restart", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"", "not JSON"),
        (b"[]", "not an order"),
        (b'{"order": "restart"}', "not an order"),
        (
            b'{"command": "explode"}',
            "unknown command 'explode'; there are restart, reload, stop, hang-up, report, remove, dump",
        ),
        (b'{"command": 7}', "unknown command 7"),
        (b'{"command": "stop", "withdraw": "yes"}', "stop takes no withdraw but true or false"),
        (b'{"command": "stop", "when": "now"}', "stop takes no when"),
    ],
)
def test_a_line_that_is_no_order_says_why(line: bytes, problem: str) -> None:
    with pytest.raises(protocol.BadOrder, match=problem):
        protocol.parse_order(line)


@pytest.mark.parametrize("dump", [DUMP, BETWEEN_TWO_LIVES])
def test_a_dump_survives_the_socket(dump: Dump) -> None:
    line = protocol.render_done(dump)
    assert line.count(b"\n") == 1
    assert protocol.parse_reply(line) == dump


def test_fields_of_a_later_version_are_passed_over() -> None:
    fields = json.loads(protocol.render_done(DUMP))
    fields["dump"]["mood"] = "good"
    assert protocol.parse_reply(json.dumps(fields).encode()) == DUMP


def test_a_refusal_comes_out_as_such() -> None:
    with pytest.raises(OrderRefused, match=r"^nothing to reload$"):
        protocol.parse_reply(protocol.render_refusal("nothing to reload"))


@pytest.mark.parametrize("line", [b"{}", b'{"ok": true}', b'{"ok": true, "dump": {"pid": 1}}', b"pong"])
def test_what_is_no_reply_is_an_error(line: bytes) -> None:
    with pytest.raises(ValueError):
        protocol.parse_reply(line)


def test_an_exit_reads_well() -> None:
    assert str(Exit("noon", signal=9)) == "signal 9 at noon"
    assert str(Exit("noon", code=1)) == "exit code 1 at noon"
    assert str(Exit("noon")) == "exit code unknown at noon"


def test_hanging_up_names_the_neighbour() -> None:
    order = Order(Command.HANG_UP, address="192.0.2.1")
    assert protocol.parse_order(protocol.render_order(order)) == order
