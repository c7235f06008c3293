"""Many latencies in few figures."""

import statistics
from collections.abc import Sequence

SHOWN = (50, 95, 99)


def percentile(seconds: Sequence[float], percent: int) -> float:
    """In milliseconds."""
    return 1000 * statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1]
