"""Who is alive, as this node sees it: the other speakers' interfaces, and its own in the others' eyes.

Values only; `membership` finds them out by heartbeats. All instants are seconds on the observer's monotonic
clock. What others say of themselves (interfaces, leaving, stable) all observers hear alike, so that decisions
made of it agree; what an observer noticed itself (`since`) may differ by the time that news takes.
"""

from collections.abc import Mapping

import msgspec

from .addresses import Address, Interface
from .meta import EMPTY


class MemberInterface(msgspec.Struct, frozen=True, kw_only=True):
    """An interface that serves a pool.

    `alive` says that the majority of those who watch it get answers there; False also where this node has
    nothing on that LAN, and so cannot tell. `since` is when this observer found it so. `stable_since` is from
    when on its node has served there without a break of its own (a start, a pause, a link that went, being
    the smaller part of a partition); None while it does not. Every observer is told the same.
    """

    name: str
    mac: str = ""
    addresses: tuple[Interface, ...] = ()
    alive: bool = False
    since: float = 0.0
    stable_since: float | None = None

    def on_link(self, address: Address) -> bool:
        """Whether the address lies in a subnet of this interface."""
        return any(one.version == address.version and address in one.network for one in self.addresses)


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """Another node's speaker, as far as it has been heard of.

    `leaving`: it has said goodbye and hands over. `void`: it says that it owns nothing for now, because it
    has just started. `instance` is another after each restart.
    """

    node: str
    interfaces: Mapping[str, MemberInterface] = EMPTY
    leaving: bool = False
    void: bool = False
    instance: int = 0


class Members(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody that this node has heard of, and itself.

    `void` means "own nothing": no whole round has been heard since the start, since the process was found to
    have been paused, or since there is a key. A node that is alone is void until it has waited for an answer
    as long as for a dead member's. `since` is when that last changed. `own` holds this node's interfaces on
    which heartbeats run; one that is not `alive` there is given up by the others, and must serve nothing.
    """

    void: bool = True
    since: float = 0.0
    others: Mapping[str, Member] = EMPTY
    own: Mapping[str, MemberInterface] = EMPTY
    leaving: bool = False
