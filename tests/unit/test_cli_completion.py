"""What a shell is told when somebody presses the tab key, by the script that the command prints."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from openelb_bgp.cli.commands import COMMANDS
from openelb_bgp.cli.completion import SHELLS, VARIABLE

PROGRAM = Path(sys.executable).parent / "openelb-bgp"


def _run(*arguments: str, environment: Mapping[str, str] | None = None) -> str:
    env = {**os.environ, **(environment or {})}
    done = subprocess.run(
        [str(PROGRAM), *arguments], capture_output=True, text=True, timeout=60, check=True, env=env
    )
    return done.stdout


def _asked(words: str, at: int) -> list[str]:
    environment = {"COMP_WORDS": words, "COMP_CWORD": str(at), VARIABLE: "bash_complete"}
    answer = _run(environment=environment)
    return [line.partition(",")[2] for line in answer.splitlines() if line]


def test_commands_are_completed() -> None:
    assert _asked("openelb-bgp ", 1) == list(COMMANDS)
    assert _asked("openelb-bgp sp", 1) == ["speaker"]


def test_options_of_a_command_are_completed_without_the_hidden_ones() -> None:
    assert _asked("openelb-bgp speaker --enable", 2) == ["--enable-layer2", "--enable-keepalived-vip"]
    assert _asked("openelb-bgp speaker --secr", 2) == []


@pytest.mark.parametrize("shell", SHELLS)
def test_each_script_asks_the_program_and_is_for_its_name(shell: str) -> None:
    script = _run("completion", shell)
    assert f"{VARIABLE}={shell}_complete" in script
    assert "openelb-bgp" in script


def test_bash_takes_the_script_and_gives_the_answers() -> None:
    """As after the tab key: the function that the script registers fills COMPREPLY."""
    ask = (
        'eval "$(openelb-bgp completion bash)"; COMP_WORDS=(openelb-bgp val) COMP_CWORD=1; '
        '_openelb_bgp_completion openelb-bgp; echo "${COMPREPLY[@]}"'
    )
    bash = shutil.which("bash")
    assert bash
    environment = {**os.environ, "PATH": f"{PROGRAM.parent}:{os.environ['PATH']}"}
    done = subprocess.run([bash, "-c", ask], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.split() == ["validate"], done.stderr


def test_an_unknown_shell_is_refused_with_those_that_are_known() -> None:
    done = subprocess.run([str(PROGRAM), "completion", "tcsh"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "'bash', 'zsh', 'fish'" in done.stderr
