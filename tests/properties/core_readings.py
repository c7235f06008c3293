"""What can be read off the pure core as it runs: addresses, statuses, routes, what routers are offered."""

from ipaddress import ip_address
from typing import Any

import msgspec

from openelb_bgp.bgp.diff import Configuration
from openelb_bgp.model.addresses import Address
from openelb_bgp.model.meta import Key, Kind
from openelb_bgp.model.snapshot import Snapshot
from openelb_bgp.model.statuses import ServiceStatus
from tests.properties.core_house import House


def written_addresses(house: House) -> dict[Key, frozenset[Address]]:
    """Which Service has which addresses in the state, shown by the source or not yet."""
    found = {}
    for one, row in house.rows.items():
        if one.kind is Kind.SERVICE:
            status = msgspec.json.decode(row.status or b"{}", type=ServiceStatus)
            found[one.key] = frozenset(ip_address(entry.ip) for entry in status.load_balancer.ingress)
    return found


def addresses_of(snapshot: Snapshot) -> dict[Key, frozenset[Address]]:
    """Which Service has which addresses."""
    return {key: frozenset(one.addresses) for key, one in snapshot.services.items() if one.addresses}


_TIMES = frozenset({"lastTransitionTime", "appliedRevision", "since", "lostAt", "startedAt"})


def without_times(value: Any) -> Any:
    """A status without instants and revisions."""
    if isinstance(value, dict):
        return {key: without_times(one) for key, one in value.items() if key not in _TIMES}
    if isinstance(value, list):
        return [without_times(one) for one in value]
    return value


def statuses_of(house: House) -> dict[str, Any]:
    """Every status, label and annotation that the state holds, times aside."""
    found = {}
    for one, row in sorted(house.rows.items()):
        status = without_times(msgspec.json.decode(row.status or b"{}"))
        if one.kind is Kind.SPEAKER and house.idles:
            del status["gobgp"]
        found[str(one)] = (status, row.labels, row.annotations)
    return found


def routes_of(house: House) -> dict[str, Configuration]:
    """What each node's gobgpd runs."""
    return {node: speaker.gobgpd for node, speaker in sorted(house.speakers.items())}


Place = tuple[str, str, str]
"""A node, a neighbour whose session is up, a prefix."""


def offers_of(house: House) -> dict[Place, frozenset[tuple[object, ...]]]:
    """What each router gets of each prefix from each node: next hop, attributes, bandwidth."""
    found: dict[Place, set[tuple[object, ...]]] = {}
    for node, speaker in house.speakers.items():
        for key, neighbour, offer in speaker.offers():
            found.setdefault((node, neighbour, str(key.prefix)), set()).add(offer)
    return {place: frozenset(offers) for place, offers in found.items()}
