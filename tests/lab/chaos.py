"""What may happen in one step of the random walk, and how often each of it does."""

import random
from collections.abc import Mapping

from lab.lab import Lab

from .chaos_deaths import bgpd_dies, controller_dies, gobgpd_dies, sidecar_dies, speaker_dies, speaker_freezes
from .chaos_edits import broken_file, conf, eip, endpoints, node, peer, service
from .chaos_world import Act, Happening, World

ACTS: Mapping[Act, int] = {
    service: 10,
    endpoints: 8,
    eip: 7,
    peer: 5,
    conf: 3,
    node: 6,
    broken_file: 3,
    speaker_dies: 4,
    speaker_freezes: 1,
    gobgpd_dies: 2,
    sidecar_dies: 1,
    controller_dies: 3,
    bgpd_dies: 1,
}


def draw(dice: random.Random, world: World, lab: Lab) -> list[Happening]:
    """Do one to three things at once."""
    acts, weights = zip(*ACTS.items(), strict=True)
    chosen = dice.choices(acts, weights, k=dice.choice((1, 1, 2, 3)))
    if {gobgpd_dies, sidecar_dies}.intersection(chosen):
        # A session that ends while its gobgpd is dead looks like a restart: its routes stay for a minute.
        chosen = [act for act in chosen if act not in (peer, node)]
    found = (act(dice, world, lab) for act in chosen)
    happened = [one for one in found if one is not None]
    if any("kill the" in one.text for one in happened):
        world.mend_all()
    for one in happened:
        one.finish()
    return happened
