"""What people see of layer2 as a whole: every address, who answers for it, and who would come next.

Pure. Who answers, Speakers report; who could, follows from the objects and from the interfaces that Speakers
report. Only the speakers themselves know who is alive.
"""

from collections.abc import Collection, Iterable
from ipaddress import ip_network

import msgspec

from openelb_bgp.eligibility import Eligibility
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import Kind
from openelb_bgp.model.pools import Eip
from openelb_bgp.model.reasons import Reason, Refused
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker
from openelb_bgp.model.statuses import Problem

from .claims import Claim, ClaimBook, read_claims
from .ranks import ordered


class Row(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One address. `owner` names more than one node for a split brain.

    `candidates` are those who could answer: the one that its Service prefers, then by rank. `not_candidates`
    says of every other node why it could not. `problems` is what speakers say of it.
    """

    address: str
    services: tuple[str, ...]
    pool: str
    owner: tuple[str, ...] = ()
    since: str = ""
    interface: str = ""
    candidates: tuple[str, ...] = ()
    not_candidates: dict[str, str] = {}
    problems: tuple[str, ...] = ()


def rows(snapshot: Snapshot, *, ignore_exclude_label: bool = False) -> list[Row]:
    """Every address of the layer2 pools, in order."""
    book = read_claims(snapshot, ClaimBook())
    eligibility = Eligibility.of(snapshot, ignore_exclude_label=ignore_exclude_label)
    owners: dict[str, list[tuple[str, str, str]]] = {}
    for name, speaker in sorted(snapshot.speakers.items()):
        for one in speaker.status.layer2.owned:
            owners.setdefault(one.address, []).append((name, one.interface, one.since))
    said = _said(snapshot.speakers.values())
    return [
        _row(address, book, snapshot, eligibility, owners.get(str(address), []), said)
        for address in sorted(book.by_address, key=lambda one: (one.version, int(one)))
    ]


def _row(
    address: Address,
    book: ClaimBook,
    snapshot: Snapshot,
    eligibility: Eligibility,
    owners: list[tuple[str, str, str]],
    said: dict[str, list[Problem]],
) -> Row:
    claims = book.by_address[address]
    pool = book.pools[claims[0].pool_name]
    refused = {
        node: why
        for node in snapshot.nodes
        if (why := _refusal(node, address, claims, pool, snapshot, eligibility)) is not None
    }
    services = tuple(str(one.service) for one in claims)
    problems = [one.message for name in services for one in said.get(f"{Kind.SERVICE} {name}", ())]
    return Row(
        address=str(address),
        services=services,
        pool=pool.name,
        owner=tuple(dict.fromkeys(name for name, _, _ in owners)),
        since=max((since for _, _, since in owners), default=""),
        interface=",".join(sorted({interface for _, interface, _ in owners})),
        candidates=_in_order(snapshot.nodes.keys() - refused.keys(), address, claims),
        not_candidates={node: f"{refused[node].reason}: {refused[node].message}" for node in sorted(refused)},
        problems=tuple(dict.fromkeys(problems)),
    )


def _in_order(nodes: Collection[str], address: Address, claims: Iterable[Claim]) -> tuple[str, ...]:
    """As owners are chosen."""
    preferred = next((one.preferred for one in claims if one.preferred), "")
    return tuple(sorted(ordered(nodes, address), key=lambda node: node != preferred))


def _refusal(
    node: str,
    address: Address,
    claims: tuple[Claim, ...],
    pool: Eip,
    snapshot: Snapshot,
    eligibility: Eligibility,
) -> Refused | None:
    for one in claims:
        candidates = eligibility.candidates_of(one.endpoints, local=one.local, selector=pool.node_selector)
        if (refused := candidates.refusal(node)) is not None:
            return refused
    speaker = snapshot.speakers.get(node)
    if speaker is None or not speaker.ready:
        return Refused(Reason.NO_SPEAKER, "no speaker reports that is ready; start one on this node")
    if not pool.layer2.any_subnet and not _has_subnet(speaker, address):
        return Refused(Reason.NO_SUBNET, "none of its interfaces that are up has a subnet with the address")
    state = next((one for one in speaker.status.pools if one.name == pool.name), None)
    if state is not None and not state.ready and (reason := Reason.known(state.reason)) is not None:
        return Refused(reason, f"see the problems of Speaker {node}")
    return None


def _has_subnet(speaker: Speaker, address: Address) -> bool:
    return any(
        address in ip_network(text) for nic in speaker.status.interfaces if nic.up for text in nic.subnets
    )


def _said(speakers: Iterable[Speaker]) -> dict[str, list[Problem]]:
    found: dict[str, list[Problem]] = {}
    for speaker in speakers:
        for problem in speaker.status.problems:
            found.setdefault(problem.object, []).append(problem)
    return found
