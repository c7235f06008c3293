"""What a plan of layer2 is: who answers for each address, what this node holds, and why not more.

Values only, and what a plan remembers for the next one. How it is made is in `plan` and the modules beside
it.
"""

from collections.abc import Mapping

import msgspec

from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import EMPTY, Key, ObjectRef
from openelb_bgp.model.reasons import Refused
from openelb_bgp.model.statuses import PoolStatus, Problem

from .owned import Ownership, Spot


class PlanOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How this process was started, as far as plans depend on it: `--ignore-exclude-lb`."""

    ignore_exclude_label: bool = False


DEFAULT_OPTIONS = PlanOptions()


class Contest(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes among which owners are chosen; addresses with the same ones share it.

    `able` can answer. `settled` are those of them that may take an address from others: they have served for
    a while, or began with the one that has served longest. `until` is when the next one is settled.
    """

    able: frozenset[str]
    settled: frozenset[str]
    until: float | None = None


NOBODY = Contest(able=frozenset(), settled=frozenset())


class Placement(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who answers for one address.

    `owner` is a node's name, empty for nobody. `since` is when this node saw it become the owner, `moves`
    when it went from one living owner to another or to a dead one's heir, the newest last (monotonic);
    moves older than what counts are left out. `before` is the owner that it came from last, empty for none,
    and `why` the reason. It was chosen from `among`; `pinned`: because its Service asks for it. `refused`
    is why this node does not answer for it. `heir` would own it, had it not moved so often; empty where it
    may move. `awaited` is since when this node, which is the heir, leaves it to the owner; the owner has to
    be heard answering meanwhile.
    """

    address: Address
    pool: str
    services: tuple[Key, ...]
    owner: str = ""
    since: float = 0.0
    moves: tuple[float, ...] = ()
    before: str = ""
    why: Refused | None = None
    among: Contest = NOBODY
    pinned: bool = False
    refused: Refused | None = None
    heir: str = ""
    awaited: float | None = None


class Layer2Plan(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers for which address, and what this node is to hold.

    `complete` False says that something which decides has not been seen yet: what is held stays. `held` is
    what this node answers for, address by interface; `first` are those of them that nobody has ever been seen
    to announce: they are probed before. `left_out` says of a Service or Eip why this node does not announce
    it, or not wholly. `awaited` are the addresses that their owners have to be heard answering for.
    `heartbeats` are the interfaces on which it must be known who is alive. `deadline` is
    when time alone changes the plan (monotonic).
    """

    node: str
    complete: bool = True
    placements: Mapping[Address, Placement] = EMPTY
    held: Mapping[Spot, Ownership] = EMPTY
    first: frozenset[Spot] = frozenset()
    pools: tuple[PoolStatus, ...] = ()
    left_out: Mapping[ObjectRef, Refused] = EMPTY
    problems: tuple[Problem, ...] = ()
    awaited: frozenset[Address] = frozenset()
    heartbeats: frozenset[str] = frozenset()
    deadline: float | None = None
    draining: bool = False
