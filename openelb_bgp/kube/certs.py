"""The webhook's certificates: a CA of our own, and what it signs. Both end in a Secret and nowhere else.

Times are seconds since the epoch and arguments; only the keys are random. A certificate is renewed when two
thirds of its life are over. A new CA is trusted together with the one before it, so that a replica that has
not taken the new certificate up yet is believed, too.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_YEAR = timedelta(days=365)
_AUTHORITY_LASTS = 10 * _YEAR
_SERVING_LASTS = _YEAR
# Clocks differ; nobody's is wrong by more than this and still has a cluster.
_EARLIER = timedelta(hours=1)
_LIFE_BEFORE_RENEWAL = 2 / 3

Key = ec.EllipticCurvePrivateKey


class Unreadable(Exception):
    """What stands in the Secret is no set of certificates of ours."""


class Certificates(msgspec.Struct, frozen=True):
    """All in PEM. `trusted` is what clients need: our CA's certificate, and the one before it for a while.

    Never shown: `authority_key` and `serving_key`.
    """

    trusted: bytes
    authority_key: bytes
    serving: bytes
    serving_key: bytes

    def __repr__(self) -> str:
        return "Certificates(***)"

    @property
    def renew_at(self) -> float:
        """When the first of them is to be renewed, in seconds since the epoch."""
        return min(_renew_at(_first(self.trusted)), _renew_at(_first(self.serving)))


def names_of(service: str, namespace: str) -> tuple[str, ...]:
    """The names by which an API server calls a Service."""
    return (f"{service}.{namespace}.svc", f"{service}.{namespace}.svc.cluster.local")


def made(names: Sequence[str], *, now: float) -> Certificates:
    """A new CA and a certificate for these names (DNS names or IP addresses)."""
    return _signed(names, now=now, before=b"")


def renewed(found: Certificates, names: Sequence[str], *, now: float) -> Certificates:
    """The same where nothing has to change; else what is about to end, or names others, is made anew.

    Raises Unreadable when they are damaged.
    """
    authority, serving = _first(found.trusted), _first(found.serving)
    if now >= _renew_at(authority):
        return _signed(names, now=now, before=_pem(authority))
    if now < _renew_at(serving) and _names(serving) == set(names):
        return found
    key = _read_key(found.authority_key)
    certificate, serving_key = _serving(names, authority, key, now=now)
    return msgspec.structs.replace(found, serving=_pem(certificate), serving_key=_key_pem(serving_key))


_FIELDS: Mapping[str, str] = {
    "ca.crt": "trusted",
    "ca.key": "authority_key",
    "tls.crt": "serving",
    "tls.key": "serving_key",
}


def to_secret(certificates: Certificates) -> dict[str, str]:
    """The `data` of a Secret of type kubernetes.io/tls."""
    return {key: base64.b64encode(getattr(certificates, field)).decode() for key, field in _FIELDS.items()}


def from_secret(data: Mapping[str, str] | None) -> Certificates:
    """What `to_secret` made. Raises Unreadable when anything is missing, damaged or does not fit together."""
    try:
        parts = {field: base64.b64decode((data or {})[key], validate=True) for key, field in _FIELDS.items()}
    except (KeyError, binascii.Error, ValueError) as error:
        raise Unreadable(f"a key is missing or no base64: {error}") from error
    found = Certificates(**parts)
    authority, serving = _first(found.trusted), _first(found.serving)
    try:
        serving.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise Unreadable("the certificate is not signed by the CA beside it") from error
    if not (_belongs(found.authority_key, authority) and _belongs(found.serving_key, serving)):
        raise Unreadable("a key is not its certificate's")
    return found


def from_folder(folder: Path) -> Certificates:
    """`tls.crt` and `tls.key`, and `ca.crt` where it is there, as a Secret mounted there has them.

    Raises Unreadable when they cannot be read. What is not there is empty; nothing of it is ever renewed.
    """
    try:
        serving, serving_key = (folder / "tls.crt").read_bytes(), (folder / "tls.key").read_bytes()
        authority = folder / "ca.crt"
        trusted = authority.read_bytes() if authority.exists() else b""
    except OSError as error:
        raise Unreadable(f"{error.filename}: {error.strerror}") from error
    return Certificates(trusted=trusted, authority_key=b"", serving=serving, serving_key=serving_key)


def _signed(names: Sequence[str], *, now: float, before: bytes) -> Certificates:
    key = _new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"openelb webhook CA {now:.0f}")])
    authority = (
        _builder(subject, key, lasts=_AUTHORITY_LASTS, now=now)
        .issuer_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    certificate, serving_key = _serving(names, authority, key, now=now)
    return Certificates(
        trusted=_pem(authority) + before,
        authority_key=_key_pem(key),
        serving=_pem(certificate),
        serving_key=_key_pem(serving_key),
    )


def _serving(
    names: Sequence[str], authority: x509.Certificate, authority_key: Key, *, now: float
) -> tuple[x509.Certificate, Key]:
    key = _new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    certificate = (
        _builder(subject, key, lasts=_SERVING_LASTS, now=now)
        .issuer_name(authority.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    return certificate, key


def _builder(subject: x509.Name, key: Key, *, lasts: timedelta, now: float) -> x509.CertificateBuilder:
    begins = datetime.fromtimestamp(now, UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins - _EARLIER)
        .not_valid_after(begins + lasts)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _names(certificate: x509.Certificate) -> set[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return set()
    return {str(name.value) for name in extension.value}


def _renew_at(certificate: x509.Certificate) -> float:
    begins = certificate.not_valid_before_utc.timestamp()
    ends = certificate.not_valid_after_utc.timestamp()
    return begins + (ends - begins) * _LIFE_BEFORE_RENEWAL


def _new_key() -> Key:
    return ec.generate_private_key(ec.SECP256R1())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: Key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _first(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(pem)[0]
    except ValueError as error:
        raise Unreadable("there is no certificate in PEM") from error


def _read_key(pem: bytes) -> Key:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise Unreadable("there is no private key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Unreadable("a key is of another sort than ours")
    return key


def _belongs(key: bytes, certificate: x509.Certificate) -> bool:
    return _read_key(key).public_key() == certificate.public_key()
