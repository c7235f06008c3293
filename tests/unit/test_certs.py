"""The webhook's certificates: made, renewed in time, and believed by whoever trusts our CA."""

import ssl
from datetime import UTC, datetime

import msgspec
import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store

from openelb_bgp.kube.certs import (
    Certificates,
    Unreadable,
    from_secret,
    made,
    names_of,
    renewed,
    to_secret,
)

NOW = 1_800_000_000.0
DAY = 86400.0
NAMES = names_of("openelb-controller", "openelb-system")


def _verify(found: Certificates, *, trusted: bytes, name: str, now: float) -> None:
    """As a client does, in Go or OpenSSL. Raises x509.verification.VerificationError."""
    store = Store(x509.load_pem_x509_certificates(trusted))
    builder = PolicyBuilder().store(store).time(datetime.fromtimestamp(now, UTC))
    verifier = builder.build_server_verifier(x509.DNSName(name))
    verifier.verify(x509.load_pem_x509_certificate(found.serving), [])


def test_the_names_are_those_of_the_service() -> None:
    assert NAMES == (
        "openelb-controller.openelb-system.svc",
        "openelb-controller.openelb-system.svc.cluster.local",
    )


def test_a_client_that_trusts_our_ca_believes_each_name() -> None:
    found = made(NAMES, now=NOW)
    for name in NAMES:
        _verify(found, trusted=found.trusted, name=name, now=NOW)


@pytest.mark.parametrize(("name", "now"), [("example.org", NOW), (NAMES[0], NOW + 366 * DAY)])
def test_another_name_or_a_time_after_its_end_is_not_believed(name: str, now: float) -> None:
    found = made(NAMES, now=NOW)
    with pytest.raises(x509.verification.VerificationError):
        _verify(found, trusted=found.trusted, name=name, now=now)


def test_a_secret_gives_back_what_was_put_into_it() -> None:
    found = made(NAMES, now=NOW)
    assert set(to_secret(found)) == {"ca.crt", "ca.key", "tls.crt", "tls.key"}
    assert from_secret(to_secret(found)) == found


def test_nothing_is_renewed_before_two_thirds_of_its_life() -> None:
    found = made(NAMES, now=NOW)
    assert renewed(found, NAMES, now=NOW + 243 * DAY) is found
    assert found.renew_at == pytest.approx(NOW + 365 * DAY * 2 / 3, abs=DAY)


def test_the_serving_certificate_is_renewed_by_the_same_ca() -> None:
    found = made(NAMES, now=NOW)
    again = renewed(found, NAMES, now=NOW + 244 * DAY)
    assert (again.trusted, again.authority_key) == (found.trusted, found.authority_key)
    assert again.serving != found.serving
    _verify(again, trusted=found.trusted, name=NAMES[0], now=NOW + 400 * DAY)
    assert from_secret(to_secret(again)) == again


def test_other_names_are_certified_at_once() -> None:
    moved = names_of("openelb-controller", "elsewhere")
    again = renewed(made(NAMES, now=NOW), moved, now=NOW)
    _verify(again, trusted=again.trusted, name=moved[0], now=NOW)


def test_after_a_new_ca_the_old_certificate_is_still_believed() -> None:
    later = NOW + 3650 * DAY * 2 / 3
    before = renewed(made(NAMES, now=NOW), NAMES, now=later - 100 * DAY)
    after = renewed(before, NAMES, now=later)
    assert before.trusted.count(b"BEGIN CERTIFICATE") == 1
    assert after.trusted.count(b"BEGIN CERTIFICATE") == 2
    for one in (before, after):
        _verify(one, trusted=after.trusted, name=NAMES[0], now=later)
    assert from_secret(to_secret(after)) == after


def test_what_is_damaged_is_told_apart() -> None:
    one, other = made(NAMES, now=NOW), made(NAMES, now=NOW)
    damaged = [
        None,
        {},
        {**to_secret(one), "tls.crt": "!"},
        {**to_secret(one), "tls.crt": ""},
        {**to_secret(one), "ca.key": "bm8ga2V5"},
        to_secret(msgspec.structs.replace(one, serving_key=other.serving_key)),
        to_secret(msgspec.structs.replace(one, trusted=other.trusted)),
    ]
    for data in damaged:
        with pytest.raises(Unreadable):
            from_secret(data)


def test_keys_are_not_shown() -> None:
    assert repr(made(NAMES, now=NOW)) == "Certificates(***)"


def test_openssl_takes_the_pair(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = made(("127.0.0.1", "localhost"), now=NOW)
    file = tmp_path_factory.mktemp("certs") / "pair.pem"
    file.write_bytes(found.serving + found.serving_key)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)
    ssl.create_default_context(cadata=found.trusted.decode())
