"""
What binds a login to the TLS channel that it is made in: the hash of the server's certificate.

Source: RFC 5929, C{tls-server-end-point}; it is the binding that TLS 1.3 has, too.
"""

from __future__ import annotations

from typing import Any

__all__ = ["BINDING", "channelBinding"]

BINDING = "tls-server-end-point"


def channelBinding(transport: Any, *, server: bool) -> tuple[str, bytes] | None:
    """
    Return the binding of a connection, its type and its data.

    @param server: whether the transport's own end is the server.
    @return: None: it is not TLS.
    """
    handle = getattr(transport, "getHandle", lambda: None)()
    if handle is None or not hasattr(handle, "get_peer_certificate"):
        return None
    found = handle.get_certificate() if server else handle.get_peer_certificate()
    if found is None:
        return None
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    certificate = found.to_cryptography()
    algorithm = certificate.signature_hash_algorithm
    if algorithm is None or algorithm.name in ("md5", "sha1"):
        algorithm = SHA256()
    from hashlib import new

    return BINDING, new(
        algorithm.name.replace("-", "_"), certificate.public_bytes(Encoding.DER)
    ).digest()
