"""
Certificates good and bad, for tests of TLS.
"""

from __future__ import annotations

import datetime
import os
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pyvirt.tls.issuing import Issued, authority, issue, revocations

__all__ = ["Pki", "certificate", "writePlaces"]

_DAY = datetime.timedelta(days=1)
SERVER = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


def usage(*names: str) -> x509.KeyUsage:
    """Make a key usage with these bits."""
    every = [
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ]
    return x509.KeyUsage(**{each: each in names for each in every})


def certificate(
    signer: Issued | None,
    name: str | x509.Name = "CN=x",
    *,
    ca: bool | None = False,
    keyUsage: x509.KeyUsage | None = None,
    purposes: Any = None,
    hosts: tuple[str, ...] = (),
    start: float = -1,
    end: float = 365,
    key: Any = None,
) -> Issued:
    """
    Make any certificate.

    @param signer: None: itself.
    @param ca: None: without basic constraints.
    @param start: days from now from which on it is valid, and C{end} until when.
    @param key: its private key, None: one of EC is made.
    """
    from pyvirt.tls.issuing import _alternative, subjectName

    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = subjectName(name) if isinstance(name, str) else name
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if signer is None else signer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + start * _DAY)
        .not_valid_after(now + end * _DAY)
    )
    if ca is not None:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), True)
    if keyUsage is not None:
        builder = builder.add_extension(keyUsage, True)
    if purposes is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), True)
    if hosts:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_alternative(each) for each in hosts]), False
        )
    signing = key if signer is None else signer.key
    digest = None if isinstance(signing, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return Issued(builder.sign(signing, digest), key)


class Pki:
    """
    An authority with a server and a client, made once, and bad relatives of them.
    """

    def __init__(self) -> None:
        self.ca = authority("CN=pyvirt tests")
        self.otherCA = authority("CN=somebody else")
        self.server = issue(
            self.ca,
            "O=Example,CN=localhost",
            purposes=["server"],
            hosts=["localhost", "127.0.0.1", "::1"],
        )
        self.client = issue(self.ca, "O=Example,OU=Users,CN=alice", purposes=["client"])
        self.stranger = issue(self.otherCA, "O=Example,OU=Users,CN=alice", purposes=["client"])
        self.revoked = issue(self.ca, "O=Example,CN=mallory", purposes=["client"])
        self.expired = certificate(self.ca, "CN=old", purposes=[CLIENT], start=-30, end=-1)
        self.early = certificate(self.ca, "CN=young", purposes=[CLIENT], start=10)
        self.crl = revocations(self.ca, [self.revoked.certificate])


def writePlaces(
    folder: str,
    *,
    ca: Issued | None = None,
    server: Issued | None = None,
    client: Issued | None = None,
    crl: bytes | None = None,
) -> dict[str, str]:
    """Write files side by side, as C{pkipath} wants them; return their paths by name."""
    os.makedirs(folder, exist_ok=True)
    contents: dict[str, bytes] = {}
    if ca is not None:
        contents["cacert"] = ca.certificatePEM
    if crl is not None:
        contents["cacrl"] = crl
    for name, one in (("server", server), ("client", client)):
        if one is not None:
            contents[f"{name}cert"] = one.certificatePEM
            contents[f"{name}key"] = one.keyPEM
    paths = {}
    for name, content in contents.items():
        paths[name] = os.path.join(folder, f"{name}.pem")
        with open(paths[name], "wb") as file:
            file.write(content)
    return paths


def dump(path: str, key: Any) -> None:
    """Write a private key in OpenSSH's form, for its owner alone."""
    with open(path, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.OpenSSH,
                serialization.NoEncryption(),
            )
        )


NAME = NameOID
