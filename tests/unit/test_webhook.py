"""AdmissionReviews: what is asked, what is answered, and who gets our CA."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from openelb_bgp.admission import Review
from openelb_bgp.kube.trust import missing_bundles
from openelb_bgp.kube.webhook import PATHS, answer


def _question(**request: Any) -> bytes:
    return msgspec.json.encode(
        {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {"uid": "705ab4f5", "operation": "CREATE", "dryRun": True, **request},
        }
    )


def _answer(body: bytes, said: Review) -> Any:
    return msgspec.json.decode(answer(body, lambda operation, old, new: said))


def test_the_paths_are_named_as_openelb_named_them() -> None:
    assert PATHS == (
        "/validate-network-kubesphere-io-v1alpha2-eip",
        "/validate-network-kubesphere-io-v1alpha2-bgpconf",
        "/validate-network-kubesphere-io-v1alpha2-bgppeer",
    )


def test_what_is_asked_reaches_the_judge() -> None:
    asked: list[Any] = []

    def judge(operation: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Review:
        asked.append((operation, old, new))
        return Review()

    answer(_question(operation="UPDATE", object={"a": 1}, oldObject={"a": 0}), judge)
    answer(_question(operation="DELETE", object=None, oldObject={"a": 1}), judge)
    assert asked == [("UPDATE", {"a": 0}, {"a": 1}), ("DELETE", {"a": 1}, None)]


def test_a_change_that_is_fine_is_allowed_without_a_word() -> None:
    assert _answer(_question(), Review()) == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": "705ab4f5", "allowed": True},
    }


def test_a_refusal_carries_every_remedy_and_the_warnings() -> None:
    said = Review(
        refusals=("spec.a: is wrong; mend it", "spec.b: is too"), warnings=("spec.c: has no effect",)
    )
    assert _answer(_question(), said)["response"] == {
        "uid": "705ab4f5",
        "allowed": False,
        "status": {"code": 422, "reason": "Invalid", "message": "spec.a: is wrong; mend it; spec.b: is too"},
        "warnings": ["spec.c: has no effect"],
    }


def test_an_object_that_is_wrong_everywhere_gets_a_short_answer() -> None:
    said = Review(refusals=("x" * 200,) * 10_000, warnings=("y" * 5000,) * 10_000)
    assert len(answer(_question(), lambda operation, old, new: said)) < 32_000


@pytest.mark.parametrize("body", [b"", b"{}", b'{"apiVersion": "v1", "request": {"uid": 5}}', b"\xff"])
def test_what_is_no_review_is_told_apart(body: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        answer(body, lambda operation, old, new: Review())


def test_our_ca_goes_into_each_webhook_that_has_another_and_nowhere_else() -> None:
    configuration = {
        "webhooks": [
            {"name": "a", "clientConfig": {"caBundle": "ours"}},
            {"name": "b", "clientConfig": {"caBundle": "theirs"}},
            {"name": "c", "clientConfig": {}},
        ]
    }
    assert missing_bundles(configuration, "ours") == [
        {"op": "test", "path": "/webhooks/1/name", "value": "b"},
        {"op": "add", "path": "/webhooks/1/clientConfig/caBundle", "value": "ours"},
        {"op": "test", "path": "/webhooks/2/name", "value": "c"},
        {"op": "add", "path": "/webhooks/2/clientConfig/caBundle", "value": "ours"},
    ]
    assert missing_bundles({"webhooks": configuration["webhooks"][:1]}, "ours") == []
    assert missing_bundles({}, "ours") == []
