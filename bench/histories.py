"""Thousands of random histories of simulated LANs: does each address end with one owner, as is promised?

`python -m bench.histories [--nodes 2 3 …] [--seeds 1000] [--first 0] [--faults 12]`. Faults are of all kinds
(`tests.simulated_histories`); the decisions are the real ones of membership and of layer2. The seed of a
history that breaks the promise is printed, with what was wrong; the last line of a size sums up.
"""

import argparse
from collections import Counter
from collections.abc import Sequence

from tests.simulated_histories import FAULTS, WITH_SUSPENSIONS, Fault, end_with_one_owner

_PASSING = 1.0
"""Seconds within which an address goes from one living node to another."""


def histories(count: int, seeds: range, *, faults: int, kinds: Sequence[Fault]) -> int:
    """Live through them all, and say how many broke the promise."""
    seen: Counter[str] = Counter()
    broken = 0
    for seed in seeds:
        try:
            end_with_one_owner(seed, count=count, faults=faults, kinds=kinds, seen=seen, passing=_PASSING)
        except AssertionError as error:
            broken += 1
            print(f"{count} nodes, seed {seed}: {error}", flush=True)
    what = ", ".join(f"{number} {name}" for name, number in sorted(seen.items()))
    print(
        f"{count} nodes: {len(seeds)} histories, {broken} broken; {seen.total()} faults: {what}", flush=True
    )
    return broken


def main() -> None:
    """Live through the histories of each size; fails if any breaks the promise."""
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--nodes", type=int, nargs="+", default=[2, 3, 4, 5, 6, 7, 8], help="sizes of the LAN"
    )
    parser.add_argument("--seeds", type=int, default=1000, help="histories of each size")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first")
    parser.add_argument("--faults", type=int, default=12, help="in each history")
    parser.add_argument(
        "--suspend", action="store_true", help="with suspended machines whose clocks stand still"
    )
    given = parser.parse_args()
    kinds = WITH_SUSPENSIONS if given.suspend else FAULTS
    seeds = range(given.first, given.first + given.seeds)
    broken = sum(histories(count, seeds, faults=given.faults, kinds=kinds) for count in given.nodes)
    raise SystemExit(1 if broken else 0)


if __name__ == "__main__":
    main()
