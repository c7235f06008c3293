"""Who keeps an address that several hold, as asked of each pair: any order, any ports, any terms."""

from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from openelb_bgp.ipam.claims import Claim
from openelb_bgp.ipam.requests import Standing, request_of
from openelb_bgp.ipam.sharing import settle, why_not_shared
from openelb_bgp.model import keys
from openelb_bgp.model.meta import Key
from openelb_bgp.model.services import Service
from tests.ipam_cluster import OURS, service

ADDRESS = ip_address("192.0.2.1")

holders = st.lists(
    st.builds(
        lambda namespace, ports, shared, local, app, noted, taken_over: (
            namespace,
            {
                "ports": ",".join(f"TCP/{port}" for port in ports),
                "local": local,
                "selector": {"app": app},
                "allocated": "192.0.2.1=pool" if noted else "",
                "annotations": OURS
                | ({keys.ALLOW_SHARED_ANNOTATION: shared} if shared else {})
                | ({keys.SHARED_AT_TAKEOVER_ANNOTATION: "192.0.2.1"} if taken_over else {}),
            },
        ),
        st.sampled_from(["shop", "till"]),
        st.sets(st.integers(1, 6), min_size=1, max_size=2),
        st.sampled_from(["", "a", "b"]),
        st.booleans(),
        st.sampled_from(["x", "y"]),
        st.booleans(),
        st.booleans(),
    ),
    max_size=8,
)


def had_it_before_us(one: Service) -> bool:
    notes = one.meta.annotations
    return keys.ALLOCATED_ANNOTATION not in notes or keys.SHARED_AT_TAKEOVER_ANNOTATION in notes


@given(holders)
def test_it_is_the_earliest_and_each_that_may_share_it_with_all_keepers(
    found: list[tuple[str, dict[str, object]]],
) -> None:
    services = [
        service(f"s{number}", namespace=namespace, created=float(number), has="192.0.2.1", **spec)  # type: ignore[arg-type]
        for number, (namespace, spec) in enumerate(found)
    ]
    keepers: list[Service] = []
    losers: dict[Key, tuple[Key, str]] = {}
    for one in services:
        for keeper in keepers:
            if had_it_before_us(one) and had_it_before_us(keeper):
                continue
            if why_not := why_not_shared(keeper, one):
                losers[one.key] = keeper.key, why_not
                break
        else:
            keepers.append(one)
    claims = [
        Claim(ref=one.ref, service=one, standing=Standing.OURS, request=request_of(one)) for one in services
    ]
    settled = settle(ADDRESS, reversed(claims))
    assert (settled.keepers, settled.losers) == (tuple(one.key for one in keepers), losers)
    together = {one.key for one in keepers if had_it_before_us(one)}
    assert settled.taken_over == (together if len(together) > 1 else set())
