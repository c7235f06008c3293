"""Announcers, found by their entry point: bgp, layer2, vip, or a third party's.

A mode that is off, or of which no pool exists, is not imported. An entry point `openelb_bgp.announcers`
names a function that takes a `Workplace` and returns an Announcer.
"""

from collections.abc import Callable
from importlib.metadata import entry_points

import msgspec

from openelb_bgp.ports import Announcer, Clock
from openelb_bgp.settings import SpeakerSettings

GROUP = "openelb_bgp.announcers"


class Workplace(msgspec.Struct, frozen=True):
    """What an announcer is given: the speaker's settings, the clock, and how to ask for a cycle."""

    settings: SpeakerSettings
    clock: Clock
    wake: Callable[[], None]


def announcer(protocol: str, workplace: Workplace) -> Announcer:
    """The announcer of a protocol. Raises LookupError when none is installed."""
    for entry in entry_points(group=GROUP, name=protocol):
        made: Announcer = entry.load()(workplace)
        return made
    raise LookupError(f"no announcer is installed for protocol {protocol}")
