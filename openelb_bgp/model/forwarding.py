"""Whether this node's data plane has been seen working since it booted: what was asked, and what follows.

Values only. `host` asks the health checks, the module `forwarding` concludes. Instants are seconds on the
observer's monotonic clock.
"""

from collections.abc import Mapping

import msgspec

from .meta import EMPTY, Key, ObjectRef
from .reasons import Refused


class CheckFact(msgspec.Struct, frozen=True, kw_only=True):
    """One health check of this node.

    `since` is when it was first asked on this boot, `passed` when it answered 200, or counted as if it had;
    None for not yet. `answer` is in words what it said last, empty before the first answer; `nobody`: that
    nobody listens there.
    """

    port: int
    since: float
    passed: float | None = None
    answer: str = ""
    nobody: bool = False


class HealthFact(msgspec.Struct, frozen=True, kw_only=True):
    """What the health checks of this node have answered on this boot.

    `node` is kube-proxy's own. `services` are those of Services that have not passed yet, and no others.
    `began` is when this process first asked, `booted` when the machine booted. `heard` says that each check
    that was asked at first has given an answer, whichever.
    """

    node: CheckFact
    services: Mapping[Key, CheckFact] = EMPTY
    began: float
    booted: float
    heard: bool = False


class Forwarding(msgspec.Struct, frozen=True, kw_only=True):
    """What follows for announcing. Without a cluster everything counts as proven.

    `known` False: the first answers have not come, and nothing must be decided on them. `refused` says why
    the node announces nothing at all yet, `services` why one of its own Local Services is not announced here
    yet. `unproven` says of what is announced all the same why nothing has proved it. `deadline` is when time
    alone changes this.
    """

    known: bool = True
    refused: Refused | None = None
    services: Mapping[Key, Refused] = EMPTY
    unproven: Mapping[ObjectRef, Refused] = EMPTY
    deadline: float | None = None
