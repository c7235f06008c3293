"""`openelb-bgp validate`: every defect of a folder of manifests, with file and line, as admission sees it.

Reads the folder once, by the same code as the file source; nothing is started and no state is needed.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import msgspec

from openelb_bgp import settings
from openelb_bgp.admission import check
from openelb_bgp.bgp.policy_toml import policy_defects
from openelb_bgp.decode.findings import printable
from openelb_bgp.files.errors import FilesError
from openelb_bgp.files.load import Loaded, load
from openelb_bgp.files.manifests import Location
from openelb_bgp.ipam.requests import request_of
from openelb_bgp.model import keys
from openelb_bgp.model.errors import Defect
from openelb_bgp.model.meta import Key, Kind, ObjectRef
from openelb_bgp.model.reasons import Reason
from openelb_bgp.model.services import Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.sidecar.errors import DaemonMissing
from openelb_bgp.sidecar.kinds import GOBGPD, ask

from .failures import BadUsage


class _Line(msgspec.Struct, frozen=True, order=True):
    """One line of the output; `column` is 0 where it is not known."""

    location: Location
    column: int
    text: str
    fatal: bool

    def __str__(self) -> str:
        place = f"{self.location}:{self.column}" if self.column else str(self.location)
        return printable(f"{place}: {'' if self.fatal else 'warning: '}{self.text}")


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--gobgpd", help="Look at the gobgpd that the nodes will run, too: a path, or a name on PATH.")
def command(directory: Path, gobgpd: str | None) -> int:
    """Check manifests as admission would.

    Prints `file:line: Kind name: field value: problem; remedy` for each defect, `warning:` before those with
    which the object is used all the same. Exit code 1 if there is any other.
    """
    return run(directory, gobgpd=gobgpd)


def run(directory: Path, *, gobgpd: str | None = None) -> int:
    """Check a folder, print what is wrong and a summary; 1 where anything is, but for warnings, else 0.

    Raises BadUsage where there is no such gobgpd.
    """
    try:
        loaded = load(directory)
    except FilesError as error:
        click.echo(f"openelb-bgp: {error}", err=True)
        return settings.ExitCode.USAGE
    locations = loaded.locations
    lines = sorted({*_of_files(loaded), *_of_objects(loaded.snapshot, locations), *_of_gobgpd(gobgpd)})
    for line in lines:
        click.echo(str(line))
    errors = sum(line.fatal for line in lines)
    found = (
        _count(len(locations), "object"),
        _count(errors, "error"),
        _count(len(lines) - errors, "warning"),
    )
    click.echo("{}: {}, {}".format(*found))
    return settings.ExitCode.FAILED if errors else settings.ExitCode.OK


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _of_files(loaded: Loaded) -> Iterator[_Line]:
    for one in loaded.problems:
        yield _Line(one.location, one.column, one.message, True)


def _of_gobgpd(name: str | None) -> Iterator[_Line]:
    """What is wrong with the program itself: releases that a peer can crash."""
    if name is None:
        return
    from openelb_bgp.bgp.gobgp.features import features, parse_version
    from openelb_bgp.bgp.status import daemon_problems

    try:
        program = ask(GOBGPD, name)
    except DaemonMissing as error:
        raise BadUsage(str(error)) from error
    version = parse_version(program.version)
    if version is None:
        raise BadUsage(f"--gobgpd {program.path}: it does not say its version; name a gobgpd")
    for problem in daemon_problems(features(version[0], version), None):
        yield _Line(Location(program.path), 0, problem.message, False)


def _of_objects(snapshot: Snapshot, locations: Mapping[ObjectRef, Location]) -> Iterator[_Line]:
    for ref, defect in _defects(snapshot):
        place = locations.get(ref, Location("?"))
        yield _Line(place, 0, f"{ref}: {defect}", defect.fatal)


def _defects(snapshot: Snapshot) -> Iterator[tuple[ObjectRef, Defect]]:
    """What decoding, admission and the reader of policies found."""
    for ref, invalid in snapshot.invalid.items():
        yield from ((ref, defect) for defect in invalid.defects)
    for ref, warnings in snapshot.warnings.items():
        yield from ((ref, defect) for defect in warnings)
    namespace = os.environ.get("OPENELB_NAMESPACE") or keys.DEFAULT_NAMESPACE
    for ref, defects in check(snapshot, namespace=namespace).items():
        yield from ((ref, defect) for defect in defects)
    yield from _of_policy(snapshot, namespace)
    for service in snapshot.services.values():
        yield from ((service.ref, defect) for defect in _of_service(service, snapshot))


def _of_service(service: Service, snapshot: Snapshot) -> Iterator[Defect]:
    """What a Service asks for that cannot be meant, or that these manifests do not hold."""
    if service.type != "LoadBalancer" or service.load_balancer_class not in (None, keys.LOAD_BALANCER_CLASS):
        return
    request = request_of(service)
    for one in request.refused:
        problem, _, remedy = one.message.partition("; ")
        yield Defect("metadata.annotations", "", problem, remedy, one.reason, fatal=False)
    known = {*snapshot.eips, *(ref.key.name for ref in snapshot.invalid if ref.kind is Kind.EIP)}
    for name in request.pools:
        if name not in known:
            path = f"metadata.annotations[{keys.EIP_ANNOTATION}]"
            problem, remedy = "is no Eip of these manifests", "write the name of one, or create it"
            yield Defect(path, name, problem, remedy, Reason.EIP_NOT_FOUND, fatal=False)


def _of_policy(snapshot: Snapshot, namespace: str) -> Iterator[tuple[ObjectRef, Defect]]:
    """The defects of a policy stand in its ConfigMap."""
    conf = snapshot.bgp_conf
    if conf is not None and conf.policy is not None:
        ref = ObjectRef(Kind.CONFIG_MAP, Key(namespace, conf.policy))
        yield from ((ref, defect) for defect in policy_defects(snapshot, namespace=namespace))
