"""Flags and environment, validated once, as frozen values.

The CLI hands over what was written; from here on nobody reads an option or an environment variable. Flags
of OpenELB that have no effect here are accepted and named, so that its arguments set by hand go on working.
"""

import enum
import os
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from pathlib import Path

import msgspec

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.keys import DEFAULT_NAMESPACE
from openelb_bgp.model.meta import EMPTY

DEFAULT_STATE = Path("/var/lib/openelb-bgp")
DEFAULT_RUNTIME = Path("/run/openelb-bgp")
GOBGP_VERSION = "4.8.0"
BURIAL_SECONDS = 60.0
"""How long a speaker's pod is gone or not ready before its Speaker is deleted."""

ABOUT_FLAGS: Mapping[str, str] = {
    "--api-hosts": "gobgpd's API is open there too: whoever reaches it owns your routes",
    "--keepalived-args": "no effect: what keepalived is started with is ours to know",
    "--log-path": "no effect: the log goes to standard error",
    "--readiness-addr": "no effect: /readyz is served on --metrics-addr",
    "--secret": "no effect: the key protects nothing here, and its default is public",
}
_API_HOSTS_ELSEWHERE = (
    "no effect: the gobgpd is not this process's own; where --await-sidecar is given too, write it in the "
    "arguments of the container gobgpd, whose sidecar takes it"
)
ABOUT_FLAGS_WITH_FILES: Mapping[str, str] = {
    "--kubeconfig": "no effect: with --files the objects come from the folder, not from a cluster",
    "--leader-elect": "no effect: the one controller of a state is who holds its lock",
    "--webhook-cert-dir": "no effect: without a cluster nobody asks; openelb-bgp validate checks manifests",
    "--webhook-port": "no effect: without a cluster nobody asks; openelb-bgp validate checks manifests",
}
_ABOUT_VARIABLES: Mapping[str, str] = {
    "MEMBER_LIST_SECRET": ABOUT_FLAGS["--secret"],
    "OPENELB_DSNAME": "no effect: a speaker needs not know what it was started by",
}


class SettingError(Exception):
    """A flag or variable that cannot be used; the text is one line that names it and the remedy."""


class ExitCode(enum.IntEnum):
    """What the commands return to the shell.

    A signal that comes before a daemon has set itself up ends it with 128 and the signal's number, as usual.
    """

    OK = 0
    FAILED = 1
    USAGE = 2
    STATE = 3


EXIT_CODES: Mapping[ExitCode, str] = {
    ExitCode.OK: "ended as asked",
    ExitCode.FAILED: "a check failed, or something unexpected happened, which is logged",
    ExitCode.USAGE: "a flag or a folder that cannot be used",
    ExitCode.STATE: "the state is damaged, cannot be written, or has another controller",
}


class HostPort(msgspec.Struct, frozen=True):
    """A TCP address to listen on; an empty host is every address, port 0 switches the listener off."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Logging(msgspec.Struct, frozen=True, kw_only=True):
    """How to log. `colour` None: colour where standard error is a terminal, else JSON."""

    verbosity: int = 0
    colour: bool | None = None


class FilesSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A folder of manifests, and the state beside it where statuses go."""

    files: Path
    state: Path = DEFAULT_STATE
    namespace: str = DEFAULT_NAMESPACE

    def __str__(self) -> str:
        return f"{self.files}, with the state in {self.state}"


class Election(msgspec.Struct, frozen=True, kw_only=True):
    """How the leading controller is found: the Lease's durations in seconds, as client-go names them."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0


class ClusterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A Kubernetes cluster. Without a `kubeconfig` it is the one whose pod this is.

    `election` None: there is no other controller, and nobody is asked. `request_seconds` is the longest that
    a request may take. `instance` names this process among its like.
    """

    namespace: str = DEFAULT_NAMESPACE
    kubeconfig: Path | None = None
    election: Election | None = Election()
    request_seconds: float = 10.0
    instance: str = ""

    def __str__(self) -> str:
        where = "this pod's cluster" if self.kubeconfig is None else f"the cluster of {self.kubeconfig}"
        return f"{where}, with namespace {self.namespace}"


SourceSettings = FilesSettings | ClusterSettings
"""Where objects come from and statuses go."""


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """Where a controller in a cluster answers the API server's questions about objects; port 0: nowhere.

    It does so with a certificate of its own, or with the one in `cert_dir`.
    """

    port: int = 443
    cert_dir: Path | None = None


class ControllerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Of the controller. `remarks` are as in SpeakerSettings."""

    source: SourceSettings
    claim_all: bool = False
    ignore_exclude_lb: bool = False
    burial_seconds: float = BURIAL_SECONDS
    webhook: Webhook = Webhook()
    metrics: HostPort = HostPort("", 50052)
    logging: Logging = Logging()
    remarks: Mapping[str, str] = EMPTY


class HeartbeatSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How speakers watch each other: by UDP, at `port` of `address` (None: of every address).

    `key_file` is where the keys are, if they are in no Secret. After `misses` questions in a row, `interval`
    seconds apart, that stay without an answer a node is dead.
    """

    address: Address | None = None
    port: int = 7946
    key_file: Path | None = None
    interval: float = 0.2
    misses: int = 4


class SpeakerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Of a speaker. `gobgp_target` names a gobgpd that somebody else runs; then no sidecar is started.

    `await_sidecar` says that the sidecar over `runtime_dir` is in a container of its own: it takes orders,
    and none is ever started in its place. `resync` is how many seconds pass between two full comparisons with
    gobgpd. `remarks` are what is to be said once of the flags and variables that were given, by their names.
    """

    source: SourceSettings
    node: str
    runtime_dir: Path = DEFAULT_RUNTIME
    gobgpd: Path | None = None
    keepalived: Path | None = None
    gobgp_target: str | None = None
    await_sidecar: bool = False
    api_hosts: str | None = None
    layer2: bool = True
    vip: bool = True
    heartbeats: HeartbeatSettings = HeartbeatSettings()
    ignore_exclude_lb: bool = False
    withdraw_on_exit: bool = False
    resync: float = 30.0
    metrics: HostPort = HostPort("", 50053)
    logging: Logging = Logging()
    remarks: Mapping[str, str] = EMPTY


def remarks(
    given: Collection[str],
    *,
    with_files: bool,
    environment: Mapping[str, str],
    starts_gobgpd: bool = True,
) -> Mapping[str, str]:
    """What the operator should know of flags given and variables set, by their names, never by their values.

    OpenELB's that have no effect here are accepted, so that arguments set by hand go on working; with a
    folder for a source that is whatever only a cluster has. Only a gobgpd that is started here
    (`starts_gobgpd`) can be told where to listen.
    """
    about = {**ABOUT_FLAGS, **ABOUT_FLAGS_WITH_FILES} if with_files else dict(ABOUT_FLAGS)
    if not starts_gobgpd:
        about["--api-hosts"] = _API_HOSTS_ELSEWHERE
    said = {flag: about[flag] for flag in sorted(given) if flag in about}
    return said | {name: text for name, text in _ABOUT_VARIABLES.items() if environment.get(name)}


def host_port(text: str, *, flag: str) -> HostPort:
    """`HOST:PORT`, `:PORT` or `[IPv6]:PORT`. Raises SettingError."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise SettingError(f"{flag} {text!r}: write HOST:PORT with a port of 0 to 65535, such as :50053")
    bare = host.removeprefix("[").removesuffix("]")
    if ":" in bare:
        try:
            ip_address(bare)
        except ValueError:
            raise SettingError(f"{flag} {text!r}: {bare} is no IPv6 address; write [ADDRESS]:PORT") from None
    return HostPort(bare, int(port))


def files_settings(*, files: Path, state: Path | None, environment: Mapping[str, str]) -> FilesSettings:
    """A folder as the source. Raises SettingError where it cannot be read."""
    if not files.is_dir():
        raise SettingError(f"--files {files}: there is no such folder; make it or name another")
    return FilesSettings(files=files, state=state or DEFAULT_STATE, namespace=_namespace(environment))


def cluster_settings(
    *,
    kubeconfig: Path | None,
    election: Election | None,
    request_seconds: float,
    environment: Mapping[str, str],
    hostname: str,
) -> ClusterSettings:
    """A cluster as the source: the one that the kubeconfig names, else the one whose pod this is.

    Raises SettingError where there is neither.
    """
    named = kubeconfig or _first_of(environment.get("KUBECONFIG", ""))
    if named is None and not environment.get("KUBERNETES_SERVICE_HOST"):
        raise SettingError(
            "no source is given: write --files DIR, a folder of Kubernetes manifests, or --kubeconfig FILE; "
            "in a pod of a cluster neither is needed"
        )
    if named is not None and not named.is_file():
        raise SettingError(f"--kubeconfig {named}: there is no such file; name another")
    return ClusterSettings(
        namespace=_namespace(environment),
        kubeconfig=named,
        election=election,
        request_seconds=request_seconds,
        instance=hostname,
    )


def listening_address(text: str | None, *, flag: str) -> Address | None:
    """One IP address, None where none is given. Raises SettingError."""
    try:
        return ip_address(text) if text else None
    except ValueError:
        raise SettingError(f"{flag} {text!r}: write one IP address of this node, or leave it out") from None


def _namespace(environment: Mapping[str, str]) -> str:
    return environment.get("OPENELB_NAMESPACE") or DEFAULT_NAMESPACE


def _first_of(paths: str) -> Path | None:
    first = paths.split(os.pathsep)[0]
    return Path(first) if first else None


def node_name(given: str | None, *, environment: Mapping[str, str], hostname: str) -> str:
    """The node's name: the flag, NODE_NAME, or the host's name in lower case."""
    name = given or environment.get("NODE_NAME") or hostname.lower()
    if not name:
        raise SettingError("the node has no name: write --node-name NAME or set NODE_NAME")
    return name


def cached_gobgpd(environment: Mapping[str, str]) -> Path:
    """Where `make setup` puts the gobgpd that we ship with; what is on PATH may be older."""
    cache = environment.get("OPENELB_BGP_CACHE")
    if not cache:
        home = environment.get("XDG_CACHE_HOME") or f"{environment.get('HOME', '')}/.cache"
        cache = f"{home}/openelb-bgp"
    return Path(cache) / "gobgp" / GOBGP_VERSION / "gobgpd"
