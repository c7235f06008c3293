"""The labs that can be toured, by name: the topology, the objects beside its own, and the steps.

A new lab is an entry here, a topology in `manifests/lab/`, and its steps in `steps/`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from lab.errors import LabError
from lab.lab import KUBERNETES, TOPOLOGIES, Lab
from lab.steps import CLUSTER_TOUR, TOUR, Step
from lab.steps.lan.cluster import LAYER2_CLUSTER_TOUR, VIP_CLUSTER_TOUR
from lab.steps.lan.layer2 import LAYER2_TOUR, who_holds_what
from lab.steps.lan.vip import VIP_TOUR, masters_spread
from lab.steps.step import await_sessions


@dataclass(frozen=True, slots=True)
class Tour:
    """A lab that can be toured. `ready` returns once a lab that was just started does what it should."""

    name: str
    topology: Path
    steps: tuple[Step, ...]
    ready: Callable[[Lab], object]
    in_cluster: tuple[Step, ...] = ()
    """The steps in cluster mode, where they are others."""
    more: tuple[Path, ...] = ()
    """Folders of manifests beside the topology's own."""
    service: str = "default/web"
    """One that the tour is about: what to try next is told with its address."""

    def steps_in(self, mode: str) -> tuple[Step, ...]:
        """The steps in one of the two modes."""
        return (mode == KUBERNETES and self.in_cluster) or self.steps


_LAN = TOPOLOGIES / "layer2.clab.yml"
_ALL = (
    Tour("ecmp", TOPOLOGIES / "ecmp.clab.yml", TOUR, await_sessions, in_cluster=CLUSTER_TOUR),
    Tour("layer2", _LAN, LAYER2_TOUR, who_holds_what, in_cluster=LAYER2_CLUSTER_TOUR),
    Tour(
        *("vip", _LAN, VIP_TOUR, masters_spread),
        in_cluster=VIP_CLUSTER_TOUR,
        more=(TOPOLOGIES / "vip",),
        service="default/vip-shop",
    ),
)
TOURS: Mapping[str, Tour] = {tour.name: tour for tour in _ALL}


def tour_named(name: str) -> Tour:
    """The tour of that name, or that of the ECMP lab on a topology file of one's own. Raises LabError."""
    if name in TOURS:
        return TOURS[name]
    if Path(name).is_file():
        return replace(TOURS["ecmp"], name="", topology=Path(name))
    raise LabError(f"there is no lab {name!r}; known: {', '.join(sorted(TOURS))}")
