"""Who the other members are, and with which keys they speak. Pure, out of a snapshot.

The Nodes say who there is and how to reach them; what their speakers' interfaces are they tell each other.
A Speaker whose Node has gone unseen (its Node was deleted and made again, say) counts as long as it exists.
"""

from collections.abc import Mapping
from ipaddress import ip_interface

from openelb_bgp.model import keys
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import Key, Kind
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.speakers import Speaker

SHORTEST_KEY = 16


def others(snapshot: Snapshot, *, own: str) -> Mapping[str, tuple[Address, ...]] | None:
    """Addresses of the other nodes by name; None before the Nodes have been listed once."""
    if not snapshot.has_listed(Kind.NODE):
        return None
    found = {name: node.addresses for name, node in snapshot.nodes.items() if name != own}
    for name, speaker in snapshot.speakers.items():
        if name != own and not found.get(name):
            found[name] = _reported(speaker)
    return {name: addresses for name, addresses in sorted(found.items()) if addresses}


def _reported(speaker: Speaker) -> tuple[Address, ...]:
    """What a speaker said of its subnets, where these are its addresses with their lengths."""
    subnets = [ip_interface(text) for one in speaker.status.interfaces for text in one.subnets]
    return tuple(
        one.ip for one in subnets if one.ip != one.network.network_address and not one.ip.is_link_local
    )


def secret_keys(snapshot: Snapshot, *, namespace: str) -> tuple[bytes, ...]:
    """The keys in the Secret, the one to sign with first; none where it is missing or unusable."""
    secret = snapshot.secrets.get(Key(namespace, keys.MEMBERSHIP_SECRET))
    if secret is None:
        return ()
    found = [
        secret.data.get(field, b"").strip() for field in (keys.MEMBERSHIP_KEY, keys.MEMBERSHIP_OTHER_KEY)
    ]
    return usable(found)


def usable(found: list[bytes]) -> tuple[bytes, ...]:
    """Those that are long enough, at most two; none where the first is not: it could not be signed with."""
    if not found or len(found[0]) < SHORTEST_KEY:
        return ()
    return tuple(dict.fromkeys(key for key in found[:2] if len(key) >= SHORTEST_KEY))
