"""`openelb-bgp health`: an exit code for whoever watches a container."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from click.testing import CliRunner

from openelb_bgp.cli.health import command


@contextmanager
def answering(status: int, said: str) -> Iterator[str]:
    """A daemon that answers so on /healthz; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()
            self.wfile.write(said.encode())

        def log_message(self, format: str, *_: object) -> None:  # noqa: A002  (http.server's name for it)
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def said(*arguments: str) -> tuple[bool, str]:
    """Whether it fails, and what it prints either way."""
    result = CliRunner().invoke(command, list(arguments))
    return result.exit_code == 1, result.output.strip()


def test_a_daemon_that_turns_is_well() -> None:
    with answering(200, "ok\n") as address:
        assert said("--metrics-addr", address) == (False, "ok")


def test_a_daemon_that_does_not_turn_is_not_and_says_why() -> None:
    with answering(503, "loop: has not turned for 90 s\n") as address:
        assert said("--metrics-addr", address) == (True, "Error: loop: has not turned for 90 s")


def test_where_nobody_listens_nobody_is_well() -> None:
    with answering(200, "ok\n") as address:
        pass
    assert said("--metrics-addr", address) == (
        True,
        "Error: neither a speaker nor a controller listens here; if at another --metrics-addr, say so",
    )


def test_a_sidecar_that_is_not_there_is_not_well(tmp_path: Path) -> None:
    failed, text = said("gobgpd", "--runtime-dir", str(tmp_path))
    assert (failed, text) == (
        True,
        f"Error: no sidecar answers on {tmp_path}/gobgpd/control.sock: No such file or directory",
    )


def test_an_address_that_is_none_is_bad_usage() -> None:
    assert CliRunner().invoke(command, ["--metrics-addr", "here"]).exit_code == 2
