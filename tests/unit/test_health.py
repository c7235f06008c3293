"""What `/healthz`, `/readyz` and `/metrics` answer, byte for byte."""

import pytest
from prometheus_client import CollectorRegistry, Gauge

from openelb_bgp.runtime.health import Pages, pages_of, response, turns


def pages(problem: str | None = None) -> Pages:
    registry = CollectorRegistry()
    Gauge("routes", "How many.", registry=registry).set(3)
    return pages_of(registry=registry, healthy={"loop": lambda: None}, ready={"bgp": lambda: problem})


def asked(line: str, problem: str | None = None) -> str:
    return response(f"{line}\r\nHost: node\r\n\r\n".encode(), pages(problem)).decode()


OK = (
    "HTTP/1.1 200 OK\r\n"
    "Content-Type: text/plain; charset=utf-8\r\n"
    "Content-Length: 3\r\n"
    "Connection: close\r\n"
    "\r\n"
)


@pytest.mark.parametrize("target", ["/healthz", "/readyz", "/readyz?verbose=1"])
def test_nothing_wrong_is_ok(target: str) -> None:
    assert asked(f"GET {target} HTTP/1.1") == OK + "ok\n"


def test_a_probe_by_head_gets_no_body() -> None:
    assert asked("HEAD /healthz HTTP/1.1") == OK


def test_what_is_missing_is_said_with_503() -> None:
    assert asked("GET /readyz HTTP/1.0", "no session") == (
        "HTTP/1.1 503 Service Unavailable\r\n"
        "Content-Type: text/plain; charset=utf-8\r\n"
        "Content-Length: 16\r\n"
        "Connection: close\r\n"
        "\r\n"
        "bgp: no session\n"
    )


def test_a_daemon_that_is_not_ready_is_healthy_all_the_same() -> None:
    assert asked("GET /healthz HTTP/1.1", "no session") == OK + "ok\n"


def test_metrics_are_in_the_text_format_of_prometheus() -> None:
    head, _, body = asked("GET /metrics HTTP/1.1").partition("\r\n\r\n")
    assert (head.splitlines()[0], "text/plain; version=" in head) == ("HTTP/1.1 200 OK", True)
    assert body == "# HELP routes How many.\n# TYPE routes gauge\nroutes 3.0\n"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET / HTTP/1.1", "404 Not Found"),
        ("GET /healthz/x HTTP/1.1", "404 Not Found"),
        ("POST /healthz HTTP/1.1", "405 Method Not Allowed"),
        ("GET healthz HTTP/1.1", "400 Bad Request"),
        ("GET /healthz", "400 Bad Request"),
        ("\x16\x03\x01\x02", "400 Bad Request"),
        ("", "400 Bad Request"),
    ],
)
def test_whatever_else_is_refused(line: str, status: str) -> None:
    assert asked(line).splitlines()[0] == f"HTTP/1.1 {status}"


class Standing:
    """A clock that is moved by hand, and a loop that turned when it is told to have."""

    resync = 30.0

    def __init__(self) -> None:
        self.now = 100.0
        self.turned_at: float | None = None

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("nobody sleeps here")


def test_a_loop_is_healthy_as_long_as_it_turns_and_stuck_long_after_its_next_cycle_was_due() -> None:
    loop = clock = Standing()
    check = turns(loop, clock)
    clock.now += 90
    assert check() is None
    clock.now += 1
    assert check() == "no cycle has ended for 91 s"
    loop.turned_at = clock.now
    assert check() is None
    clock.now += 91
    assert check() == "no cycle has ended for 91 s"
