"""Options that several commands share, and how their values become settings."""

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from openelb_bgp import settings

from .failures import BadUsage

Command = TypeVar("Command", bound=Callable[..., Any])

_FOLDER = click.Path(path_type=Path, file_okay=False)
_FILE = click.Path(path_type=Path, dir_okay=False)
_ACCEPTED_BY_ALL = ("--secret", "--log-path", "--keepalived-args")
_ELECTION = settings.Election()
_HEARTBEATS = settings.HeartbeatSettings()


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
            click.option(
                "--files",
                type=_FOLDER,
                help="Folder of Kubernetes manifests to follow, instead of a cluster.",
            ),
            click.option(
                "--state",
                type=_FOLDER,
                default=settings.DEFAULT_STATE,
                show_default=True,
                help="Folder for statuses and allocations, with --files.",
            ),
        ]
    )


def _seconds(name: str, *, default: float) -> Any:
    """A duration that operators have no reason to change."""
    return click.option(name, type=click.FloatRange(min=0.1), default=default, hidden=True)


def go_flag(name: str, *, default: bool = False, says: str = "", hidden: bool = False) -> Any:
    """A flag as Go's programs take it: `--name` and `--name=true|false`."""
    return click.option(
        name,
        type=bool,
        is_flag=False,
        flag_value=True,
        default=default,
        metavar="",
        help=says,
        hidden=hidden,
    )


class _Verbosity(click.IntRange):
    """A number that may come with Go's equals sign, as in `-v=4`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        written: Any = str(value).removeprefix("=")
        return super().convert(written, param, ctx)


def common_options() -> Callable[[Command], Command]:
    """What every daemon takes; what has no effect here is hidden, and said when it is given."""
    return _apply(
        [
            click.option(
                "--kubeconfig",
                type=_FILE,
                help="The cluster to work for; else KUBECONFIG, else that of the pod.",
            ),
            _seconds("--request-timeout", default=10.0),
            go_flag(
                "--ignore-exclude-lb",
                says="Announce from nodes labelled exclude-from-external-load-balancers too.",
            ),
            click.option(
                "-v", "--v", "verbosity", type=_Verbosity(min=0), default=0, help="More log lines: 1, 2 …"
            ),
            click.option("--colour/--no-colour", default=None, help="Colour instead of JSON in the log."),
            *(click.option(flag, hidden=True) for flag in _ACCEPTED_BY_ALL),
        ]
    )


def controller_options() -> Callable[[Command], Command]:
    """What `controller` and `run` take."""
    return _apply([go_flag("--claim-all", says="Take every LoadBalancer Service without a class.")])


def cluster_options() -> Callable[[Command], Command]:
    """What the controller of a cluster takes besides."""
    return _apply(
        [
            click.option(
                "--leader-elect",
                type=bool,
                is_flag=False,
                flag_value=True,
                default=None,
                metavar="",
                help="Of several controllers one leads (by default; off: there is only this one).",
            ),
            click.option(
                "--webhook-port",
                type=click.IntRange(0, 65535),
                default=None,
                help="Answer the API server's questions here (443; 0: do not).",
            ),
            click.option("--webhook-cert-dir", type=_FOLDER, help="Its certificate, instead of its own."),
            click.option("--readiness-addr", hidden=True),
            _seconds("--leader-elect-lease-duration", default=_ELECTION.duration),
            _seconds("--leader-elect-renew-deadline", default=_ELECTION.renew_deadline),
            _seconds("--leader-elect-retry-period", default=_ELECTION.retry_period),
            _seconds("--speaker-burial-after", default=settings.BURIAL_SECONDS),
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
                help="Folder for what gobgpd and keepalived are reached by, and pid files.",
            ),
            click.option(
                "--gobgpd",
                type=click.Path(path_type=Path),
                help="The gobgpd to start; else the one that `make setup` fetched, else that on PATH.",
            ),
            click.option(
                "--keepalived",
                type=click.Path(path_type=Path),
                help="The keepalived to start for pools of protocol vip; else the one on PATH.",
            ),
            click.option("--gobgp-target", help="A gobgpd that runs already: unix:///PATH or HOST:PORT."),
            go_flag(
                "--await-sidecar",
                says="Start no gobgpd and no keepalived: their sidecars are in containers of their own.",
            ),
            click.option(
                "--api-hosts",
                help="Open gobgpd's API here too: whoever reaches it owns your routes. In a pod the "
                "container gobgpd takes this flag instead.",
            ),
            go_flag(
                "--enable-layer2",
                default=True,
                says="Answer for the addresses of pools of protocol layer2, by ARP and NDP.",
            ),
            go_flag(
                "--enable-keepalived-vip",
                default=True,
                says="Announce the addresses of pools of protocol vip, by keepalived.",
            ),
            click.option("--bind-addr", help="Only address at which speakers hear each other."),
            click.option(
                "--bind-port",
                type=click.IntRange(1, 65535),
                default=_HEARTBEATS.port,
                show_default=True,
                help="UDP port at which speakers hear each other, the same on all nodes.",
            ),
            click.option(
                "--membership-key-file",
                type=_FILE,
                help="Keys that speakers sign with, one a line, where the Secret openelb-membership is not.",
            ),
            _seconds("--heartbeat-interval", default=_HEARTBEATS.interval),
            go_flag(
                "--withdraw-on-exit",
                says="On SIGTERM withdraw everything and end gobgpd, instead of leaving the routes.",
            ),
            click.option(
                "--resync",
                type=click.FloatRange(min=0.1),
                default=30.0,
                show_default=True,
                help="Seconds between full comparisons with gobgpd.",
            ),
        ]
    )


def epilog() -> str:
    """The exit codes, for `--help`."""
    return "Exit codes: " + "; ".join(f"{code:d} {text}" for code, text in settings.EXIT_CODES.items()) + "."


def remarks_from(values: dict[str, Any]) -> Mapping[str, str]:
    """What is to be said of the flags that were given."""
    given = {f"--{name.replace('_', '-')}" for name, value in values.items() if value is not None}
    return settings.remarks(
        given,
        with_files=values["files"] is not None,
        environment=os.environ,
        starts_gobgpd=not (values.get("await_sidecar") or values.get("gobgp_target")),
    )


def source_from(values: dict[str, Any]) -> settings.SourceSettings:
    """The source that the options name: a folder, or a cluster. Raises BadUsage."""
    try:
        if values["files"] is not None:
            return settings.files_settings(
                files=values["files"], state=values["state"], environment=os.environ
            )
        return settings.cluster_settings(
            kubeconfig=values["kubeconfig"],
            election=_election_from(values),
            request_seconds=values["request_timeout"],
            environment=os.environ,
            hostname=socket.gethostname(),
        )
    except settings.SettingError as error:
        raise BadUsage(str(error)) from error


def files_from(values: dict[str, Any], *, otherwise: str) -> settings.FilesSettings:
    """The folder that the options name, for a command that knows no cluster. Raises BadUsage."""
    if values["files"] is None:
        raise BadUsage(otherwise)
    source = source_from(values)
    assert isinstance(source, settings.FilesSettings)
    return source


def _election_from(values: dict[str, Any]) -> settings.Election | None:
    if values.get("leader_elect") is False:
        return None
    named = {
        "duration": "leader_elect_lease_duration",
        "renew_deadline": "leader_elect_renew_deadline",
        "retry_period": "leader_elect_retry_period",
    }
    return settings.Election(**{field: values[name] for field, name in named.items() if name in values})


def address_from(values: dict[str, Any], *, flag: str) -> settings.HostPort:
    """The listening address that an option names. Raises BadUsage."""
    try:
        return settings.host_port(values[flag.removeprefix("--").replace("-", "_")], flag=flag)
    except settings.SettingError as error:
        raise BadUsage(str(error)) from error


def logging_from(values: dict[str, Any]) -> settings.Logging:
    """How to log."""
    return settings.Logging(verbosity=values["verbosity"], colour=values["colour"])


def speaker_from(values: dict[str, Any]) -> settings.SpeakerSettings:
    """A speaker's settings. Raises BadUsage."""
    try:
        node = settings.node_name(values["node_name"], environment=os.environ, hostname=socket.gethostname())
        address = settings.listening_address(values["bind_addr"], flag="--bind-addr")
    except settings.SettingError as error:
        raise BadUsage(str(error)) from error
    return settings.SpeakerSettings(
        source=source_from(values),
        node=node,
        runtime_dir=values["runtime_dir"],
        gobgpd=values["gobgpd"] or _fetched_gobgpd(),
        keepalived=values["keepalived"],
        gobgp_target=values["gobgp_target"],
        await_sidecar=values["await_sidecar"],
        api_hosts=values["api_hosts"],
        layer2=values["enable_layer2"],
        vip=values["enable_keepalived_vip"],
        heartbeats=settings.HeartbeatSettings(
            address=address,
            port=values["bind_port"],
            key_file=values["membership_key_file"],
            interval=values["heartbeat_interval"],
        ),
        ignore_exclude_lb=values["ignore_exclude_lb"],
        withdraw_on_exit=values["withdraw_on_exit"],
        resync=values["resync"],
        metrics=address_from(values, flag="--metrics-addr"),
        logging=logging_from(values),
        remarks=remarks_from(values),
    )


def _fetched_gobgpd() -> Path | None:
    fetched = settings.cached_gobgpd(os.environ)
    return fetched if os.access(fetched, os.X_OK) else None


def controller_from(values: dict[str, Any]) -> settings.ControllerSettings:
    """A controller's settings. Raises BadUsage."""
    return settings.ControllerSettings(
        source=source_from(values),
        claim_all=values["claim_all"],
        ignore_exclude_lb=values["ignore_exclude_lb"],
        burial_seconds=values.get("speaker_burial_after", settings.BURIAL_SECONDS),
        webhook=_webhook_from(values),
        metrics=address_from(values, flag="--metrics-addr"),
        logging=logging_from(values),
        remarks=remarks_from(values),
    )


def _webhook_from(values: dict[str, Any]) -> settings.Webhook:
    given = {"port": values.get("webhook_port"), "cert_dir": values.get("webhook_cert_dir")}
    return settings.Webhook(**{name: value for name, value in given.items() if value is not None})
