"""The values between the responder and those who drive it: what is owned, and what was observed. Pure."""

import enum
from typing import NamedTuple

import msgspec

from openelb_bgp.model.addresses import Address, Family


class Spot(NamedTuple):
    """An address on an interface of this node."""

    address: Address
    interface: str

    @property
    def family(self) -> Family:
        """The address's."""
        return Family.of(self.address)


class Ownership(msgspec.Struct, frozen=True):
    """How an owned address is held: announced again every so many seconds, unasked."""

    garp_interval: float = 30.0


class Conflict(msgspec.Struct, frozen=True):
    """Somebody else said that he has an address which we own, or an address that is asked for here.

    `is_gateway`: it is a default gateway of this node.
    """

    spot: Spot
    mac: bytes
    is_gateway: bool = False


class Handled(enum.StrEnum):
    """What became of a frame that concerned an owned address, beside what `Dropped` says of broken ones."""

    ANSWERED = "answered"
    CONFLICT = "another host says that it has the address"
    NOT_OURS = "not an address of ours"
    WRONG_INTERFACE = "owned on another interface"
    NO_QUESTION = "no question"
    TOO_OLD = "waited longer than 200 ms"
    IN_DOUBT = "ownership is in doubt"
    FROM_US = "from ourselves"
    TO_ANOTHER_HOST = "to another host's MAC"
    BAD_SENDER = "from no MAC or no address of one host"
    NOT_SENT = "the kernel took no answer"
    OVERRUN = "came faster than it was read"


class Holder(enum.Enum):
    """Who answers for an address that nobody here announces yet."""

    NOBODY = "nobody"
    FOREIGN = "another host"
    NODE = "one of our nodes"
    GATEWAY = "the default gateway"


class Probed(msgspec.Struct, frozen=True):
    """What a probe came to; `mac` is the holder's, None for NOBODY."""

    holder: Holder
    mac: bytes | None = None
