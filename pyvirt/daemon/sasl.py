"""
SASL in the daemon: who logs in shows it by one of the mechanisms here.

Which are offered depends on the door: a password itself travels only inside TLS, where logins may also be bound to
the channel and certificates stand for themselves; a plain TCP socket has only what encrypts it afterwards, GSSAPI, as
libvirt demands.  What went wrong is for the log; the client is told that it failed, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import attrs
from twisted.internet.defer import CancelledError, Deferred, DeferredSemaphore
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure

from pyvirt.daemon.identity import Identity
from pyvirt.daemon.passwords import PasswordFile, PasswordFileError, verify
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.sasl import OFFERED
from pyvirt.sasl.binding import channelBinding
from pyvirt.sasl.kerberos import Acceptor, KerberosError, acceptorProblem
from pyvirt.sasl.layer import SecurityLayer

if TYPE_CHECKING:
    from pyvirt.daemon.session import Session

__all__ = ["SASL", "Login", "Step", "failed", "makeSASL"]

_ATTEMPTS = 5
"""Failed logins on one connection after which it is closed."""
_DATA = 8192
"""The longest answer of a client, in bytes."""

log = Logger()


class Step(NamedTuple):
    """What a client is told: whether it is in, and the server's words, None: none."""

    complete: bool
    data: bytes | None


class Refused(Exception):
    """A login failed; the text is for the log."""


def failed() -> VirtError:
    """Make the error that clients are told, whatever the reason."""
    return virtError(ErrorCode.AUTH_FAILED, "authentication failed", ErrorDomain.RPC)


@attrs.define(kw_only=True)
class SASL:
    """
    How clients of a daemon log in.

    @ivar passwords: who has one.
    @ivar mechanisms: those of L{pyvirt.sasl.KNOWN} that may be used.
    @ivar allowed: patterns of names that may come in, None: every name.
    @ivar keytab: the file of the daemon's Kerberos keys, None: the system's.
    @ivar minimumSSF: bits of the key that has to encrypt what a plain TCP socket carries.
    @ivar inThread: calls a function in a thread.
    @ivar checks: lets one password be hashed at a time: that is made to cost much, and threads and CPUs are there for
        those who are inside as well.
    """

    passwords: PasswordFile
    mechanisms: tuple[str, ...] = OFFERED
    allowed: tuple[str, ...] | None = None
    keytab: str | None = None
    minimumSSF: int = 112
    inThread: Callable[..., Deferred[Any]]
    checks: DeferredSemaphore = attrs.Factory(lambda: DeferredSemaphore(1))

    def offered(self, identity: Identity, binding: Any) -> list[str]:
        """The mechanisms for a client that came by some door, the best first."""
        if identity.transport == "tcp":
            return [each for each in self.mechanisms if each == "GSSAPI"]
        isTLS = identity.transport == "tls"
        found: list[str] = []
        for each in self.mechanisms:
            if each.startswith("SCRAM"):
                if binding is not None:
                    found.append(f"{each}-PLUS")
                found.append(each)
            elif each == "GSSAPI" or (
                isTLS and (each != "EXTERNAL" or identity.x509Name is not None)
            ):
                found.append(each)
        return found

    def check(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """
        Call what costs much, when it is its turn.

        A client that goes away gives up its place in the queue; what is being worked at for it is worked at to its end
        before the next begins.
        """

        def begin(_: object) -> Deferred[Any]:
            answer: Deferred[Any] = Deferred()

            def ended(result: Any) -> None:
                self.checks.release()
                if not answer.called:
                    answer.callback(result)

            self.inThread(function, *arguments).addBoth(ended)
            return answer

        return self.checks.acquire().addCallback(begin)

    def permits(self, name: str) -> bool:
        """Whether somebody of this name may come in."""
        return self.allowed is None or any(fnmatchcase(name, each) for each in self.allowed)


def makeSASL(
    reactor: Any,
    path: str,
    mechanisms: Sequence[str],
    allowed: tuple[str, ...] | None,
    *,
    keytab: str | None = None,
    minimumSSF: int = 112,
) -> SASL:
    """Make what a configuration asks for."""
    if "GSSAPI" in mechanisms:
        problem = acceptorProblem(keytab)
        if problem is not None:
            log.warn("nobody can log in by GSSAPI: {problem}", problem=problem)

    def inThread(function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        return deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)

    return SASL(
        passwords=PasswordFile(path),
        mechanisms=tuple(mechanisms),
        allowed=allowed,
        keytab=keytab,
        minimumSSF=minimumSSF,
        inThread=inThread,
    )


class _Scram:
    """The server's side of SCRAM."""

    def __init__(self, name: str, sasl: SASL, binding: tuple[str, bytes] | None) -> None:
        self._plain = name.removesuffix("-PLUS")
        self._sasl = sasl
        self._user = ""
        self._real = False
        self._stage = 0
        from scramp import ScramException, ScramMechanism

        try:
            self._server = ScramMechanism(name).make_server(self._find, channel_binding=binding)
        except ScramException as problem:
            raise Refused(str(problem)) from None

    def _find(self, user: str) -> tuple[bytes, bytes, bytes, int]:
        self._user = user
        verifier, self._real = self._sasl.passwords.find(user, self._plain)
        return tuple(verifier)  # type: ignore[return-value]

    def _first(self, text: str) -> None:
        """Take the client's first words; who it wants to act as, which scramp does not know, must be itself."""
        flag, comma, rest = text.partition(",")
        asked, _, bare = rest.partition(",")
        self._server.set_client_first(f"{flag},,{bare}" if comma else text)
        if asked:
            if asked != f"a={self._user.replace('=', '=3D').replace(',', '=2C')}":
                raise Refused(f"user {self._user!r} cannot act as {asked[:200]!r}")
            header = self._server.gs2_header
            covered = header.make_cbind_input
            # What the login is bound to begins with the words as they were sent.
            header.make_cbind_input = lambda binding: (
                f"{flag},{asked},".encode() + covered(binding)[len(f"{flag},,") :]
            )

    def step(self, data: bytes | None) -> tuple[bytes | None, str | None]:
        if not data:
            if self._stage:
                raise Refused("an empty answer")
            return None, None
        self._stage += 1
        from scramp import ScramException

        try:
            text = data.decode()
            if self._stage == 1:
                self._first(text)
                return self._server.get_server_first().encode(), None
            self._server.set_client_final(text)
            if not self._real:
                raise Refused(f"there is no user {self._user!r}")
            return self._server.get_server_final().encode(), self._user
        except ScramException as problem:
            cause = problem.__cause__
            if isinstance(cause, PasswordFileError):
                raise Refused(str(cause)) from None
            raise Refused(f"{problem} (user {self._user!r})") from None
        except (UnicodeDecodeError, ValueError, KeyError, IndexError) as problem:
            raise Refused(f"a malformed answer: {type(problem).__name__}") from None


class _Plain:
    """A password, checked by the verifier that SCRAM has."""

    def __init__(self, sasl: SASL) -> None:
        self._sasl = sasl

    def step(self, data: bytes | None) -> Any:
        if data is None:
            return None, None
        parts = data.split(b"\0")
        if len(parts) != 3:
            raise Refused("a malformed answer")
        try:
            asked, user, password = (each.decode() for each in parts)
        except UnicodeDecodeError:
            raise Refused("a malformed answer") from None
        if asked not in ("", user):
            raise Refused(f"user {user!r} cannot act as {asked!r}")
        mechanism = "SCRAM-SHA-256"
        try:
            verifier, real = self._sasl.passwords.find(user, mechanism)
        except PasswordFileError as problem:
            raise Refused(str(problem)) from None

        def checked(right: bool) -> tuple[bytes | None, str | None]:
            if not right or not real:
                raise Refused(f"wrong name or password (user {user!r})")
            return None, user

        return self._sasl.check(verify, mechanism, verifier, password).addCallback(checked)


class _Kerberos:
    """Whom a ticket names; where nothing else encrypts the connection it does."""

    def __init__(self, sasl: SASL, strength: int) -> None:
        self._sasl = sasl
        self._strength = strength
        self._acceptor: Acceptor | None = None

    @property
    def cipher(self) -> Any:
        """What encrypts from now on."""
        return self._acceptor and self._acceptor.cipher

    def step(self, data: bytes | None) -> Any:
        # Keys are read from files, and used tickets are remembered in one.
        return self._sasl.inThread(self._step, data)

    def _step(self, data: bytes | None) -> tuple[bytes | None, str | None]:
        try:
            if self._acceptor is None:
                self._acceptor = Acceptor(self._sasl.keytab, self._strength)
            answer = self._acceptor.step(data)
        except KerberosError as problem:
            raise Refused(str(problem)) from None
        return answer, self._acceptor.name


class _External:
    """Who the client's certificate says."""

    def __init__(self, identity: Identity) -> None:
        self._name = identity.x509Name

    def step(self, data: bytes | None) -> tuple[bytes | None, str | None]:
        if data is None:
            return None, None
        if self._name is None:
            raise Refused("there is no certificate")
        if data not in (b"", self._name.encode()):
            raise Refused(f"{self._name!r} cannot act as {data[:200]!r}")
        return None, self._name


class Login:
    """
    The logins of one session.

    @ivar session: whose client logs in.
    """

    def __init__(self, sasl: SASL, session: Session) -> None:
        self.sasl = sasl
        self.session = session
        self._offered: list[str] | None = None
        self._mechanism: Any = None
        self._busy = False
        self._waiting: Deferred[Any] | None = None
        self._failures = 0

    def forget(self) -> None:
        """The client has gone: do not wait for its turn any longer."""
        if self._waiting is not None:
            self._waiting.cancel()

    def _refuse(self, reason: str) -> VirtError:
        session = self.session
        self._offered = self._mechanism = None
        self._failures += 1
        session.loginFailed(reason)
        if self._failures >= _ATTEMPTS:
            session.closeWhenAnswered()
        return failed()

    def init(self) -> str:
        """
        Begin.

        @return: the mechanisms, with commas between.
        @raise VirtError: one is under way, or there are none.
        """
        session = self.session
        if self._offered is not None or self._busy or session.authenticated:
            raise self._refuse("it began again before the end")
        binding = channelBinding(session.transport, server=True)
        offered = self.sasl.offered(session.identity, binding)
        if not offered:
            raise self._refuse(
                "there is no mechanism for a transport that nothing encrypts: use TLS"
            )
        self._offered = offered
        return ",".join(offered)

    def start(self, mechanism: str, data: bytes | None) -> Any:
        """
        Choose a mechanism.

        @param data: the client's first words, None: none.
        @return: a L{Step}, or a Deferred of one.
        @raise VirtError: it failed.
        """
        if self._offered is None or self._mechanism is not None or self._busy:
            raise self._refuse("it started out of turn")
        name = mechanism.upper()
        if name not in self._offered:
            raise self._refuse(f"mechanism {mechanism[:40]!r} was not offered")
        identity = self.session.identity
        try:
            if name == "PLAIN":
                self._mechanism = _Plain(self.sasl)
            elif name == "EXTERNAL":
                self._mechanism = _External(identity)
            elif name == "GSSAPI":
                open = identity.transport == "tcp"
                self._mechanism = _Kerberos(self.sasl, self.sasl.minimumSSF if open else 0)
            else:
                binding = channelBinding(self.session.transport, server=True)
                self._mechanism = _Scram(name, self.sasl, binding)
        except Refused as problem:
            raise self._refuse(str(problem)) from None
        return self.step(data)

    def step(self, data: bytes | None) -> Any:
        """Go on; as L{start}."""
        if self._mechanism is None or self._busy:
            raise self._refuse("it went on out of turn")
        if data is not None and len(data) > _DATA:
            raise self._refuse(f"an answer of {len(data)} bytes")
        try:
            answer = self.session.server.turns.run(partial(self._mechanism.step, data))
        except Refused as problem:
            raise self._refuse(str(problem)) from None
        if isinstance(answer, Deferred):
            self._busy = True
            self._waiting = answer
            return answer.addCallbacks(self._later, self._laterFailed)
        return self._answered(*answer)

    def _later(self, answer: tuple[bytes | None, str | None]) -> Step:
        self._busy, self._waiting = False, None
        return self._answered(*answer)

    def _laterFailed(self, failure: Failure) -> Any:
        self._busy, self._waiting = False, None
        if failure.check(CancelledError):
            raise failed()
        if failure.check(Refused):
            raise self._refuse(str(failure.value))
        return failure

    def _answered(self, data: bytes | None, name: str | None) -> Step:
        if name is None:
            return Step(False, data)
        if not self.sasl.permits(name):
            raise self._refuse(f"SASL client identity '{name}' not allowed by ACL")
        session = self.session
        session.identity = attrs.evolve(session.identity, saslName=name)
        cipher = getattr(self._mechanism, "cipher", None)
        self._offered = self._mechanism = None
        if cipher is not None:
            session.seal(SecurityLayer(cipher), behindNext=True)
        session.authenticationSucceeded()
        log.info("{peer} has logged in", peer=session.peer)
        return Step(True, data)
