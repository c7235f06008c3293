"""`openelb-bgp` with one ear more: notes the instant at which a batch with Services leaves the source.

`python -m bench.stamped run …` is the program itself; the notes go to the file that BENCH_STAMPS names.
"""

import json
import os
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from openelb_bgp.cli.main import main
from openelb_bgp.files.source import FilesSource
from openelb_bgp.model.services import Service
from openelb_bgp.origin import folder
from openelb_bgp.ports import Changed, Delivery, Listed


class StampedSource(FilesSource):
    """A FilesSource whose deliveries are noted."""

    async def deliveries(self) -> AsyncGenerator[Sequence[Delivery], None]:
        """As FilesSource."""
        async for batch in super().deliveries():
            now = time.monotonic()
            if services := sum(map(_services, batch)):
                _note({"at": now, "services": services})
            yield batch


def _note(stamp: dict[str, float]) -> None:
    with Path(os.environ["BENCH_STAMPS"]).open("a") as file:
        file.write(json.dumps(stamp) + "\n")


def _services(delivery: Delivery) -> int:
    match delivery:
        case Changed(resource):
            return isinstance(resource, Service)
        case Listed(resources=resources):
            return sum(isinstance(one, Service) for one in resources)
    return 0


if __name__ == "__main__":
    vars(folder)[FilesSource.__name__] = StampedSource
    main()
