"""
Making certificates: an authority, and what it signs for servers and clients, with the fields that libvirt checks.

Keys are EC P-256: every TLS library that libvirt was ever built with takes them, and a signature costs the
daemon a tenth of a millisecond.  Files are written whole or not at all; private keys have mode 0600 from their
first moment.
"""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import os
import tempfile
from collections.abc import Sequence
from typing import Any

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["Issued", "authority", "issue", "revocations", "subjectName", "writeFile"]

_DAY = datetime.timedelta(days=1)
_SKEW = datetime.timedelta(minutes=5)
"""How far a clock may be behind and still take a new certificate."""

PURPOSES = {
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
}
_ATTRIBUTES = {
    "C": NameOID.COUNTRY_NAME,
    "ST": NameOID.STATE_OR_PROVINCE_NAME,
    "L": NameOID.LOCALITY_NAME,
    "O": NameOID.ORGANIZATION_NAME,
    "OU": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "CN": NameOID.COMMON_NAME,
}


@attrs.frozen
class Issued:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: Any

    @property
    def certificatePEM(self) -> bytes:
        """The certificate as text."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def keyPEM(self) -> bytes:
        """The private key as text, not encrypted: daemons start without anybody there."""
        pem: bytes = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return pem


def subjectName(text: str) -> x509.Name:
    """
    Make a name of C{C=GB,O=Example,CN=host}, or of a common name alone.

    @raise ValueError: a part cannot be understood.
    """
    if "=" not in text:
        text = f"CN={text}"
    attributes = []
    for part in text.split(","):
        label, _, value = part.strip().partition("=")
        if label not in _ATTRIBUTES or not value:
            raise ValueError(
                f"'{part}' is no part of a name: expected one of {', '.join(_ATTRIBUTES)}"
            )
        attributes.append(x509.NameAttribute(_ATTRIBUTES[label], value))
    return x509.Name(attributes)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _usage(**given: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: given.get(name, False) for name in names})


def authority(name: str, *, days: int = 3650) -> Issued:
    """Make an authority, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = subjectName(name)
    now = _now()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Issued(certificate, key)


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def issue(
    signer: Issued,
    name: str,
    *,
    purposes: Sequence[str],
    hosts: Sequence[str] = (),
    days: int = 1095,
) -> Issued:
    """
    Make a certificate that an authority signs.

    @param purposes: of C{server} and C{client}.
    @param hosts: host names and addresses that a server is reached by.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    now = _now()
    public = signer.key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subjectName(name))
        .issuer_name(signer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now + days * _DAY)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        # The second is for old peers that encrypt with the key; it does no harm to others.
        .add_extension(_usage(digital_signature=True, key_encipherment=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([PURPOSES[each] for each in purposes]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    )
    if hosts:
        names = x509.SubjectAlternativeName([_alternative(each) for each in hosts])
        builder = builder.add_extension(names, critical=False)
    return Issued(builder.sign(signer.key, hashes.SHA256()), key)


def revocations(
    signer: Issued,
    revoked: Sequence[x509.Certificate],
    *,
    before: x509.CertificateRevocationList | None = None,
    days: int = 365,
) -> bytes:
    """
    Make a list of certificates that are to be trusted no more.

    @param before: the former list, whose entries stay.
    @return: it as PEM text.
    """
    now = _now()
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(signer.certificate.subject)
        .last_update(now - _SKEW)
        .next_update(now + days * _DAY)
    )
    numbers = set()
    for entry in before or ():
        numbers.add(entry.serial_number)
        builder = builder.add_revoked_certificate(entry)
    for each in revoked:
        if each.serial_number not in numbers:
            entry = (
                x509.RevokedCertificateBuilder()
                .serial_number(each.serial_number)
                .revocation_date(now - _SKEW)
                .build()
            )
            builder = builder.add_revoked_certificate(entry)
    return builder.sign(signer.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def writeFile(path: str, content: bytes, *, private: bool) -> None:
    """Write a file whole; a private one is for its owner alone from the first moment."""
    folder = os.path.dirname(path) or "."
    os.makedirs(folder, mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o600 if private else 0o644)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
