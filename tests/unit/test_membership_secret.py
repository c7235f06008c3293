"""The keys of heartbeats: which there should be, and when the next are due."""

from collections.abc import Iterator

from openelb_bgp.kube.membership_secret import Keys, due, from_secret, renewed, to_secret

NOW = 1_700_000_000.0
MONTH, HOUR = 30 * 24 * 3600.0, 3600.0


def _made() -> Iterator[bytes]:
    yield from (b"first-key-of-all", b"second-key-of-all", b"third-key-of-all")


def test_a_key_is_replaced_in_two_steps_so_that_nobody_signs_with_what_others_do_not_know() -> None:
    new = _made()
    first = renewed(None, now=NOW, new=lambda: next(new))
    assert first == Keys(b"first-key-of-all", NOW)
    assert (renewed(first, now=NOW + MONTH - 1, new=lambda: next(new)), due(first)) == (first, NOW + MONTH)
    told = renewed(first, now=NOW + MONTH, new=lambda: next(new))
    assert told == Keys(b"first-key-of-all", NOW, b"second-key-of-all", NOW + MONTH)
    assert (renewed(told, now=NOW + MONTH + HOUR - 1, new=lambda: next(new)), due(told)) == (
        told,
        NOW + MONTH + HOUR,
    )
    signing = renewed(told, now=NOW + MONTH + HOUR, new=lambda: next(new))
    assert signing == Keys(b"second-key-of-all", NOW + MONTH + HOUR, b"first-key-of-all")


def test_what_is_written_is_read_again_and_no_key_is_ever_shown() -> None:
    for keys in (
        Keys(b"first-key-of-all", NOW),
        Keys(b"first-key-of-all", NOW, b"second-key-of-all", NOW + 5),
        Keys(b"second-key-of-all", NOW, b"first-key-of-all"),
    ):
        assert from_secret(to_secret(keys, namespace="openelb-system")) == keys
        assert "key-of-all" not in repr(keys)


def test_a_secret_that_somebody_made_is_left_alone_and_one_without_a_key_is_not() -> None:
    document = to_secret(Keys(b"somebody-s-own-key", None), namespace="openelb-system")
    theirs = from_secret(document)
    assert theirs is not None and (renewed(theirs, now=NOW, new=bytes), due(theirs)) == (theirs, None)
    for data in ({}, {"key": "c2hvcnQ="}, {"key": "?"}):
        assert from_secret({**document, "data": data}) is None
