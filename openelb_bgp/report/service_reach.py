"""Where one Service is announced: its pools' reach, the nodes that may announce it, and what speakers object.

Speakers do not list the Services that they announce. They report a revision up to which all is applied, and
exceptions; from these and the same eligibility that they use themselves this module derives the rest.
"""

from collections.abc import Mapping, Sequence
from ipaddress import ip_address, ip_network

import msgspec

from openelb_bgp.lib.words import some
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.conditions import Condition
from openelb_bgp.model.meta import EMPTY, Kind
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.services import Service
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import Problem

from .advertised import Advertised, Lines
from .inputs import Given, MayAnnounce, Nodes
from .reach import Reach
from .words import summed_up

# With these a node still announces the Service, only not everything or not to everybody.
_IN_PART = frozenset(
    {
        Reason.NO_ADD_PATH,
        Reason.SEND_MAX_TOO_SMALL,
        Reason.ATTRIBUTE_CONFLICT,
        Reason.AGGREGATE_OUTSIDE_POOL,
        Reason.STAND_IN,
        Reason.ANNOUNCED_UNPROVEN,
        Reason.NO_EFFECT,
        Reason.NOT_HEARD,
        Reason.ANSWERED_BY_NODE,
        Reason.ANSWERED_BY_GATEWAY,
    }
)
_SERVICE = f"{Kind.SERVICE} "
_WAITING = Refused(Reason.WAITING_FOR_SYNC, "the speakers have not applied it yet; this lasts a moment")
# Says the same as _WAITING, and is another object: a speaker that may announce it has only to catch up.
_BEHIND = Refused(_WAITING.reason, _WAITING.message)


class Announced(msgspec.Struct, frozen=True):
    """Whether every address of a Service is announced somewhere; the message names the nodes.

    `behind` says that it only waits for a speaker that may announce it to reach the Service's revision.
    """

    met: bool
    reason: Reason
    message: str
    behind: bool = False


def unallocated(allocated: Condition | None) -> Announced:
    """The answer for a Service of ours without an address: reason and words are those of its Allocated."""
    reason = None if allocated is None else Reason.known(allocated.reason)
    why = f": {allocated.message}" if allocated is not None and allocated.message else ""
    return Announced(False, reason or Reason.WAITING_FOR_SYNC, f"it has no address to announce{why}")


class Heard:
    """What all speakers say in one cycle, indexed once for all Services."""

    def __init__(self, snapshot: Snapshot, reaches: Mapping[str, Reach]) -> None:
        self.reaches = reaches
        self._eips = snapshot.eips
        self._nodes = sorted(snapshot.nodes)
        self.revisions = {
            name: speaker.status.applied_revision for name, speaker in snapshot.speakers.items()
        }
        self._newest = max(self.revisions.values(), default=0)
        self._stood_in_for = frozenset(
            node for speaker in snapshot.speakers.values() for node in speaker.status.standing_in_for
        )
        self._reached = _reached(snapshot.speakers)
        self._owners = _owners(snapshot.speakers)
        self._objections = _objections(snapshot.speakers)
        self._advertised = Advertised(snapshot)
        self._told: dict[tuple[str, frozenset[str], Lines | None], str | Refused] = {}

    @property
    def parts(self) -> tuple[object, ...]:
        """What the answers depend on besides Services and revisions; equal parts, equal answers."""
        return (
            dict(self.reaches),
            {name: (eip.protocol, eip.node_selector) for name, eip in self._eips.items()},
            self._stood_in_for,
            self._owners,
            self._objections,
            *self._advertised.parts,
        )

    def not_shown(self) -> Announced:
        """The answer while the Service's own write is on its way."""
        return Announced(False, _WAITING.reason, _WAITING.message)

    def awaits(self, given: Sequence[Given]) -> bool:
        """Whether no speaker has looked yet at a pool that some of these addresses belong to."""
        return any(one.pool in self.reaches and self.reaches[one.pool].awaited for one in given)

    def announced(
        self, service: Service, given: Sequence[Given], may_announce: MayAnnounce, *, revision: int
    ) -> Announced:
        """The answer for a Service that holds `given`; speakers below `revision` have not seen it."""
        told: list[str] = []
        for one in given:
            said = self._address(service, one, may_announce, revision)
            if isinstance(said, Refused):
                message = said.message if len(given) == 1 else f"{one.address}: {said.message}"
                return Announced(False, said.reason, message, behind=said is _BEHIND)
            told.append(said if len(given) == 1 else f"{one.address} {said}")
        return Announced(True, Reason.ANNOUNCED, "; ".join(told))

    def _address(
        self, service: Service, given: Given, may_announce: MayAnnounce, revision: int
    ) -> str | Refused:
        address, pool = given.address, given.pool
        eip = self._eips.get(pool)
        if eip is None:
            return Refused(
                Reason.POOL_GONE,
                f"Eip {pool} is gone; create it again, or ask for another address",
            )
        if address not in service.addresses:
            return _WAITING
        if eip.protocol is not Protocol.BGP:
            return self._owned(service, address, eip, may_announce)
        if revision > self._newest:
            return self.reaches[pool].refused or _BEHIND
        nodes = may_announce(service, address, eip)
        objections = self._objections_to(service, address)
        # A node that nobody speaks for will never catch up: that is no matter of waiting.
        reached = [self._reached[node] for node in nodes.announcing if node in self._reached]
        if reached and max(reached) < revision:
            return self.reaches[pool].refused or _BEHIND
        if not nodes.announcing:
            return self._no_node(nodes)
        lines = self._advertised.lines(service, address, eip)
        if objections:
            return self._by_bgp(pool, nodes, lines, objections)
        asked = (pool, nodes.announcing, lines)
        if asked not in self._told:
            self._told[asked] = self._by_bgp(pool, nodes, lines, objections)
        return self._told[asked]

    def _objections_to(self, service: Service, address: Address) -> Mapping[str, Problem]:
        """By node, what speakers object to that address of a Service."""
        if not self._objections:
            return EMPTY
        found = self._objections.get(str(service.key), EMPTY)
        # A speaker that announces a part of the addresses begins with the one that it means.
        others = tuple(f"{other}: " for other in service.addresses if other != address)
        return {node: one for node, one in found.items() if not one.message.startswith(others)}

    def _by_bgp(
        self, pool: str, nodes: Nodes, lines: Lines | None, objections: Mapping[str, Problem]
    ) -> str | Refused:
        reach = self.reaches[pool]
        announcing, silent = [], []
        for node in sorted(nodes.announcing):
            refused = _objection(objections.get(node))
            if refused is None and node not in reach.nodes and node not in self._stood_in_for:
                refused = reach.silent.get(node, _NO_SPEAKER)
            if refused is None and lines is not None:
                refused = self._advertised.refusal(lines, node)
            if refused is None:
                announcing.append(node)
            else:
                silent.append((node, refused))
        if not announcing:
            return reach.refused or summed_up(silent, otherwise=_NO_SPEAKER)
        message = f"announced by {some(announcing)}"
        return f"{message}; not by {_without(silent)}" if silent else message

    def _no_node(self, nodes: Nodes) -> Refused:
        refusals = [(node, refused) for node in self._nodes if (refused := nodes.refusal(node)) is not None]
        different = {refused for _, refused in refusals}
        if len(different) == 1:
            return different.pop()
        nobody = Refused(Reason.NO_ELIGIBLE_NODE, "no Node is known; register one")
        summary = summed_up(refusals, otherwise=nobody)
        return Refused(Reason.NO_ELIGIBLE_NODE, summary.message)

    def _owned(
        self, service: Service, address: Address, eip: Eip, may_announce: MayAnnounce
    ) -> str | Refused:
        owners = self._owners.get(str(address), ())
        objections = self._objections_to(service, address)
        if owners:
            by = "announced by " + ", ".join(f"{node} ({mac})" for node, mac in owners)
            said = dict.fromkeys(objections[node].message for node in sorted(objections))
            return "; ".join((by, *said))
        nodes = may_announce(service, address, eip)
        if not nodes.announcing:
            return self._no_node(nodes)
        refused = [(node, one) for node in sorted(objections) if (one := _objection(objections[node]))]
        return self.reaches[eip.name].refused or summed_up(refused, otherwise=_WAITING)


_NO_SPEAKER = Refused(Reason.NO_SPEAKER, "no speaker reports; start one on this node")


def _without(silent: Sequence[tuple[str, Refused]]) -> str:
    return some([f"{node} ({refused.reason})" for node, refused in silent])


def _objection(problem: Problem | None) -> Refused | None:
    reason = None if problem is None else Reason.known(problem.reason)
    if problem is None or reason is None or reason in _IN_PART:
        return None
    return Refused(reason, problem.message)


def _objections(speakers: Mapping[str, Speaker]) -> dict[str, dict[str, Problem]]:
    found: dict[str, dict[str, Problem]] = {}
    for name in sorted(speakers):
        for problem in speakers[name].status.problems:
            if problem.object.startswith(_SERVICE):
                found.setdefault(problem.object.removeprefix(_SERVICE), {})[name] = problem
    return found


def _reached(speakers: Mapping[str, Speaker]) -> dict[str, int]:
    """The revision up to which a node is announced, by its own speaker or by one that stands in for it."""
    found: dict[str, int] = {}
    for name, speaker in speakers.items():
        for node in (name, *speaker.status.standing_in_for):
            found[node] = max(found.get(node, 0), speaker.status.applied_revision)
    return found


def _owners(speakers: Mapping[str, Speaker]) -> dict[str, tuple[tuple[str, str], ...]]:
    found: dict[str, tuple[tuple[str, str], ...]] = {}
    # A dead node's report stands for a while: whoever came after it is named alone.
    for name in sorted(speakers, key=lambda one: (not speakers[one].ready, one)):
        status = speakers[name].status
        macs = {nic.name: nic.mac for nic in status.interfaces}
        for one in status.layer2.owned:
            if speakers[name].ready or one.address not in found:
                by = (name, macs.get(one.interface, one.interface))
                found[one.address] = (*found.get(one.address, ()), by)
        for address in status.vip.master:
            found[address] = (*found.get(address, ()), (name, _mac(speakers[name], address)))
    return found


def _mac(speaker: Speaker, address: str) -> str:
    wanted = ip_address(address)
    nics = speaker.status.interfaces
    return next(
        (nic.mac for nic in nics if any(wanted in ip_network(subnet) for subnet in nic.subnets)),
        "no interface with its subnet",
    )
