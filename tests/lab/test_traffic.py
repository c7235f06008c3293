"""The client's requests: what counts as lost, and what is sent again."""

import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lab.lab import Lab
from lab.shell import wait_until
from lab.traffic import requests, under_load

_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
_BODY = b"Name: pod\nRemoteAddr: 192.0.2.1\n"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(_BODY), _BODY)


@contextmanager
def _server(lab: Lab, *answers: bool) -> Iterator[int]:
    """In the client's own namespace; answers or resets one connection after the other. Its port."""
    listener = lab.client.call(lambda: socket.create_server(("127.0.0.1", 0)))

    def serve() -> None:
        for does_answer in answers:
            with listener.accept()[0] as connection:
                connection.recv(4096)
                if does_answer:
                    connection.sendall(_ANSWER)
                else:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listener:
        yield listener.getsockname()[1]
        thread.join(timeout=5.0)


def test_a_request_whose_connection_is_reset_is_sent_once_more_and_counted(bare: Lab) -> None:
    with _server(bare, False, True) as port:
        tally = requests(bare.client, "127.0.0.1", count=1, port=port)
    assert (tally.by_backend, len(tally.retried), tally.lost) == ({"pod": 1}, 1, ())


def test_a_request_that_is_reset_twice_is_lost(bare: Lab) -> None:
    with _server(bare, False, False) as port:
        tally = requests(bare.client, "127.0.0.1", count=1, port=port)
    assert [(lost.tries, lost.error.partition(":")[0]) for lost in tally.lost] == [
        (2, "ConnectionResetError")
    ]


def test_a_refused_connection_is_lost_at_once(bare: Lab) -> None:
    tally = requests(bare.client, "127.0.0.1", count=1, port=1)
    assert [(lost.tries, lost.error.partition(":")[0]) for lost in tally.lost] == [
        (1, "ConnectionRefusedError")
    ]


def test_who_sends_runs_before_everything_else(bare: Lab) -> None:
    def priority() -> int:
        (sender,) = (one for one in threading.enumerate() if one.name == "load-127.0.0.1")
        assert sender.native_id is not None
        return os.getpriority(os.PRIO_PROCESS, sender.native_id)

    before = os.getpriority(os.PRIO_PROCESS, 0)
    with under_load(bare.client, "127.0.0.1", port=1):
        wait_until(lambda: priority() == -10, within=20.0, what="a sender that comes first")
    assert os.getpriority(os.PRIO_PROCESS, 0) == before
