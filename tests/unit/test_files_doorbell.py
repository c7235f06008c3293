"""The socket that a process of a state is woken by, and that keeps a second one out of its role."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from openelb_bgp.files.doorbell import Doorbell
from openelb_bgp.files.errors import AlreadyRunning

_AT_ONCE = 4
_ROUNDS = 30


def test_of_those_that_take_a_role_at_once_one_gets_it(tmp_path: Path) -> None:
    together = threading.Barrier(_AT_ONCE)

    def take(folder: Path) -> Doorbell | None:
        together.wait()
        try:
            return Doorbell.hang(folder, "speaker-node1")
        except AlreadyRunning:
            return None

    with ThreadPoolExecutor(_AT_ONCE) as starts:
        for number in range(_ROUNDS):
            folder = tmp_path / str(number)
            folder.mkdir()
            hung = [one for one in starts.map(take, [folder] * _AT_ONCE) if one is not None]
            assert len(hung) == 1
            with pytest.raises(AlreadyRunning, match="another speaker-node1"):
                Doorbell.hang(folder, "speaker-node1")
            hung[0].close()
