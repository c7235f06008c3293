"""Keys of a control plane: a certificate authority, what it signs, and tokens as the API server signs them.

Everything is made anew for each control plane and worth nothing outside of it.
"""

import base64
import datetime
import ipaddress
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_VALID = datetime.timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate with its key, as PEM files."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority in `folder`; `certificate` is the file that its clients trust."""

    def __init__(self, folder: Path) -> None:
        """The one that `make_authority` made there."""
        self._folder = folder
        self.certificate = folder / "ca.crt"
        self._key = _read_key(folder / "ca.key")
        self._name = x509.load_pem_x509_certificate(self.certificate.read_bytes()).subject

    def server(self, name: str, hosts: Iterable[str]) -> Pair:
        """Sign a server's certificate for these host names and addresses: `NAME.crt` and `NAME.key`."""
        names = x509.SubjectAlternativeName([_host(host) for host in hosts])
        return self._signed(name, ExtendedKeyUsageOID.SERVER_AUTH, names, valid=_VALID)

    def client(self, user: str, *, valid: datetime.timedelta = _VALID) -> Pair:
        """Sign a certificate by which an API server knows that user: `USER.crt` and `USER.key`."""
        return self._signed(user, ExtendedKeyUsageOID.CLIENT_AUTH, None, valid=valid)

    def _signed(
        self,
        name: str,
        usage: x509.ObjectIdentifier,
        names: x509.SubjectAlternativeName | None,
        *,
        valid: datetime.timedelta,
    ) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = (
            _certificate(_named(name), key.public_key(), issuer=self._name, valid=valid)
            .add_extension(authority, critical=False)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        )
        if names is not None:
            made = made.add_extension(names, critical=False)
        signed = made.sign(self._key, hashes.SHA256())
        pair = Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")
        pair.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        _write_key(pair.key, key)
        return pair


class TokenSigner:
    """The key with which an API server signs service accounts' tokens; so a test can sign one as well."""

    def __init__(self, folder: Path) -> None:
        """The one that `make_token_signer` made there."""
        self.private = folder / "service-accounts.key"
        self.public = folder / "service-accounts.pub"
        self._key = _read_key(self.private)

    def token(self, claims: Mapping[str, Any]) -> str:
        """A JSON web token with these claims (RFC 7519, signed ES256: RFC 7518 section 3.4)."""
        text = f"{_segment({'alg': 'ES256', 'typ': 'JWT'})}.{_segment(claims)}"
        r, s = decode_dss_signature(self._key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{_base64url(r.to_bytes(32) + s.to_bytes(32))}"


def make_authority(folder: Path, *, name: str = "openelb-bgp lab") -> Authority:
    """Make a new certificate authority: `ca.crt` and `ca.key` in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    key, subject = ec.generate_private_key(ec.SECP256R1()), _named(name)
    usage = x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    signed = (
        _certificate(subject, key.public_key(), issuer=subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.crt").write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    _write_key(folder / "ca.key", key)
    return Authority(folder)


def make_token_signer(folder: Path) -> TokenSigner:
    """Make a new key for tokens: `service-accounts.key` and `service-accounts.pub` in `folder`."""
    key = ec.generate_private_key(ec.SECP256R1())
    public = serialization.PublicFormat.SubjectPublicKeyInfo
    (folder / "service-accounts.pub").write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, public)
    )
    _write_key(folder / "service-accounts.key", key)
    return TokenSigner(folder)


def claims_of(token: str) -> dict[str, Any]:
    """What a token says, unverified."""
    segment = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return claims


def _certificate(
    subject: x509.Name,
    key: ec.EllipticCurvePublicKey,
    *,
    issuer: x509.Name,
    valid: datetime.timedelta = _VALID,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        # Clocks of machines that share a lab may differ a little.
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + valid)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )


def _read_key(file: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key


def _segment(value: Mapping[str, Any]) -> str:
    return _base64url(json.dumps(value, separators=(",", ":")).encode())


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
