"""
Certificates are read here, and looked at before they are used: when they are valid and what they are for.

An end checks its own files at start, for a mistake there otherwise shows as a riddle at the other end.  The
certificate that a peer shows is looked at in the same way.  Errors have libvirt's words.
"""

from __future__ import annotations

import datetime

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError
from pyvirt.tls.places import Places

__all__ = ["Loaded", "checkOwn", "checkPeer", "checkTimes", "load", "systemError"]

_LARGEST = 4 << 20
"""Bytes of the longest file that is read."""


def systemError(text: str, number: int = -1) -> VirtError:
    """Make the error of a file that cannot be used."""
    return VirtError(
        text,
        code=ErrorCode.SYSTEM_ERROR,
        domain=ErrorDomain.RPC,
        str1="%s",
        str2=text,
        int1=number,
    )


class Loaded:
    """
    What the files of one end hold.

    @ivar places: the files.
    @ivar authorities: certificates of those who are trusted.
    @ivar revocations: lists of those that are not taken.
    @ivar chain: its own certificate, then those that lead to an authority; empty: it has none.
    """

    def __init__(self, places: Places) -> None:
        self.places = places
        self.authorities: list[x509.Certificate] = []
        self.revocations: list[x509.CertificateRevocationList] = []
        self.chain: list[x509.Certificate] = []
        self.key: bytes = b""


def _read(path: str, what: str) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as problem:
        raise systemError(
            f"Cannot read {what} '{path}': {problem.strerror}", problem.errno or -1
        ) from None
    if len(content) > _LARGEST:
        raise systemError(f"Cannot read {what} '{path}': it is larger than {_LARGEST} bytes")
    return content


def _certificates(content: bytes, problem: str) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(content)
    except ValueError:
        found = []
    if not found:
        raise systemError(problem)
    return found


def load(places: Places, role: str) -> Loaded:
    """
    Read the files of an end.

    @param role: C{server} or C{client}.
    @raise VirtError: one cannot be read (C{SYSTEM_ERROR}).
    """
    loaded = Loaded(places)
    authority = places.authority
    loaded.authorities = _certificates(
        _read(authority, "CA certificate"), f"Unable to import CA certificate list {authority}"
    )
    if places.certificate is not None and places.key is not None:
        content = _read(places.certificate, "certificate")
        loaded.key = _read(places.key, "private key")
        loaded.chain = _certificates(
            content, f"Unable to import {role} certificate {places.certificate}"
        )
    if places.revocations is not None:
        content = _read(places.revocations, "CA revocation list")
        marker = b"-----BEGIN X509 CRL-----"
        try:
            loaded.revocations = [
                x509.load_pem_x509_crl(marker + each) for each in content.split(marker)[1:]
            ]
        except ValueError:
            loaded.revocations = []
        if not loaded.revocations:
            raise systemError(
                f"Unable to import CA revocation list {places.revocations}: it holds none"
            )
    return loaded


def checkTimes(certificate: x509.Certificate, text: str) -> None:
    """
    Check that a certificate is valid now.

    @param text: what it is, for the error.
    @raise VirtError: it is not.
    """
    now = datetime.datetime.now(datetime.UTC)
    if certificate.not_valid_after_utc < now:
        raise systemError(f"The {text} has expired")
    if certificate.not_valid_before_utc > now:
        raise systemError(f"The {text} is not yet active")


def _checkConstraints(
    certificate: x509.Certificate, path: str, server: bool, authority: bool
) -> None:
    try:
        found = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
    except x509.ExtensionNotFound:
        if authority:
            raise systemError(
                f"The certificate {path} is missing basic constraints for a CA"
            ) from None
        return
    if found.ca and not authority:
        role = "server" if server else "client"
        raise systemError(
            f"The certificate {path} basic constraints show a CA, but we need one for a {role}"
        )
    if authority and not found.ca:
        raise systemError(f"The certificate {path} basic constraints do not show a CA")


def _checkUsage(certificate: x509.Certificate, path: str, authority: bool) -> list[str]:
    """Return what is wrong but not marked critical; raise for the rest."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    except x509.ExtensionNotFound:
        return []
    usage = extension.value
    wanted = (
        [("certificate signing", usage.key_cert_sign)]
        if authority
        else [
            ("digital signature", usage.digital_signature),
            ("key encipherment", usage.key_encipherment),
        ]
    )
    remarks = []
    for name, granted in wanted:
        if not granted:
            text = f"Certificate {path} usage does not permit {name}"
            if extension.critical:
                raise systemError(text)
            remarks.append(text)
    return remarks


def _checkPurpose(certificate: x509.Certificate, path: str, server: bool) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    except x509.ExtensionNotFound:
        return []
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CLIENT_AUTH
    if purpose in extension.value or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in extension.value:
        return []
    role = "server" if server else "client"
    text = f"Certificate {path} purpose does not allow use for with a TLS {role}"
    if extension.critical:
        raise systemError(text)
    return [text]


def _checked(
    certificate: x509.Certificate, path: str, *, server: bool, authority: bool, label: str
) -> list[str]:
    try:
        checkTimes(certificate, label)
        _checkConstraints(certificate, path, server, authority)
        remarks = _checkUsage(certificate, path, authority)
        if not authority:
            remarks += _checkPurpose(certificate, path, server)
    except ValueError as problem:  # extensions that cannot be read
        raise systemError(f"The certificate {path} cannot be understood: {problem}") from None
    return remarks


def checkOwn(loaded: Loaded, role: str) -> list[str]:
    """
    Check the files of this end.

    @param role: C{server} or C{client}.
    @return: remarks on what is odd and does no harm.
    @raise VirtError: a certificate cannot do what it is there for.
    """
    places = loaded.places
    remarks = []
    server = role == "server"
    for each in loaded.chain[:1]:
        path = str(places.certificate)
        label = f"{role} certificate {path}"
        remarks += _checked(each, path, server=server, authority=False, label=label)
    for each in loaded.authorities:
        path = places.authority
        label = f"CA certificate {path}"
        remarks += _checked(each, path, server=server, authority=True, label=label)
    return remarks


def checkPeer(certificate: x509.Certificate, *, server: bool) -> list[str]:
    """
    Check what the certificate of a peer is for.

    @param server: whether the peer is the server.
    @return: remarks on what is odd and was not marked critical.
    @raise VirtError: it may not be used so.
    """
    path = "[session]"
    try:
        _checkConstraints(certificate, path, server, False)
        return _checkUsage(certificate, path, False) + _checkPurpose(certificate, path, server)
    except ValueError as problem:
        raise systemError(f"Certificate {path} cannot be understood: {problem}") from None
