"""What is known of a field of ours besides its type: told to the CRDs, the reference, and the decoder.

Everything that a reader needs stands at the field itself; `doc` puts it into msgspec's `Meta`. What a field
does not say it has from the field that it is in.
"""

import enum
from typing import Any

from msgspec import Meta


class Edit(enum.StrEnum):
    """What an edit of a field in use does to BGP sessions and to what is announced; sentences for readers.

    Of a new session the routes stay where the router does graceful restart, because the connection is ended
    without a word (`bgp/diff.py`, `SessionEffect`).
    """

    NOTHING = "Nothing."
    GIVEN_LATER = "Sessions and live addresses stay; it counts for addresses that are given from then on."
    ROUTES = "Sessions stay; routes are advertised, changed or withdrawn within them."
    PROTOCOL = "Sessions stay; one mode withdraws the pool's addresses, and the other announces them."
    ANNOUNCERS = (
        "Sessions stay; nodes that are no longer chosen withdraw or hand over, others begin to announce."
    )
    OWNERS = "No BGP session is concerned; addresses may move to another node or NIC."
    ANNOUNCEMENTS = "No BGP session is concerned, and no address moves."
    VIRTUAL_ROUTERS = "No BGP session is concerned; keepalived reloads, and addresses may have a new master."
    VRRP_TIMING = "No BGP session is concerned; keepalived reloads, and masters may change once."
    DRAIN = "Sessions stay; a node that drains is treated by it from then on."
    NEXT_SESSION = "The session stays; it is in force from the next one on."
    NEW_SESSION = "The session is made anew; a router that does graceful restart keeps the routes meanwhile."
    BFD = (
        "Switched on: the session stays. Changed or switched off: it is made anew, as the router would take "
        "an end of BFD for a dead node."
    )
    GOODBYE = "Set: the session ends, and its routes go. Taken back: it comes up again."
    OTHER_NEIGHBOUR = "The session with the former neighbour ends, and its routes go; another one begins."
    NODES = "Nodes that are no longer chosen end their session, and their routes go; the others' stay."
    GOBGPD = "gobgpd is restarted: every session is made anew; routers that do graceful restart keep routes."


class Mode(enum.StrEnum):
    """How addresses are announced; a field counts in some modes."""

    BGP = "bgp"
    LAYER2 = "layer2"
    VIP = "vip"


ALL_MODES = (Mode.BGP, Mode.LAYER2, Mode.VIP)


def doc(
    description: str,
    *,
    vital: bool = False,
    secret: bool = False,
    required: bool = False,
    ours: bool = False,
    remedy: str = "",
    default: str = "",
    example: Any = None,
    modes: tuple[Mode, ...] = (),
    edit: Edit | None = None,
) -> Meta:
    """A field's description and what else is to know of it (see the package).

    `default` says what counts where the field is absent, `example` is a value as YAML would give it, `edit`
    what a change does. A struct's example is made of its fields'.
    """
    said = {
        "vital": vital,
        "secret": secret,
        "required": required,
        "ours": ours,
        "remedy": remedy,
        "default": default,
        "modes": modes,
        "edit": edit,
    }
    extra = {name: value for name, value in said.items() if value}
    return Meta(description=description, extra=extra if example is None else {**extra, "example": example})
