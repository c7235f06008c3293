"""Addresses of the LAN watched while something breaks: who answers and from when on, what the clients come to
believe and when, and what becomes of their requests.
"""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from lab.asking import Asker
from lab.lab import Lab
from lab.neighbours import Learning
from lab.steps.lan.look import ASKING_AT
from lab.steps.step import await_value
from lab.traffic import Load, Tally, under_load

RATE = 100.0
"""Requests per second of each client."""
_ASK_EVERY = 0.05


@dataclass(frozen=True, slots=True)
class Taken:
    """A node has an address instead of another, `after` seconds."""

    node: str
    after: float


class Watch:
    """Watches addresses from entering on, and is entered once all clients have reached each of them."""

    def __init__(self, lab: Lab, addresses: Sequence[str], *, rate: float = RATE) -> None:
        self._lab, self._addresses, self._rate = lab, tuple(addresses), rate
        self._stack = ExitStack()
        self._loads: list[Load] = []
        self._learnings: dict[str, Learning] = {}
        self._asker = Asker(lab.space(ASKING_AT), addresses, every=_ASK_EVERY)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for node in self._lab.topology.in_group("client"):
                space = self._lab.space(node.name)
                self._loads.append(stack.enter_context(under_load(space, *self._addresses, rate=self._rate)))
                self._learnings[node.name] = stack.enter_context(Learning(space))
            stack.enter_context(self._asker)
            await_value(
                lambda: [load for load in self._loads if not self._has_reached_all(load)],
                lambda missing: not missing,
                expected="answers to the requests of every client from every address",
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def tally(self) -> Tally:
        """The requests of all clients so far; of those under way nothing is known before the end."""
        return sum((load.tally() for load in self._loads), start=Tally(()))

    def answered(self, since: float, *, not_by: Collection[str] = ()) -> Mapping[str, Taken]:
        """By address: the first answer since that moment by another node than those."""
        found: dict[str, Taken] = {}
        for at, address, node in self._answers(since):
            if node not in not_by:
                found.setdefault(address, Taken(node, at - since))
        return found

    def settled(self, since: float, held: Mapping[str, str]) -> Mapping[str, float]:
        """After how many seconds each address was first answered by the node that has it now."""
        found: dict[str, float] = {}
        for at, address, node in self._answers(since):
            if held.get(address) == node:
                found.setdefault(address, at - since)
        return found

    def await_taken(self, since: float, *, victim: str, within: float = 20.0) -> Mapping[str, Taken]:
        """Wait until each address has been answered by another node since that moment."""
        return await_value(
            lambda: self.answered(since, not_by=(victim,)),
            lambda found: len(found) == len(self._addresses),
            expected=f"another node than {victim} answers for each of {len(self._addresses)} addresses",
            within=within,
        )

    def learned(self, since: float, *, not_of: str) -> Mapping[str, Mapping[str, float]]:
        """By client and address: after how many seconds its kernel sent to another node than that one."""
        found: dict[str, dict[str, float]] = {client: {} for client in self._learnings}
        for client, learning in self._learnings.items():
            for one in learning.learned():
                other = self._lab.node_by_mac.get(one.mac) not in (not_of, None)
                if one.at >= since and one.address in self._addresses and other:
                    found[client].setdefault(one.address, one.at - since)
        return found

    def moves(self, since: float) -> Sequence[tuple[str, Taken]]:
        """Each time since that moment that another node answered for an address than just before."""
        found: list[tuple[str, Taken]] = []
        by: dict[str, str] = {}
        for at, address, node in self._answers(since):
            if by.setdefault(address, node) != node:
                by[address] = node
                found.append((address, Taken(node, at - since)))
        return found

    def two_answered(self, since: float) -> float:
        """The longest time since that moment, seconds, for which two nodes answered for one address.

        One that hands over to another counts for nothing.
        """
        spans: dict[str, dict[str, tuple[float, float]]] = {}
        for at, address, node in self._answers(since):
            by_node = spans.setdefault(address, {})
            by_node[node] = (by_node.get(node, (at, at))[0], at)
        pairs = (pair for by_node in spans.values() for pair in itertools.combinations(by_node.values(), 2))
        return max((0.0, *(min(a[1], b[1]) - max(a[0], b[0]) for a, b in pairs)))

    def stale(self, since: float, *, by: str) -> int:
        """How often since that moment a node answered for what another answers for in the end."""
        answers = list(self._answers(since))
        final = {address: node for _, address, node in answers}
        return sum(node == by != final[address] for _, address, node in answers)

    def _answers(self, since: float) -> Iterator[tuple[float, str, str]]:
        names = self._lab.node_by_mac
        return (
            (one.at, one.address, names.get(one.mac, one.mac))
            for one in self._asker.heard()
            if one.at >= since
        )

    def _has_reached_all(self, load: Load) -> bool:
        answered = {answer.address for answer in load.tally().answers if answer.backend is not None}
        return answered == set(self._addresses)
