"""
OpenSSL's reasons in the words of libvirt's library, GnuTLS: why a certificate is not trusted, why a handshake failed.

The words are those that libvirt 9.0.0 shows; a reason that has none keeps OpenSSL's.
"""

from __future__ import annotations

from OpenSSL import SSL
from twisted.python.failure import Failure

__all__ = ["certificateReason", "failureText"]

_UNKNOWN_ISSUER = frozenset((2, 18, 19, 20, 21, 27))
_CERTIFICATE = {
    9: "The certificate is not yet activated.",
    10: "The certificate has expired.",
    12: "The revocation list has expired.",
    23: "The certificate has been revoked.",
}
"""By OpenSSL's number for the result of a verification."""

_ALERTS = ("tls alert", "ssl/tls alert", "sslv3 alert", "tlsv1 ", "tlsv13 ")
"""What OpenSSL's words for an alert of the peer begin with; one that it does not know has none."""
_ENDED = "The TLS connection was non-properly terminated."
_UNEXPECTED = "An unexpected TLS packet was received."
_HANDSHAKE = {
    "wrong version number": _UNEXPECTED,
    "http request": _UNEXPECTED,
    "https proxy request": _UNEXPECTED,
    "unexpected message": _UNEXPECTED,
    "packet length too long": "A TLS record packet with invalid length was received.",
    "unsupported protocol": "A packet with illegal or unsupported version was received.",
    "version too low": "A packet with illegal or unsupported version was received.",
    "no shared cipher": "No supported cipher suites have been found.",
    "decryption failed or bad record mac": "Decryption has failed.",
    "bad signature": "Public key signature verification has failed.",
    "unexpected eof while reading": _ENDED,
}


def certificateReason(number: int) -> str:
    """
    Say why a certificate is not trusted.

    @param number: OpenSSL's result of the verification.
    """
    if number in _UNKNOWN_ISSUER:
        return "The certificate hasn't got a known issuer."
    return _CERTIFICATE.get(number, f"The certificate is not trusted (OpenSSL's reason {number}).")


def failureText(reason: Failure) -> str:
    """Say why a connection ended within its handshake."""
    found = reason.value
    if not isinstance(found, SSL.Error) or not found.args or not found.args[0]:
        return _ENDED
    text = str(found.args[0][-1][-1])
    if not text or text.startswith(_ALERTS):
        return "A TLS fatal alert has been received."
    return _HANDSHAKE.get(text, text)
