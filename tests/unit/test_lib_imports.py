"""What a daemon does not import."""

import subprocess
import sys

import pytest

from openelb_bgp.lib.imports import without


def test_a_package_is_not_there_within_and_there_again_afterwards() -> None:
    with without("pyclbr"), pytest.raises(ModuleNotFoundError):
        import pyclbr
    import pyclbr

    assert pyclbr.__name__ in sys.modules


def test_a_package_that_is_loaded_stays() -> None:
    import json

    with without("json"):
        import json as again
    assert again is json


@pytest.mark.parametrize("daemon", ["run", "speaker", "controller"])
def test_a_daemon_over_a_folder_loads_nothing_that_it_does_not_use(daemon: str) -> None:
    # A state that cannot be made ends it as soon as everything is imported.
    code = (
        "import sys; from openelb_bgp.cli.group import cli\n"
        f"cli.main(['{daemon}', '--files', '.', '--state', '/proc/none'], standalone_mode=False)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    modules = {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}
    assert "structlog" in modules
    assert not modules & {"rich", "pygments", "aiohttp", "cryptography", "kubernetes_asyncio", "uvloop"}
