"""When a namespace gets an address that it had not, as its kernel tells. Source: linux/if_addr.h."""

from ipaddress import ip_address

from lab.namespaces import Namespace
from lab.rtnetlink import Follower, Listener, attributes, messages

_RTMGRP_IPV4_IFADDR = 0x10
_NEW_ADDRESS = 20
_IFA_LOCAL = 2
_IFADDRMSG_BYTES = 8


class Gained(Follower):
    """Follows a namespace's IPv4 addresses while it is entered."""

    def __init__(self, space: Namespace) -> None:
        super().__init__(Listener(space, groups=_RTMGRP_IPV4_IFADDR, take=self._note))
        self._found: list[tuple[str, float]] = []

    def gained(self) -> tuple[tuple[str, float], ...]:
        """Each address that came so far, and when (monotonic clock, seconds), in their order."""
        return tuple(self._found)

    def _note(self, data: bytes, now: float) -> None:
        for kind, start, end in messages(data):
            if kind == _NEW_ADDRESS:
                local = dict(attributes(data, start + _IFADDRMSG_BYTES, end)).get(_IFA_LOCAL)
                if local is not None:
                    self._found.append((str(ip_address(local)), now))
