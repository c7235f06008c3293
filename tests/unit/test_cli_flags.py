"""Flags of the daemons: OpenELB's are all taken, as its manifests write them; a bad one costs one line."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from openelb_bgp.cli import controller, options, run, speaker
from openelb_bgp.cli.failures import BadUsage
from openelb_bgp.settings import (
    EXIT_CODES,
    ClusterSettings,
    ControllerSettings,
    Election,
    ExitCode,
    HostPort,
    SpeakerSettings,
)

DAEMONS = {"run": run.command, "speaker": speaker.command, "controller": controller.command}

SPEAKER_OF_OPENELB = (
    *("--enable-layer2=true", "--enable-keepalived-vip=false", "--api-hosts=:50051", "--secret=hush-hush"),
    *("--bind-addr=10.0.0.1", "--bind-port=7946", "--node-name=node1", "--metrics-addr=:50053"),
    *("--keepalived-args=--vrrp", "--log-path=/var/log/x", "--ignore-exclude-lb=true", "-v", "4"),
)
CONTROLLER_OF_OPENELB = (
    *("--webhook-port=443", "--webhook-cert-dir=/tmp/certs", "--readiness-addr=:8000", "--leader-elect=true"),
    *("--metrics-addr=127.0.0.1:50052", "--ignore-exclude-lb=false", "--log-path=/var/log/x", "--v=4"),
)


def parsed(name: str, folder: Path, *arguments: str) -> dict[str, Any]:
    """The options as the command gets them, of a daemon over a folder."""
    return in_cluster(name, "--files", str(folder), *arguments)


def in_cluster(name: str, *arguments: str) -> dict[str, Any]:
    """The options as the command gets them."""
    return DAEMONS[name].make_context(name, list(arguments)).params


@pytest.fixture
def speaker_with(tmp_path: Path) -> Callable[..., SpeakerSettings]:
    return lambda *arguments: options.speaker_from(parsed("speaker", tmp_path, *arguments))


@pytest.fixture
def controller_with(tmp_path: Path) -> Callable[..., ControllerSettings]:
    return lambda *arguments: options.controller_from(parsed("controller", tmp_path, *arguments))


def test_a_speaker_takes_every_argument_of_openelb(speaker_with: Callable[..., SpeakerSettings]) -> None:
    made = speaker_with(*SPEAKER_OF_OPENELB, "--kubeconfig=/root/.kube/config")
    assert (made.layer2, made.vip, made.ignore_exclude_lb) == (True, False, True)
    assert (made.node, made.metrics, made.logging.verbosity) == ("node1", HostPort("", 50053), 4)
    assert (made.api_hosts, set(made.remarks)) == (
        ":50051",
        {
            *("--api-hosts", "--keepalived-args"),
            *("--kubeconfig", "--log-path", "--secret"),
        },
    )
    assert "hush-hush" not in repr(made)


def test_a_speaker_starts_its_gobgpd_unless_a_container_of_its_own_does(
    speaker_with: Callable[..., SpeakerSettings],
) -> None:
    assert (speaker_with().await_sidecar, speaker_with("--await-sidecar").await_sidecar) == (False, True)


def test_a_controller_takes_every_argument_of_openelb(
    controller_with: Callable[..., ControllerSettings],
) -> None:
    made = controller_with(*CONTROLLER_OF_OPENELB, "--kubeconfig=/root/.kube/config")
    assert (made.ignore_exclude_lb, made.metrics, made.logging.verbosity) == (
        *(False, HostPort("127.0.0.1", 50052)),
        4,
    )
    assert set(made.remarks) == {
        *("--kubeconfig", "--leader-elect", "--log-path", "--readiness-addr"),
        *("--webhook-cert-dir", "--webhook-port"),
    }


def test_nothing_is_said_where_nothing_was_given(
    speaker_with: Callable[..., SpeakerSettings], controller_with: Callable[..., ControllerSettings]
) -> None:
    assert (speaker_with().remarks, controller_with().remarks) == ({}, {})


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("--enable-layer2", True),
        ("--enable-layer2=true", True),
        ("--enable-layer2=T", True),
        ("--enable-layer2=1", True),
        ("--enable-layer2=false", False),
        ("--enable-layer2=FALSE", False),
        ("--enable-layer2=0", False),
    ],
)
def test_a_switch_is_set_as_go_programs_do_it(
    speaker_with: Callable[..., SpeakerSettings], argument: str, value: bool
) -> None:
    assert speaker_with(argument, "--bind-port=7946").layer2 is value


@pytest.mark.parametrize("arguments", [("-v", "4"), ("-v4",), ("-v=4",), ("--v=4",), ("--v", "4")])
def test_verbosity_is_written_in_any_way_that_klog_knows(
    speaker_with: Callable[..., SpeakerSettings], arguments: tuple[str, ...]
) -> None:
    assert speaker_with(*arguments).logging.verbosity == 4


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--enable-layer2=perhaps",), "perhaps"),
        (("--no-such-flag",), "--no-such-flag"),
        (("-v", "loud"), "loud"),
        (("-v=-1",), "-1"),
        (("--bind-port=0",), "--bind-port"),
        (("--resync=0",), "--resync"),
        (("--metrics-addr=nowhere",), "nowhere"),
        (("--files=/nowhere/at/all",), "/nowhere/at/all"),
        (("--kubeconfig=/nowhere/at/all", "--request-timeout=0"), "--request-timeout"),
        (("leftover",), "leftover"),
    ],
)
def test_a_bad_flag_costs_one_line_that_names_it(
    speaker_with: Callable[..., SpeakerSettings], arguments: tuple[str, ...], word: str
) -> None:
    with pytest.raises(click.ClickException) as refused:
        speaker_with(*arguments)
    said = refused.value.format_message()
    assert word in said and "\n" not in said
    assert refused.value.exit_code == ExitCode.USAGE


def test_in_a_cluster_a_controller_is_one_of_several_and_takes_every_argument_of_openelb(
    tmp_path: Path,
) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.touch()
    given = [*CONTROLLER_OF_OPENELB, f"--kubeconfig={kubeconfig}"]
    made = options.controller_from(in_cluster("controller", *given))
    source = made.source
    assert isinstance(source, ClusterSettings)
    assert (source.kubeconfig, source.election, made.webhook.port) == (kubeconfig, Election(), 443)
    assert (made.webhook.cert_dir, set(made.remarks)) == (
        Path("/tmp/certs"),
        {"--log-path", "--readiness-addr"},
    )


def test_a_controller_that_is_told_to_be_the_only_one_asks_nobody(tmp_path: Path) -> None:
    kubeconfig = tmp_path / "config"
    kubeconfig.touch()
    given = ["--leader-elect=false", f"--kubeconfig={kubeconfig}"]
    source = options.controller_from(in_cluster("controller", *given)).source
    assert isinstance(source, ClusterSettings) and source.election is None


def test_without_folder_and_cluster_one_line_says_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    for name in ("speaker", "controller"):
        with pytest.raises(BadUsage) as refused:
            getattr(options, f"{name}_from")(in_cluster(name))
        said = refused.value.message
        assert "--files DIR" in said and "--kubeconfig FILE" in said and "\n" not in said


def test_run_is_for_a_folder_only(tmp_path: Path) -> None:
    with pytest.raises(BadUsage, match="--files DIR"):
        run.command.callback(**in_cluster("run"))  # type: ignore[misc]


@pytest.mark.parametrize("name", DAEMONS)
def test_help_of_a_daemon_explains_its_exit_codes(name: str) -> None:
    command = DAEMONS[name]
    said = " ".join(command.get_help(click.Context(command)).split())
    assert all(f"{code:d} {text}" in said for code, text in EXIT_CODES.items())
