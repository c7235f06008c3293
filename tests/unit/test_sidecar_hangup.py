"""Which rows of the kernel's table of TCP connections are those with one neighbour."""

from ipaddress import ip_address

from openelb_bgp.sidecar.hangup import connections

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def line(local: str, remote: str, state: str, inode: int) -> str:
    return f"   0: {local} {remote} {state} 00000000:00000000 00:00000000 00000000     0        0 {inode} 1\n"


def test_finds_the_connection_that_we_dialled_and_the_one_that_was_dialled() -> None:
    table = (
        HEAD
        + line("0200090A:C001", "0100090A:00B3", "01", 11)
        + line("0200090A:00B3", "0100090A:D002", "01", 12)
    )
    assert list(connections(table, ip_address("10.9.0.1"))) == ["11", "12"]


def test_finds_a_connection_on_whatever_ports_were_configured() -> None:
    table = HEAD + line("0200090A:45EC", "0100090A:D002", "01", 11)
    assert list(connections(table, ip_address("10.9.0.1"))) == ["11"]


def test_leaves_other_neighbours_and_connections_that_are_not_established() -> None:
    table = (
        HEAD
        + line("0200090A:C001", "0300090A:00B3", "01", 11)
        + line("0200090A:C001", "0100090A:00B3", "02", 13)
    )
    assert list(connections(table, ip_address("10.9.0.1"))) == []


def test_reads_ipv6_and_mapped_ipv4_addresses() -> None:
    table = (
        HEAD
        + line("B80D0120000000000000000002000000:C001", "B80D0120000000000000000001000000:00B3", "01", 21)
        + line("0000000000000000FFFF00000200090A:00B3", "0000000000000000FFFF00000100090A:C003", "01", 22)
    )
    assert list(connections(table, ip_address("2001:db8::1"))) == ["21"]
    assert list(connections(table, ip_address("10.9.0.1"))) == ["22"]
