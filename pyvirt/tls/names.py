"""
Names in certificates: the text form of a distinguished name, patterns for it, and what hosts a server may be.

The text is what GnuTLS writes, for that is what people copied into their C{tls_allowed_dn_list}: parts in the
order of the certificate, RFC 4514's escapes, an unknown part by its number and its encoding in hexadecimal.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

__all__ = ["distinguishedName", "matchesAny", "ownedBy"]

_LABELS = {
    NameOID.COMMON_NAME: "CN",
    NameOID.COUNTRY_NAME: "C",
    NameOID.STATE_OR_PROVINCE_NAME: "ST",
    NameOID.LOCALITY_NAME: "L",
    NameOID.ORGANIZATION_NAME: "O",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "OU",
    NameOID.EMAIL_ADDRESS: "EMAIL",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.USER_ID: "UID",
    NameOID.DOMAIN_COMPONENT: "DC",
    NameOID.TITLE: "title",
    NameOID.SURNAME: "surName",
    NameOID.GIVEN_NAME: "givenName",
    NameOID.STREET_ADDRESS: "street",
    NameOID.POSTAL_CODE: "postalCode",
    NameOID.PSEUDONYM: "pseudonym",
    NameOID.GENERATION_QUALIFIER: "generationQualifier",
    NameOID.DN_QUALIFIER: "dnQualifier",
    NameOID.INITIALS: "initials",
    NameOID.BUSINESS_CATEGORY: "businessCategory",
    NameOID.JURISDICTION_COUNTRY_NAME: "jurisdictionOfIncorporationCountryName",
    NameOID.JURISDICTION_STATE_OR_PROVINCE_NAME: "jurisdictionOfIncorporationStateOrProvinceName",
    NameOID.JURISDICTION_LOCALITY_NAME: "jurisdictionOfIncorporationLocalityName",
}


def _escaped(value: str) -> str:
    text = re.sub(r'([,+"\\<>;])', r"\\\1", value)
    if text[:1] in (" ", "#"):
        text = "\\" + text
    if text.endswith(" ") and len(value) > 1:
        text = text[:-1] + "\\ "
    return text


def _part(attribute: x509.NameAttribute[Any]) -> str:
    label = _LABELS.get(attribute.oid)
    value = attribute.value
    if label is not None and isinstance(value, str):
        return f"{label}={_escaped(value)}"
    data = value if isinstance(value, bytes) else value.encode()
    length = bytes([len(data)])
    if len(data) > 127:
        size = len(data).to_bytes((len(data).bit_length() + 7) // 8, "big")
        length = bytes([0x80 | len(size)]) + size
    kind = attribute._type.value  # which string type it is encoded as has no public name
    return f"{attribute.oid.dotted_string}=#{(bytes([kind]) + length + data).hex()}"


def distinguishedName(name: x509.Name) -> str:
    """Write a distinguished name: C{C=GB,O=Example,CN=alice}."""
    return ",".join("+".join(map(_part, each)) for each in name.rdns)


def matchesAny(name: str, patterns: Iterable[str]) -> bool:
    """
    Whether a name is allowed by any of the patterns.

    C{*} stands for any characters, C{?} for one; everything else, brackets and backslashes too, for itself.
    """
    return any(re.fullmatch(_expression(each), name, re.DOTALL) for each in patterns)


def _expression(pattern: str) -> str:
    # Stars in a row are one; otherwise they would try every split of what they match.
    parts = re.split(r"(\*+|\?)", pattern)
    return "".join(
        ".*" if each.startswith("*") else "." if each == "?" else re.escape(each) for each in parts
    )


def _alternatives(certificate: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None


def ownedBy(certificate: x509.Certificate, host: str) -> bool:
    """
    Whether a server's certificate is for C{host}, a name or an address.

    Alternative names count; the common name does where there are none, as it does for libvirt.
    """
    alternatives = _alternatives(certificate)
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        address = None
    names: list[str] = []
    if alternatives is not None:
        if address is not None:
            return address in alternatives.get_values_for_type(x509.IPAddress)
        names = alternatives.get_values_for_type(x509.DNSName)
        if not names and alternatives.get_values_for_type(x509.IPAddress):
            return False
    if not names:
        found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        if len(found) != 1 or not isinstance(found[0].value, str):
            return False
        names = [found[0].value]
        if address is not None:
            return names[0] == host
    try:
        wanted = host.rstrip(".").encode("idna").decode().lower() if host else ""
    except UnicodeError:
        return False
    return any(_hostMatches(each.lower(), wanted) for each in names)


def _hostMatches(pattern: str, host: str) -> bool:
    """Compare names; a star may stand for the whole first label, before two others at least."""
    if not host or "\0" in pattern:
        return False
    first, _, rest = pattern.partition(".")
    if first == "*" and "." in rest:
        return host.partition(".")[2] == rest and bool(host.partition(".")[0])
    return "*" not in pattern and pattern == host
