"""Options that several commands share, and how their values become settings."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from openelb_bgp import settings

Command = TypeVar("Command", bound=Callable[..., Any])

_FOLDER = click.Path(path_type=Path, file_okay=False)


class OneLineError(click.ClickException):
    """A SettingError on its way to the shell."""

    exit_code = int(settings.ExitCode.USAGE)


def _apply(options: list[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def source_options() -> Callable[[Command], Command]:
    """Where objects come from."""
    return _apply(
        [
            click.option("--files", type=_FOLDER, help="Folder of Kubernetes manifests to follow."),
            click.option(
                "--state",
                type=_FOLDER,
                default=settings.DEFAULT_STATE,
                show_default=True,
                help="Folder for statuses and allocations.",
            ),
        ]
    )


def common_options() -> Callable[[Command], Command]:
    """What every daemon takes; those of OpenELB that mean nothing here are hidden."""
    return _apply(
        [
            click.option(
                "--ignore-exclude-lb",
                is_flag=True,
                help="Announce from nodes labelled exclude-from-external-load-balancers too.",
            ),
            click.option("-v", "--v", "verbosity", type=int, default=0, help="More log lines: 1, 2 …"),
            click.option("--colour/--no-colour", default=None, help="Colour instead of JSON in the log."),
            click.option("--secret", hidden=True),
            click.option("--log-path", hidden=True),
            click.option("--keepalived-args", hidden=True),
        ]
    )


def speaker_options() -> Callable[[Command], Command]:
    """What `speaker` and `run` take."""
    return _apply(
        [
            click.option("--node-name", help="This node's name; else NODE_NAME, else the host's."),
            click.option(
                "--runtime-dir",
                type=_FOLDER,
                default=settings.DEFAULT_RUNTIME,
                show_default=True,
                help="Folder for gobgpd's socket and pid file.",
            ),
            click.option("--gobgpd", type=click.Path(path_type=Path), help="The gobgpd to start."),
            click.option("--gobgp-target", help="A gobgpd that runs already: unix:///PATH or HOST:PORT."),
            click.option(
                "--api-hosts", help="Open gobgpd's API here too. Whoever reaches it owns your routes."
            ),
            click.option("--enable-layer2/--disable-layer2", "layer2", default=True, hidden=True),
            click.option(
                "--enable-keepalived-vip/--disable-keepalived-vip", "vip", default=True, hidden=True
            ),
            click.option("--bind-addr", default="", help="Address for the speakers' membership."),
            click.option("--bind-port", type=click.IntRange(1, 65535), default=7946, show_default=True),
            click.option(
                "--withdraw-on-exit",
                is_flag=True,
                help="On SIGTERM withdraw everything and end gobgpd, instead of leaving the routes.",
            ),
            click.option(
                "--resync", type=click.FloatRange(min=0.1), default=30.0, help="Seconds between comparisons."
            ),
        ]
    )


def source_from(values: dict[str, Any]) -> settings.SourceSettings:
    """The source that the options name. Raises OneLineError."""
    try:
        return settings.source_settings(files=values["files"], state=values["state"], environment=os.environ)
    except settings.SettingError as error:
        raise OneLineError(str(error)) from error


def address_from(values: dict[str, Any], *, flag: str) -> settings.HostPort:
    """The listening address that an option names. Raises OneLineError."""
    try:
        return settings.host_port(values[flag.removeprefix("--").replace("-", "_")], flag=flag)
    except settings.SettingError as error:
        raise OneLineError(str(error)) from error


def logging_from(values: dict[str, Any]) -> settings.Logging:
    """How to log."""
    return settings.Logging(verbosity=values["verbosity"], colour=values["colour"])


def speaker_from(values: dict[str, Any]) -> settings.SpeakerSettings:
    """A speaker's settings. Raises OneLineError."""
    try:
        node = settings.node_name(values["node_name"], environment=os.environ, hostname=socket.gethostname())
    except settings.SettingError as error:
        raise OneLineError(str(error)) from error
    return settings.SpeakerSettings(
        source=source_from(values),
        node=node,
        runtime_dir=values["runtime_dir"],
        gobgpd=values["gobgpd"],
        gobgp_target=values["gobgp_target"],
        api_hosts=values["api_hosts"],
        layer2=values["layer2"],
        vip=values["vip"],
        bind_address=values["bind_addr"],
        bind_port=values["bind_port"],
        ignore_exclude_lb=values["ignore_exclude_lb"],
        withdraw_on_exit=values["withdraw_on_exit"],
        resync=values["resync"],
        metrics=address_from(values, flag="--metrics-addr"),
        logging=logging_from(values),
    )


def controller_from(
    values: dict[str, Any], *, metrics_flag: str = "--metrics-addr"
) -> settings.ControllerSettings:
    """A controller's settings. Raises OneLineError."""
    return settings.ControllerSettings(
        source=source_from(values),
        claim_all=values["claim_all"],
        ignore_exclude_lb=values["ignore_exclude_lb"],
        metrics=address_from(values, flag=metrics_flag),
        logging=logging_from(values),
    )
