"""Which Secrets speakers may read."""

from openelb_bgp.kube.secrets_role import readable_secrets, rules_for
from openelb_bgp.model.meta import Meta
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
