"""Keys and certificates (RFC 5280): a CA for development, and the check of a pair of files.

The one module that imports the library `cryptography`, and only when a command needs it.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

CA_DAYS = 3650
LEAF_DAYS = 397  # browsers refuse certificates that are valid for longer (Baseline Requirements)
LEAST_RSA_BITS = 2048
CURVES = ("secp256r1", "secp384r1", "secp521r1")  # those that Envoy reads
LONGEST_NAME = 253
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})*"
_CLOCKS = dt.timedelta(minutes=5)  # by which a client's clock may be slow


class CertificateError(ValueError):
    """Why a file cannot be used; `of_key` says whether it is the key or the certificate."""

    def __init__(self, problem: str, *, of_key: bool = False) -> None:
        super().__init__(problem)
        self.of_key = of_key


@dataclass(frozen=True)
class Pair:
    """A certificate with those that follow it, and its private key, as PEM."""

    certificate: str
    key: str


def is_host(name: str) -> bool:
    """Report whether a certificate can be for a host name (RFC 1123), `*.NAME` or an address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return len(name) <= LONGEST_NAME and re.fullmatch(_HOST, name) is not None
    return True


def expiry(certificate: str) -> dt.datetime:
    """Return when a certificate in PEM ends; raise CertificateError when it cannot be read."""
    return _chain(certificate)[0].not_valid_after_utc


def fingerprint(certificate: str) -> str:
    """Return the SHA-256 of a certificate in PEM, in hexadecimal."""
    from cryptography.hazmat.primitives import hashes

    return _chain(certificate)[0].fingerprint(hashes.SHA256()).hex()


def require_pair(pair: Pair, now: dt.datetime | None = None) -> None:
    """Raise CertificateError when a server cannot use the pair now."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    leaf = _chain(pair.certificate)[0]
    try:
        key = serialization.load_pem_private_key(pair.key.encode(), password=None)
    except TypeError as error:
        raise CertificateError("is encrypted: remove its password", of_key=True) from error
    except Exception as error:  # the library documents ValueError, and raises others
        raise CertificateError("is not a private key in PEM", of_key=True) from error
    weak_rsa = isinstance(key, rsa.RSAPrivateKey) and key.key_size < LEAST_RSA_BITS
    other_curve = isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in CURVES
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) or weak_rsa:
        # Envoy would take Ed25519, but no browser does.
        raise CertificateError("must be RSA of 2048 bits or more, or ECDSA", of_key=True)
    if other_curve:
        raise CertificateError("must use the curve P-256, P-384 or P-521", of_key=True)
    if leaf.public_key() != key.public_key():
        raise CertificateError("does not fit the certificate", of_key=True)
    moment = now or dt.datetime.now(dt.UTC)
    if leaf.not_valid_after_utc <= moment:
        raise CertificateError(f"expired on {leaf.not_valid_after_utc:%Y-%m-%d}")
    if leaf.not_valid_before_utc > moment:
        raise CertificateError(f"is not valid before {leaf.not_valid_before_utc:%Y-%m-%d}")


def make_ca(name: str) -> Pair:
    """Return a new CA that signs certificates of servers, and no further CA."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = _named(name)
    builder = (
        _builder(subject, subject, key, CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return _signed(builder, key, key)


def make_certificate(ca: Pair, hosts: Sequence[str]) -> Pair:
    """Return a certificate for host names and addresses, signed by a CA; its key is new.

    Raises CertificateError when the CA cannot be used.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    require_pair(ca)
    issuer = _chain(ca.certificate)[0]
    signing = serialization.load_pem_private_key(ca.key.encode(), password=None)
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise CertificateError("is not a key that svcgen made", of_key=True)
    key = ec.generate_private_key(ec.SECP256R1())
    server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key())
    names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
    builder = (
        _builder(_named(hosts[0]), issuer.subject, key, LEAF_DAYS, issuer.not_valid_after_utc)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(server, critical=False)
        .add_extension(authority, critical=False)
        .add_extension(names, critical=False)
    )
    return _signed(builder, key, signing)


def _chain(text: str) -> list[x509.Certificate]:
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(text.encode())
        found[0].public_key()  # may be of a kind that the library does not know
    except Exception as error:  # the library documents ValueError, and raises others
        raise CertificateError("is not a certificate in PEM") from error
    return found


def _named(name: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    shown = name.encode("ascii", "replace").decode()[:64]
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, shown)])


def _general_name(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    days: int,
    latest: dt.datetime | None = None,
) -> x509.CertificateBuilder:
    from cryptography import x509

    now = dt.datetime.now(dt.UTC)
    end = now + dt.timedelta(days=days)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCKS)
        .not_valid_after(min(end, latest or end))
        .add_extension(identifier, critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    signing: ec.EllipticCurvePrivateKey,
) -> Pair:
    from cryptography.hazmat.primitives import hashes, serialization

    certificate = builder.sign(signing, hashes.SHA256())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Pair(certificate.public_bytes(pem).decode(), secret.decode())
