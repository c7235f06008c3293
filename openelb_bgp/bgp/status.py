"""What the announcer says of its gobgpd and of what that refused, as Problems and refusals with remedies.

Pure. Sessions are told by `session_reports`, pools and Services by the plan.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from openelb_bgp.model.keys import BGP_CONF_NAME
from openelb_bgp.model.meta import Kind, ObjectRef, ref
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.statuses import GobgpStatus, Problem

from .execute import Failure
from .gobgp.errors import GobgpError, SidecarUnavailable, UnknownApi
from .gobgp.features import Features
from .model import GlobalConf
from .planned import BgpPlan

_CVES = "CVE-2025-43972, CVE-2026-30405, CVE-2026-41642, CVE-2026-41643 and CVE-2026-42285"
_SAFE_SINCE = "4.5"
GOBGPD = "gobgpd"
"""The object of problems that are gobgpd's as a whole."""
_CONF = str(ref(Kind.BGP_CONF, BGP_CONF_NAME))


def gobgp_status(features: Features | None, running: GlobalConf | None) -> GobgpStatus:
    """Which gobgpd it is and what it is started as; empty while there is none."""
    if features is None:
        return GobgpStatus()
    return GobgpStatus(
        version=version_of(features),
        asn=0 if running is None else running.asn,
        router_id="" if running is None else running.router_id,
    )


def version_of(features: Features) -> str:
    """Its version as far as it is known: the API tells only the major one."""
    return f"{features.major}.x" if features.version is None else ".".join(map(str, features.version))


def daemon_problems(features: Features | None, error: GobgpError | None) -> Iterator[Problem]:
    """What is wrong with gobgpd itself."""
    if error is not None:
        yield Problem(object=GOBGPD, reason=down_for(error), message=_with_remedy(error))
    elif features is not None and _is_outdated(features):
        yield Problem(
            object=GOBGPD,
            reason=Reason.SIDECAR_OUTDATED,
            message=f"gobgpd {version_of(features)} can be crashed from outside ({_CVES}): "
            f"update it to {_SAFE_SINCE} or later",
        )


def down_for(error: GobgpError) -> Reason:
    """Why nothing can be announced while gobgpd is like that."""
    return Reason.SIDECAR_UNKNOWN_API if isinstance(error, UnknownApi) else Reason.SIDECAR_DOWN


class Obstacles(msgspec.Struct, frozen=True, kw_only=True):
    """What kept a cycle from putting all of its plan in effect.

    `failures` is what gobgpd refused. `in_use` says of a neighbour's address why it is left to another.
    `holder` is who listens on our `port`. `unchanged` is why the global part is not what BgpConf says.
    """

    failures: tuple[Failure, ...] = ()
    in_use: Mapping[str, str] = {}
    port: int = 0
    holder: str = ""
    unchanged: str = ""

    def __bool__(self) -> bool:
        return self != Obstacles()

    def problems(self) -> Iterator[Problem]:
        """For the Speaker's status."""
        if self.unchanged:
            yield Problem(object=_CONF, reason=Reason.REJECTED_BY_GOBGP, message=self.unchanged)
        for one in self.failures:
            if is_port_taken(one):
                yield Problem(object=one.subject, reason=Reason.LISTEN_PORT_TAKEN, message=self._taken())
            else:
                yield Problem(object=one.subject, reason=Reason.REJECTED_BY_GOBGP, message=one.message)

    def left_out(self, plan: BgpPlan) -> dict[ObjectRef, Refused]:
        """The objects of the plan that are not in effect."""
        return {**_refused_peers(self.in_use, plan), **_refused_services(self.failures, plan)}

    def _taken(self) -> str:
        return (
            f"port {self.port} of this node is taken by {self.holder or 'a process that cannot be seen'}: "
            "end it, or set spec.listenPort of the BgpConf to a free one"
        )


def is_port_taken(failure: Failure) -> bool:
    """Whether gobgpd could not listen (Linux, EADDRINUSE)."""
    return "address already in use" in failure.message


def _refused_services(failures: Iterable[Failure], plan: BgpPlan) -> dict[ObjectRef, Refused]:
    """The Services whose paths gobgpd refused."""
    prefixes = {one.key.prefix: one.message for one in failures if one.key is not None}
    book = None if plan.memory is None else plan.memory.book
    if not prefixes or book is None:
        return {}
    owners = book.owners()
    return {
        ref(Kind.SERVICE, key.name, namespace=key.namespace): Refused(Reason.REJECTED_BY_GOBGP, message)
        for prefix, message in prefixes.items()
        for key in owners.get(prefix, ())
    }


def _refused_peers(in_use: Mapping[str, str], plan: BgpPlan) -> dict[ObjectRef, Refused]:
    """The peers left to somebody else on this node."""
    return {
        ref(Kind.BGP_PEER, plan.peers[address].name): Refused(Reason.PEER_IN_USE_BY_OTHER, why)
        for address, why in sorted(in_use.items())
        if address in plan.peers
    }


def _is_outdated(features: Features) -> bool:
    # Of 4.x without an exact version nothing can be said.
    known = features.version is not None or features.major < 4
    return known and not features.safe_for_strangers


def _with_remedy(error: GobgpError) -> str:
    if isinstance(error, SidecarUnavailable):
        return f"{error}; see the sidecar's log, and that --runtime-dir is the one it was started with"
    return str(error)
