"""
GSSAPI, which is Kerberos: both sides of the mechanism, by the package C{gssapi} if it is installed.

Every step may read files or ask a server, so it is for a thread.  Where nothing else encrypts the connection, the
login agrees on a security layer that does.

Source: RFC 4752; the observed behaviour of Cyrus SASL, whose words the errors have.
"""

from __future__ import annotations

import importlib
from typing import Any

from pyvirt.sasl.layer import LARGEST, LayerError

__all__ = [
    "MISSING",
    "Acceptor",
    "GSSCipher",
    "Initiator",
    "KerberosError",
    "acceptorProblem",
    "initiatorProblem",
    "isAvailable",
]

MISSING = "GSSAPI needs the Python package 'gssapi' (pip install 'pyvirt[gssapi]')"
SERVICE = "libvirt"
_NONE, _CONFIDENTIAL = 1, 4
_SSF_OF_CONTEXT = "1.2.840.113554.1.2.2.5.15"
_WEAKEST = 56


class KerberosError(Exception):
    """
    A login failed; the text says why.

    @ivar code: as Cyrus SASL numbers it.
    """

    def __init__(self, text: str, code: int = -1) -> None:
        super().__init__(text)
        self.code = code


def _package() -> Any:
    # Imported when it is needed, for it need not be there.
    return importlib.import_module("gssapi")


def isAvailable() -> bool:
    """Whether the package is there, and the libraries that it needs."""
    try:
        _package()
    except (ImportError, OSError):
        return False
    return True


def _words(problem: Any) -> str:
    """Say what went wrong, as Cyrus SASL does."""
    major = " ".join(_texts(problem, True)).rstrip(". ")
    minor = " ".join(_texts(problem, False))
    return f"GSSAPI Error: {major}{f' ({minor})' if minor else ''}"


def _texts(problem: Any, isMajor: bool) -> list[str]:
    code = problem.maj_code if isMajor else problem.min_code
    if not isMajor and not code:
        return []
    try:
        return list(problem.get_all_statuses(code, isMajor))
    except Exception:
        return [str(code)]


def _failed(problem: Any) -> KerberosError:
    return KerberosError(f"generic failure: {_words(problem)}")


def _credentials(usage: str, name: Any, store: dict[str, str] | None) -> Any:
    gssapi = _package()
    more = {"store": store} if store else {}
    return gssapi.Credentials(name=name, usage=usage, mechs=[gssapi.MechType.kerberos], **more)


def acceptorProblem(keytab: str | None) -> str | None:
    """
    Say what keeps this side from being logged in to.

    @param keytab: the file of the daemon's keys, None: the system's.
    @return: None: nothing.
    """
    gssapi = _package()

    try:
        _acceptorCredentials(keytab)
    except gssapi.exceptions.GSSError as problem:
        return _words(problem)
    return None


def _acceptorCredentials(keytab: str | None) -> Any:
    gssapi = _package()

    # The service without a host: any of the names that this host may have.
    name = gssapi.Name(SERVICE, gssapi.NameType.hostbased_service)
    return _credentials("accept", name, {"keytab": f"FILE:{keytab}"} if keytab else None)


def initiatorProblem() -> str | None:
    """Say what keeps this side from logging in: that there is no ticket, say.  None: nothing."""
    gssapi = _package()

    try:
        if not _credentials("initiate", None, None).lifetime:
            return "generic failure: GSSAPI Error: the ticket has expired"
    except gssapi.exceptions.ExpiredCredentialsError:
        return "generic failure: GSSAPI Error: the ticket has expired"
    except gssapi.exceptions.GSSError as problem:
        return str(_failed(problem))
    return None


def _shortName(found: Any) -> str:
    """Return a name, without its realm if that is this host's own, as Cyrus SASL does."""
    gssapi = _package()

    text = str(found)
    short = text.rpartition("@")[0]
    if short:
        try:
            local = gssapi.Name(short, gssapi.NameType.user).canonicalize(gssapi.MechType.kerberos)
            if local == found:
                return short
        except gssapi.exceptions.GSSError:
            pass  # there is no realm of this host's own
    return text


class GSSCipher:
    """Encrypts by what a login has agreed on."""

    def __init__(self, context: Any, largest: int) -> None:
        """
        @param largest: bytes of ciphertext in one piece that the peer takes.
        @raise KerberosError: that is too little.
        """
        self._context = context
        self.room = _package().raw.wrap_size_limit(context, largest, True)
        if self.room < 1:
            raise KerberosError(f"the peer takes {largest} bytes at a time, too few for anything")

    def seal(self, data: bytes) -> bytes:
        """Encrypt."""
        sealed: bytes = self._context.wrap(data, True).message
        return sealed

    def open(self, data: bytes) -> bytes:
        """Decrypt; see L{pyvirt.sasl.layer.Cipher}."""
        gssapi = _package()

        try:
            found = self._context.unwrap(data)
        except gssapi.exceptions.GSSError as problem:
            raise LayerError(_words(problem)) from None
        if not found.encrypted:
            raise LayerError("a piece is not encrypted")
        opened: bytes = found.message
        return opened


class _Side:
    """
    What both sides have.

    @ivar done: the peer has shown who it is.
    @ivar cipher: encrypts from now on, None: nothing does.
    """

    done = False
    cipher: GSSCipher | None = None
    _context: Any

    def __init__(self, strength: int) -> None:
        """
        @param strength: bits of the key that has to encrypt the connection; 0: something else does.
        """
        self._strength = strength
        self._stage = 0

    def _token(self, data: bytes | None) -> bytes | None:
        gssapi = _package()

        try:
            answer: bytes | None = self._context.step(data)
            return answer
        except gssapi.exceptions.GSSError as problem:
            raise _failed(problem) from None

    def _wrapped(self, text: bytes) -> bytes:
        answer: bytes = self._context.wrap(text, False).message
        return answer

    def _unwrapped(self, data: bytes | None) -> bytes:
        gssapi = _package()

        try:
            found: bytes = self._context.unwrap(data or b"").message
        except gssapi.exceptions.GSSError as problem:
            raise _failed(problem) from None
        if len(found) < 4:
            raise KerberosError("protocol violation: an offer of layers is too short", -5)
        return found

    def _checkStrength(self) -> None:
        """
        Check that the keys are long enough, where they have to encrypt.

        @raise KerberosError: they are not.
        """
        gssapi = _package()

        if not self._strength:
            return
        found = 0
        if gssapi.RequirementFlag.confidentiality & self._context.actual_flags:
            found = _WEAKEST
            try:
                oid = gssapi.OID.from_int_seq(_SSF_OF_CONTEXT)
                found = int.from_bytes(
                    gssapi.raw.inquire_sec_context_by_oid(self._context, oid)[0], "big"
                )
            except (gssapi.exceptions.GSSError, IndexError):
                pass
        if found < self._strength:
            raise KerberosError(
                f"mechanism too weak for this user: keys of {found} bits, at least {self._strength} are asked for",
                -15,
            )


class Initiator(_Side):
    """The client's side."""

    def __init__(self, host: str, strength: int) -> None:
        """
        @param host: where the daemon is.
        """
        super().__init__(strength)
        gssapi = _package()

        flag = gssapi.RequirementFlag
        flags = flag.mutual_authentication | flag.out_of_sequence_detection | flag.integrity
        try:
            self._context = gssapi.SecurityContext(
                name=gssapi.Name(f"{SERVICE}@{host}", gssapi.NameType.hostbased_service),
                mech=gssapi.MechType.kerberos,
                flags=flags | flag.confidentiality if strength else flags,
                usage="initiate",
            )
        except gssapi.exceptions.GSSError as problem:
            raise _failed(problem) from None

    def first(self) -> bytes | None:
        """What is said first."""
        return self._token(None)

    def step(self, data: bytes | None) -> bytes | None:
        """
        Answer the server.

        @raise KerberosError: what it says is wrong.
        """
        if self.done:
            raise KerberosError("the server goes on after the end")
        if not self._context.complete:
            return self._token(data or b"") or b""
        offered = self._unwrapped(data)
        layers, largest = offered[0], int.from_bytes(offered[1:4], "big")
        wanted = _CONFIDENTIAL if self._strength else _NONE
        if not layers & wanted:
            raise KerberosError(
                "mechanism too weak for this user: the server encrypts nothing", -15
            )
        self._checkStrength()
        self.done = True
        if not self._strength:
            return self._wrapped(bytes([_NONE, 0, 0, 0]))
        answer = self._wrapped(bytes([_CONFIDENTIAL]) + (LARGEST - 1).to_bytes(3, "big"))
        self.cipher = GSSCipher(self._context, largest)
        return answer


class Acceptor(_Side):
    """
    The daemon's side.

    @ivar name: who has logged in.
    """

    name: str | None = None

    def __init__(self, keytab: str | None, strength: int) -> None:
        super().__init__(strength)
        gssapi = _package()

        try:
            self._context = gssapi.SecurityContext(
                creds=_acceptorCredentials(keytab), usage="accept"
            )
        except gssapi.exceptions.GSSError as problem:
            raise _failed(problem) from None

    def step(self, data: bytes | None) -> bytes | None:
        """
        Answer the client; C{None} at the end.

        @raise KerberosError: it is not let in.
        """
        if self._stage == 0:
            if data is None:
                return None
            answer = self._token(data)
            if not self._context.complete:
                return answer or b""
            self._stage = 1
            if answer:
                return answer
            data = None
        if self._stage == 1:
            if data:
                raise KerberosError("protocol violation: words where there should be none", -5)
            self._stage = 2
            self._checkStrength()
            if not self._strength:
                return self._wrapped(bytes([_NONE, 0, 0, 0]))
            return self._wrapped(bytes([_CONFIDENTIAL]) + (LARGEST - 1).to_bytes(3, "big"))
        chosen = self._unwrapped(data)
        wanted = _CONFIDENTIAL if self._strength else _NONE
        if chosen[0] != wanted:
            raise KerberosError(f"the client chose layer {chosen[0]}, not {wanted}")
        name = _shortName(self._context.initiator_name)
        try:
            asked = chosen[4:].decode()
        except UnicodeDecodeError:
            raise KerberosError("the name to act as is no UTF-8 text") from None
        if asked not in ("", name):
            raise KerberosError(f"{name!r} cannot act as {asked[:200]!r}")
        if self._strength:
            self.cipher = GSSCipher(self._context, int.from_bytes(chosen[1:4], "big"))
        self.done = True
        self.name = name
        return None
