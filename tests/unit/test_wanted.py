"""What a gobgpd shall run where the plan knows less than what runs."""

import msgspec

from openelb_bgp.bgp.diff import Configuration
from openelb_bgp.bgp.model import GlobalConf, Password, PeerConf
from openelb_bgp.bgp.planned import BgpPlan
from openelb_bgp.bgp.wanted import Wanted
from openelb_bgp.model.meta import Kind, ref
from openelb_bgp.model.reasons import Reason, Refused

SPEAKER = GlobalConf(asn=65000, router_id="192.0.2.11")
OPEN = PeerConf(name="leaf", neighbor_address="192.0.2.1", peer_asn=65001, local_asn=65000)
GUARDED = msgspec.structs.replace(OPEN, auth_password=Password("hush-hush"))


def runs(peer: PeerConf) -> Configuration:
    return Configuration(global_conf=SPEAKER, peers={peer.neighbor_address: peer})


def without(reason: Reason) -> BgpPlan:
    """A plan that leaves the peer out."""
    left_out = {ref(Kind.BGP_PEER, "leaf"): Refused(reason, "for a test")}
    return BgpPlan(node="node1", global_conf=SPEAKER, left_out=left_out)


def peers(plan: BgpPlan, actual: Configuration) -> dict[str, PeerConf]:
    wanted = Wanted().configuration(plan, actual)
    assert wanted is not None
    return dict(wanted.peers)


def test_a_session_whose_secret_went_goes_on_with_the_password_that_it_has() -> None:
    assert peers(without(Reason.SECRET_MISSING), runs(GUARDED)) == {"192.0.2.1": GUARDED}


def test_a_session_that_shall_have_a_password_does_not_go_on_without_one() -> None:
    assert peers(without(Reason.SECRET_MISSING), runs(OPEN)) == {}


def test_a_session_that_is_not_wanted_ends_whatever_its_password() -> None:
    assert peers(without(Reason.DUPLICATE_PEER), runs(GUARDED)) == {}
