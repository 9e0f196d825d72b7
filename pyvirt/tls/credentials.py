"""
The TLS contexts of both ends, and the decision about a peer once the handshake is over.

As with libvirt the handshake itself takes any certificate and L{Credentials.verify} decides afterwards, so that
who is refused, and why, is known.  What OpenSSL finds wrong on the way is noted by connection; a connection
about which OpenSSL was never asked is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, rsa
from OpenSSL import SSL, crypto

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.tls.checks import Loaded, checkOwn, checkPeer, load, systemError
from pyvirt.tls.names import distinguishedName, matchesAny, ownedBy
from pyvirt.tls.places import Places
from pyvirt.tls.priority import Priority, PriorityError, parsePriority
from pyvirt.tls.reasons import certificateReason

__all__ = ["Credentials", "Verdict", "certificateName", "handshakeFailed"]

_INVALID_PURPOSE = 26
_NO_LIST = 3
NOT_ON_LIST = (
    "Client's Distinguished Name is not on the list of allowed clients (tls_allowed_dn_list).  Use"
    " 'virt-pki-query-dn clientcert.pem' to view the Distinguished Name field in the client"
    " certificate, or run this daemon with --verbose option."
)
_WEAK = 2048
"""Bits that a key of RSA should have."""
_REMEMBERED = 256
"""Certificates of peers of which it is remembered what they say."""
_DEPTH = 8
"""The longest chain of certificates that is followed."""


@attrs.frozen(kw_only=True)
class Verdict:
    """
    What to think of a peer.

    @ivar reason: why it is refused, None: it is taken.
    @ivar name: the distinguished name in its certificate; of a peer that is taken only if it was verified.
    @ivar remarks: what is odd, for the log.
    """

    reason: str | None = None
    name: str | None = None
    remarks: tuple[str, ...] = ()


def handshakeFailed(detail: str) -> VirtError:
    """Make the error of a handshake that came to no end."""
    return virtError(ErrorCode.AUTH_FAILED, f"TLS handshake failed {detail}", ErrorDomain.RPC)


class Credentials:
    """
    One end's certificates, and what it wants of its peers.

    @ivar remarks: what is odd about its own, for the log.
    """

    def __init__(
        self,
        places: Places,
        role: str,
        *,
        priority: str | None = None,
        sanity: bool = True,
        verify: bool = True,
        allowed: Sequence[str] | None = None,
    ) -> None:
        """
        Read the files; everything that can be wrong with them shows here.

        @param role: C{server} or C{client}.
        @param priority: a priority string in GnuTLS's form.
        @param sanity: whether its own certificates are checked.
        @param verify: whether peers that cannot show a good certificate are refused.
        @param allowed: patterns of distinguished names, None: any that is verified.
        @raise VirtError: they cannot be used.
        """
        self.role = role
        self.server = role == "server"
        self.requires = verify
        self.allowed = allowed
        loaded = load(places, role)
        self.authorities = loaded.authorities
        self._notes: WeakKeyDictionary[Any, dict[int, int]] = WeakKeyDictionary()
        self._verdicts: dict[tuple[x509.Certificate, str | None], Verdict] = {}
        self._known = {each.subject for each in loaded.authorities}
        remarks = checkOwn(loaded, role) if sanity else []
        try:
            # Also without a string: GnuTLS's default versions and ciphers.
            self._priority: Priority = parsePriority("NORMAL" if priority is None else priority)
            self._context = self._makeContext(loaded)
        except (PriorityError, SSL.Error) as problem:
            raise systemError(
                f"Failed to set TLS session priority to {priority}: {problem}"
            ) from None
        if sanity and loaded.chain:
            untrusted = self._checkPair(loaded)
            if untrusted is not None:
                raise systemError(
                    f"Our own certificate {places.certificate} failed validation against"
                    f" {places.authority}: {untrusted}"
                )
        if self.server and "VERS-TLS1.2" not in self._priority.versions:
            remarks.append(
                f"tls_priority {priority} leaves TLS 1.3 alone: libvirt's clients cannot connect"
            )
        for shown in (*loaded.authorities, *loaded.chain[:1]):
            key = shown.public_key()
            name = f"'{shown.subject.rfc4514_string()}'"
            if isinstance(key, rsa.RSAPublicKey) and key.key_size < _WEAK:
                remarks.append(f"the key of {name} has {key.key_size} bits, which is weak")
            if self.server and isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
                remarks.append(
                    f"the key of {name} is of a kind of which libvirt's clients show no certificates in TLS 1.2:"
                    " theirs must have EC or RSA keys"
                )
        for each in loaded.revocations:
            if each.issuer not in self._known:
                remarks.append(
                    f"the revocation list {places.revocations} is of"
                    f" '{distinguishedName(each.issuer)}', which is no authority here"
                )
        self.remarks = tuple(remarks)

    def _makeContext(self, loaded: Loaded) -> Any:
        context = SSL.Context(SSL.TLS_METHOD)
        context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION)
        # A session taken up again would come without its certificate being looked at.
        context.set_options(SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        self._priority.apply(context)
        if self.server and "VERS-TLS1.2" in self._priority.versions:
            # In TLS 1.3 OpenSSL sends session tickets that nothing here can switch off, and libvirt's client
            # takes one that comes before the verdict for a failure.
            context.set_max_proto_version(SSL.TLS1_2_VERSION)
        if loaded.chain:
            self._setCertificate(context, loaded)
        store = context.get_cert_store()
        assert store is not None
        for each in loaded.authorities:
            store.add_cert(crypto.X509.from_cryptography(each))
            if self.server:
                context.add_client_ca(each)
        # An authority is trusted because it is in the file, whoever else has signed for it.
        flags = crypto.X509StoreFlags.PARTIAL_CHAIN
        if loaded.revocations:
            for found in loaded.revocations:
                store.add_crl(found)
            flags |= crypto.X509StoreFlags.CRL_CHECK | crypto.X509StoreFlags.CRL_CHECK_ALL
        store.set_flags(flags)
        context.set_verify_depth(_DEPTH)
        context.set_verify(SSL.VERIFY_PEER, self._note)
        return context

    def _setCertificate(self, context: Any, loaded: Loaded) -> None:
        places = loaded.places
        pair = f"{places.key}, {places.certificate}"
        try:
            key = serialization.load_pem_private_key(loaded.key, None)
        except (TypeError, ValueError) as problem:
            why = "it is encrypted" if isinstance(problem, TypeError) else "it is no private key"
            raise systemError(f"Unable to set x509 key and certificate: {pair}: {why}") from None
        certificate, *others = loaded.chain
        if key.public_key() != certificate.public_key():
            raise systemError(
                f"Unable to set x509 key and certificate: {pair}:"
                " The certificate and the given key do not match."
            )
        try:
            context.use_certificate(certificate)
            for each in others:
                context.add_extra_chain_cert(each)
            context.use_privatekey(key)
            context.check_privatekey()
        except (SSL.Error, TypeError, ValueError) as problem:
            raise systemError(
                f"Unable to set x509 key and certificate: {pair}: {problem}"
            ) from None

    def _checkPair(self, loaded: Loaded) -> str | None:
        """Check that peers with the same authorities would take our certificate."""
        store = crypto.X509Store()
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        for each in loaded.authorities:
            store.add_cert(crypto.X509.from_cryptography(each))
        certificate, *others = (crypto.X509.from_cryptography(each) for each in loaded.chain)
        try:
            crypto.X509StoreContext(store, certificate, list(others)).verify_certificate()
        except crypto.X509StoreContextError as problem:
            return certificateReason(int(problem.errors[0]))
        return None

    def connection(self, host: str | None = None) -> Any:
        """
        Make an L{OpenSSL.SSL.Connection} for a new connection.

        @param host: on a client, the server's name; an address is not sent.
        """
        connection = SSL.Connection(self._context, None)
        self._notes[connection] = {}
        if self.server:
            connection.set_accept_state()
        else:
            if host:
                connection.set_tlsext_host_name(host.encode("idna"))
            connection.set_connect_state()
        return connection

    def verify(self, connection: Any, host: str | None = None) -> Verdict:
        """
        Decide about the peer of a connection whose handshake is over.

        @param host: on a client, the name or address that the server must be.
        """
        notes = self._notes.pop(connection, {})
        certificate = connection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            return self._answer("Unable to verify TLS peer: No certificate was found.", None, ())
        if notes and not any(notes.values()):
            # Nobody knows anything against it but what it says itself, which is always the same.
            verdict = self._verdicts.get((certificate, host))
            if verdict is None:
                if len(self._verdicts) >= _REMEMBERED:
                    self._verdicts.clear()
                verdict = self._judge(certificate, host, notes)
                self._verdicts[certificate, host] = verdict
            return verdict
        return self._judge(certificate, host, notes)

    def _judge(
        self, certificate: x509.Certificate, host: str | None, notes: dict[int, int]
    ) -> Verdict:
        try:
            name = distinguishedName(certificate.subject)
        except ValueError as problem:
            return self._answer(f"its name cannot be understood: {problem}", None, ())
        if not notes:
            return self._answer("Unable to verify TLS peer: it was not verified.", name, ())
        for depth in sorted(notes):
            if notes[depth]:
                return self._answer(
                    f"Certificate failed validation: {certificateReason(notes[depth])}", name, ()
                )
        try:
            remarks = tuple(checkPeer(certificate, server=not self.server))
        except VirtError as problem:
            return self._answer(str(problem), name, ())
        if self.server and self.allowed is not None and not matchesAny(name, self.allowed):
            return self._answer(NOT_ON_LIST, name, remarks)
        if host is not None and not ownedBy(certificate, host):
            return self._answer(
                f"Certificate [session] owner does not match the hostname {host}", name, remarks
            )
        return Verdict(name=name, remarks=remarks)

    def _note(self, connection: Any, certificate: Any, number: int, depth: int, good: int) -> bool:
        """Remember what OpenSSL thinks of a certificate, and go on: the decision comes later."""
        if number == _NO_LIST:
            number = 0  # whoever signed it keeps no list here
        if number == _INVALID_PURPOSE and depth == 0:
            number = 0  # looked at by checkPeer, which tells what is critical from what is not
        notes = self._notes.get(connection)
        if notes is not None and not notes.get(depth):
            notes[depth] = number
        return notes is not None

    def _answer(self, reason: str, name: str | None, remarks: tuple[str, ...]) -> Verdict:
        if self.requires:
            return Verdict(reason=reason, name=name, remarks=remarks)
        return Verdict(remarks=(*remarks, f"{reason} Ignored, as verification is switched off."))


def certificateName(path: str) -> str:
    """
    Return the distinguished name in a certificate's file.

    @raise VirtError: it cannot be read.
    """
    from pyvirt.tls.checks import _certificates, _read

    found: x509.Certificate = _certificates(
        _read(path, "certificate"), f"Unable to import certificate {path}"
    )[0]
    return distinguishedName(found.subject)
