"""The kernel's TCP tables: rows as /proc/net prints them, and what is no row."""

from ipaddress import ip_address

import pytest

from openelb_bgp.host.busy import Listener, Owner, TcpSocket, TcpState, parse_tcp

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
REST = "00000000:00000000 00:00000000 00000000     0        0 {inode} 1 0000000000000000 100 0 0 10 0"


def row(local: str, remote: str, state: str, *, inode: int = 4711) -> str:
    return f"   0: {local} {remote} {state} {REST.format(inode=inode)}\n"


def tcp(state: TcpState, local: str, local_port: int, remote: str, remote_port: int) -> TcpSocket:
    return TcpSocket(
        state=state,
        local=ip_address(local),
        local_port=local_port,
        remote=ip_address(remote),
        remote_port=remote_port,
        inode=4711,
    )


@pytest.mark.parametrize(
    ("line", "read"),
    [
        pytest.param(
            row("00000000:00B3", "00000000:0000", "0A"),
            tcp(TcpState.LISTEN, "0.0.0.0", 179, "0.0.0.0", 0),
            id="a listener on all IPv4 addresses",
        ),
        pytest.param(
            row("0B00000A:B3A4", "0100000A:00B3", "01"),
            tcp(TcpState.ESTABLISHED, "10.0.0.11", 45988, "10.0.0.1", 179),
            id="an IPv4 connection",
        ),
        pytest.param(
            row("B80D0120000000000000000001000000:00B3", "B80D0120000000000000000002000000:C001", "01"),
            tcp(TcpState.ESTABLISHED, "2001:db8::1", 179, "2001:db8::2", 49153),
            id="an IPv6 connection",
        ),
        pytest.param(
            row("0000000000000000FFFF00000B00000A:00B3", "0000000000000000FFFF00000100000A:C001", "01"),
            tcp(TcpState.ESTABLISHED, "10.0.0.11", 179, "10.0.0.1", 49153),
            id="an IPv4 connection of an IPv6 socket",
        ),
        pytest.param(
            row("0B00000A:B3A4", "0100000A:00B3", "06"),
            tcp(TcpState.OTHER, "10.0.0.11", 45988, "10.0.0.1", 179),
            id="a connection that is closing",
        ),
    ],
)
def test_reads_a_row(line: str, read: TcpSocket) -> None:
    assert list(parse_tcp(HEADER + line, byteorder="little")) == [read]


def test_reads_addresses_as_a_big_endian_machine_prints_them() -> None:
    (one,) = parse_tcp(row("0A00000B:B3A4", "0A000001:00B3", "01"), byteorder="big")
    assert one == tcp(TcpState.ESTABLISHED, "10.0.0.11", 45988, "10.0.0.1", 179)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "\n\n",
        "   0:",
        "   0: 00000000:00B3 00000000:0000 0A",
        row("000000:00B3", "00000000:0000", "0A"),
        row("0000000G:00B3", "00000000:0000", "0A"),
        row("00000000:", "00000000:0000", "0A"),
        row("00000000", "00000000:0000", "0A"),
        row("00000000:00B3", "00000000:0000", "listen"),
    ],
)
def test_passes_over_what_is_no_row(line: str) -> None:
    good = row("00000000:00B3", "00000000:0000", "0A")
    assert len(list(parse_tcp(HEADER + line + "\n" + good, byteorder="little"))) == 1


@pytest.mark.parametrize(
    ("listener", "text"),
    [
        (Listener(ip_address("0.0.0.0"), 179, Owner(812, "bird")), "bird (812) on 0.0.0.0:179"),
        (Listener(ip_address("::"), 179, Owner()), "a process that cannot be seen from here on [::]:179"),
    ],
)
def test_says_who_listens(listener: Listener, text: str) -> None:
    assert str(listener) == text
