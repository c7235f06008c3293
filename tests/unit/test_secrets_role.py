"""Which Secrets speakers may read."""

from openelb_bgp.kube.secrets_role import readable_secrets, rules_for
from openelb_bgp.model.addresses import parse_range
from openelb_bgp.model.meta import Meta
from openelb_bgp.model.pools import Eip, Protocol
from openelb_bgp.model.routing import BgpPeer, SecretKeyRef


def _peer(name: str, secret: str | None) -> BgpPeer:
    reference = None if secret is None else SecretKeyRef(secret, "password")
    return BgpPeer(meta=Meta(name=name), peer_asn=65001, auth_password_ref=reference)


def test_those_that_peers_name_each_once_and_never_the_webhooks() -> None:
    peers = [
        _peer(str(index), secret) for index, secret in enumerate(("b", None, "a", "b", "openelb-webhook"))
    ]
    assert readable_secrets(peers) == ("a", "b")


def test_each_is_readable_by_name_only() -> None:
    assert rules_for(["a", "b"]) == [
        {
            "apiGroups": [""],
            "resources": ["secrets"],
            "resourceNames": ["a", "b"],
            "verbs": ["list", "watch"],
        }
    ]


def test_without_names_nothing_is_readable() -> None:
    """A rule without resourceNames would mean every Secret."""
    assert rules_for([]) == []


def test_the_keys_of_heartbeats_are_readable_while_a_pool_needs_them() -> None:
    layer2, bgp = (
        Eip(meta=Meta(name=one), ranges=(parse_range("192.0.2.1"),), protocol=one)
        for one in (Protocol.LAYER2, Protocol.BGP)
    )
    assert (readable_secrets([], [bgp]), readable_secrets([], [bgp, layer2])) == ((), ("openelb-membership",))
