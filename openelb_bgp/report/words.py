"""Nodes and their refusals in words, short enough for a condition on a cluster of a thousand nodes."""

from collections import Counter
from collections.abc import Iterable, Sequence

from openelb_bgp.lib.words import MOST_NAMED, some
from openelb_bgp.model.reasons import Reason, Refused

REFUSALS_SHOWN = 5


def counted(names: Sequence[str]) -> str:
    """A count and at most five names: `3 nodes: n1, n2, n3`; empty for none."""
    if not names:
        return ""
    dots = ", …" if len(names) > MOST_NAMED else ""
    return f"{len(names)} node{'s'[: len(names) > 1]}: {', '.join(names[:MOST_NAMED])}{dots}"


def summed_up(refusals: Iterable[tuple[str, Refused]], *, otherwise: Refused) -> Refused:
    """Many nodes' refusals as one: the most frequent reason, and each refusal with its nodes.

    `refusals` are pairs of node and refusal in the order of nodes; where there are none, `otherwise`. At most
    five different refusals are spelt out.
    """
    groups: dict[Refused, list[str]] = {}
    for node, refused in refusals:
        groups.setdefault(refused, []).append(node)
    if not groups:
        return otherwise
    nodes_by_reason: Counter[Reason] = Counter()
    for refused, nodes in groups.items():
        nodes_by_reason[refused.reason] += len(nodes)
    ordered = sorted(groups.items(), key=lambda group: (-len(group[1]), group[1]))
    parts = [f"{some(nodes)}: {refused.message}" for refused, nodes in ordered[:REFUSALS_SHOWN]]
    untold = sum(len(nodes) for _, nodes in ordered[REFUSALS_SHOWN:])
    if untold:
        parts.append(f"and {untold} more nodes")
    return Refused(nodes_by_reason.most_common(1)[0][0], "; ".join(parts))
