"""Who is alive on a LAN, out of what everybody there sees of those whom they watch. Pure.

A watcher counts if it is itself reached: by whom we hear answering, or by whom such a one hears, and so on.
So in a partition each side believes its own only, and a node that hears nobody is alone. Of those that count
the majority decides about each; nobody is alive whom nobody hears.
"""

from collections.abc import Collection, Mapping

Opinions = Mapping[int, Mapping[int, bool]]
"""By watcher, then by whom it watches: whether that one answers. Both as `messages.subject_id`."""

_ROUNDS = 4


def alive_from(start: int, opinions: Opinions, *, voices: Collection[int]) -> frozenset[int]:
    """Who is alive, seen from `start`; without `start` itself where the others have given it up.

    Only `voices` may say that somebody is dead: one that has just come back has not had the time to look.
    """
    outvoted: frozenset[int] = frozenset()
    reached: set[int] = set()
    # Whoever is voted out neither counts nor vouches for others. That settles after a round or two.
    for _ in range(_ROUNDS):
        reached = _reached(start, opinions, outvoted)
        found = _outvoted(reached, opinions, voices)
        if found == outvoted:
            break
        outvoted = found
    return frozenset(reached) - outvoted


def _reached(start: int, opinions: Opinions, without: Collection[int]) -> set[int]:
    reached, edge = {start}, [start]
    while edge:
        for subject, answers in opinions.get(edge.pop(), {}).items():
            if answers and subject not in reached and subject not in without:
                reached.add(subject)
                edge.append(subject)
    return reached


def _outvoted(reached: Collection[int], opinions: Opinions, voices: Collection[int]) -> frozenset[int]:
    balance: dict[int, int] = {}
    for watcher in reached:
        has_voice = watcher in voices
        for subject, answers in opinions.get(watcher, {}).items():
            if answers:
                balance[subject] = balance.get(subject, 0) + 1
            elif has_voice:
                balance[subject] = balance.get(subject, 0) - 1
    return frozenset(subject for subject, sum_of_votes in balance.items() if sum_of_votes < 0)
