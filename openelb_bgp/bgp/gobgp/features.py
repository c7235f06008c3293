"""What the gobgpd in use can do, as far as its version tells.

The gRPC API says 3.x or 4.x and no more: the exact version is asked of the binary (`gobgpd --version`, by
the sidecar) and handed in. Unknown, it counts as the oldest of its API, so that nothing is asked in vain.
Sources: GoBGP's own code of the versions named, and the daemon tests.
"""

import re

import msgspec

from openelb_bgp.bgp.gobgp.errors import Unsupported

Version = tuple[int, int, int]

_VERSION = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


def parse_version(text: str) -> Version | None:
    """The version in what `gobgpd --version` prints (`gobgpd version 4.8.0`), or None."""
    if not (match := _VERSION.search(text)):
        return None
    major, minor, patch = match.groups(default="0")
    return int(major), int(minor), int(patch)


class Features(msgspec.Struct, frozen=True, kw_only=True):
    """One gobgpd's abilities.

    `major` is the API's. `version` is the binary's where known, else None. The others:
    `bfd` single-hop BFD, from 4.5; `send_max_enforced` add-path's send_max is obeyed, from 3.26;
    `rich_policies` conditions on origin and community count, actions on origin and peer-address, from 3.28;
    `replaces_defined_sets` AddDefinedSet takes `replace`, from 3.21; `fills_in_updates` UpdatePeer applies
    the defaults that AddPeer applies, from 3.15; `withdraws_on_soft_out` a soft reset OUT withdraws what
    the export policy newly rejects, from 4.6; `safe_for_strangers` the remote crashes known below 4.5 are
    fixed (CVE-2025-43972, CVE-2026-41642, CVE-2026-41643, CVE-2026-42285, CVE-2026-30405).
    """

    major: int
    version: Version | None
    bfd: bool
    send_max_enforced: bool
    rich_policies: bool
    replaces_defined_sets: bool
    fills_in_updates: bool
    withdraws_on_soft_out: bool
    safe_for_strangers: bool

    def require(self, able: bool, what: str, *, needs: str) -> None:
        """Raises Unsupported where not `able`."""
        if not able:
            raise Unsupported(what, needs)


def features(major: int, version: Version | None = None) -> Features:
    """The abilities of a gobgpd with that API; a `version` of another major is not believed."""
    known = version if version is not None and version[0] == major else None
    assumed = known or (major, 0, 0)
    return Features(
        major=major,
        version=known,
        bfd=assumed >= (4, 5, 0),
        send_max_enforced=assumed >= (3, 26, 0),
        rich_policies=assumed >= (3, 28, 0),
        replaces_defined_sets=assumed >= (3, 21, 0),
        fills_in_updates=assumed >= (3, 15, 0),
        withdraws_on_soft_out=assumed >= (4, 6, 0),
        safe_for_strangers=assumed >= (4, 5, 0),
    )
