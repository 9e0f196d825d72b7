"""
Logging in to an SSH server: agent, keys, password, questions, in the order that the URI's C{sshauth} says.

Conch's own service knows neither RSA signatures other than by SHA-1, which servers no longer take, nor how to say
what was tried in vain.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twisted.conch.ssh import agent, common
from twisted.conch.ssh.keys import BadKeyError, EncryptedKeyError, Key
from twisted.conch.ssh.service import SSHService
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.interfaces import IReactorThreads
from twisted.internet.protocol import Factory
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.transports.asking import Asker

__all__ = ["METHODS", "Login", "LoginRefused", "keyFiles", "methodsOf"]

log = Logger()

METHODS = ("agent", "privkey", "password", "keyboard-interactive")
_NEEDS = {
    "agent": b"publickey",
    "privkey": b"publickey",
    "password": b"password",
    "keyboard-interactive": b"keyboard-interactive",
}
_REQUEST, _FAILURE, _SUCCESS, _BANNER, _SPECIFIC, _RESPONSE = 50, 51, 52, 53, 60, 61
_SIGN_SHA256, _SIGN_SHA512 = 2, 4
_ROUNDS = 10
"""Questions that a server may ask one after the other."""
_AGENT_TIMEOUT = 30.0
_ANSWER_TIMEOUT = 60.0
"""Seconds that the server may think about an attempt."""


class LoginRefused(Exception):
    """No way of logging in was accepted; the text says what was tried."""


def keyFiles(given: str | None, home: str) -> list[str]:
    """Return the files of private keys to try."""
    if given:
        return [given]
    folder = os.path.join(home, ".ssh")
    names = ("id_ed25519", "id_ecdsa", "id_rsa")
    return [each for each in (os.path.join(folder, name) for name in names) if os.path.exists(each)]


class Login(SSHService):
    """
    The authentication service of a client.

    @ivar done: fires once logged in; fails with L{LoginRefused} or L{VirtError}.
    """

    name = b"ssh-userauth"
    protocolMessages = {
        _FAILURE: "MSG_ANSWER",
        _SUCCESS: "MSG_ANSWER",
        _SPECIFIC: "MSG_ANSWER",
        _BANNER: "MSG_BANNER",
    }
    transport: Any

    def __init__(
        self,
        reactor: Any,
        user: str,
        host: str,
        methods: Sequence[str],
        keys: Sequence[str],
        asker: Asker,
        environment: Mapping[str, str],
    ) -> None:
        self._reactor = reactor
        self._user = user
        self._host = host
        self._methods = methods
        self._keys = keys
        self._asker = asker
        self._environment = environment
        self._tried: list[str] = []
        self._waiting: Deferred[tuple[int, bytes]] | None = None
        self._ended = False
        self._task: Deferred[None] | None = None
        self.done: Deferred[None] = Deferred()

    def serviceStarted(self) -> None:
        self._task = Deferred.fromCoroutine(self._run())
        self._task.addCallbacks(self._settle, self._settle)

    def serviceStopped(self) -> None:
        self._ended = True
        waiting, self._waiting = self._waiting, None
        gone = LoginRefused("the server hung up while logging in")
        if waiting is not None and not waiting.called:
            waiting.errback(gone)
        elif self._task is None and not self.done.called:
            self.done.errback(gone)

    def _settle(self, result: Any) -> None:
        if not self.done.called:
            if result is None:
                self.done.callback(None)
            elif result.check(TimeoutError):
                self.done.errback(LoginRefused("the server did not answer while logging in"))
            else:
                self.done.errback(result)

    def packetReceived(self, messageNum: int, packet: bytes) -> None:
        if messageNum == _BANNER:
            return
        waiting, self._waiting = self._waiting, None
        if waiting is None or messageNum not in (_FAILURE, _SUCCESS, _SPECIFIC):
            raise ValueError(f"message {messageNum} while logging in")
        waiting.callback((messageNum, packet))

    async def _send(self, number: int, payload: bytes) -> tuple[int, bytes]:
        if self._ended:
            raise LoginRefused("the server hung up while logging in")
        self._waiting = Deferred()
        waiting = self._waiting
        self.transport.sendPacket(number, payload)
        return await waiting.addTimeout(_ANSWER_TIMEOUT, self._reactor)

    async def _request(self, method: bytes, payload: bytes = b"") -> tuple[int, bytes]:
        head = common.NS(self._user.encode()) + common.NS(b"ssh-connection") + common.NS(method)
        return await self._send(_REQUEST, head + payload)

    async def _run(self) -> None:
        number, packet = await self._request(b"none")
        if number == _SUCCESS:
            return
        offered = self._offers(packet)
        for method in self._methods:
            if _NEEDS[method] not in offered:
                continue
            attempts = getattr(self, "_try" + method.split("-")[0].capitalize())
            outcome = await attempts()
            if outcome is True:
                return
            if isinstance(outcome, set):
                offered = outcome
        raise LoginRefused(
            f"the server '{self._host}' does not let '{self._user}' in: it offers"
            f" {', '.join(sorted(each.decode(errors='replace') for each in offered)) or 'nothing'};"
            f" tried {', '.join(self._tried) or 'nothing, for there was nothing to try'}"
        )

    def _offers(self, packet: bytes) -> set[bytes]:
        methods, _ = common.getNS(packet)
        return set(methods.split(b","))

    def _algorithms(self, key: Key) -> list[bytes]:
        if key.sshType() != b"ssh-rsa":
            return [key.sshType()]
        extensions = getattr(self.transport, "peerExtensions", {})
        known = extensions.get(b"server-sig-algs", b"rsa-sha2-512,rsa-sha2-256").split(b",")
        return [each for each in (b"rsa-sha2-512", b"rsa-sha2-256") if each in known]

    async def _tryKey(self, key: Key, sign: Any) -> bool | set[bytes]:
        offered: set[bytes] = set()
        for algorithm in self._algorithms(key):
            public = common.NS(algorithm) + common.NS(key.blob())
            number, packet = await self._request(b"publickey", b"\x00" + public)
            if number == _SPECIFIC:
                data = common.NS(self.transport.sessionID) + bytes([_REQUEST])
                data += common.NS(self._user.encode()) + common.NS(b"ssh-connection")
                data += common.NS(b"publickey") + b"\x01" + public
                signature = await sign(algorithm, data)
                if signature is None:
                    return offered or {b"publickey"}
                number, packet = await self._request(
                    b"publickey", b"\x01" + public + common.NS(signature)
                )
            if number == _SUCCESS:
                return True
            if number == _FAILURE:
                offered = self._offers(packet)
        return offered

    async def _tryAgent(self) -> bool | set[bytes] | None:
        path = self._environment.get("SSH_AUTH_SOCK")
        if not path:
            return None
        client: Any = None
        try:
            endpoint = UNIXClientEndpoint(self._reactor, path, timeout=10)
            client = await endpoint.connect(Factory.forProtocol(_Agent))
            offered = None
            identities = client.requestIdentities()
            found = await identities.addTimeout(_AGENT_TIMEOUT, self._reactor)
            for blob, comment in found[:50]:
                try:
                    key = Key.fromString(blob)
                except (BadKeyError, ValueError, struct.error, IndexError):
                    continue
                self._tried.append(f"key '{comment.decode(errors='replace')}' of the agent")

                async def sign(algorithm: bytes, data: bytes, blob: bytes = blob) -> bytes | None:
                    signing = client.sign(blob, data, algorithm)
                    found: bytes = await signing.addTimeout(_AGENT_TIMEOUT, self._reactor)
                    return found

                outcome = await self._tryKey(key, sign)
                if outcome is True:
                    return True
                offered = outcome
            return offered
        except LoginRefused:
            raise
        except (TimeoutError, Exception) as problem:
            log.warn("the SSH agent at {path}: {problem}", path=path, problem=problem)
            return None
        finally:
            if client is not None:
                client.transport.loseConnection()

    async def _tryPrivkey(self) -> bool | set[bytes] | None:
        offered = None
        for path in self._keys:
            key, problem = await self._load(path)
            if key is None:
                self._tried.append(f"key '{path}' ({problem})")
                continue
            self._tried.append(f"key '{path}'")

            async def sign(algorithm: bytes, data: bytes, key: Key = key) -> bytes:
                signature: bytes = key.sign(data, signatureType=algorithm)
                return signature

            outcome = await self._tryKey(key.public(), sign)
            if outcome is True:
                return True
            offered = outcome
        return offered

    async def _load(self, path: str) -> tuple[Key | None, str]:
        try:
            with open(path, "rb") as file:
                content = file.read(1 << 20)
        except OSError as problem:
            return None, str(problem.strerror)
        try:
            return Key.fromString(content), ""
        except EncryptedKeyError:
            pass
        except (BadKeyError, ValueError, TypeError) as problem:
            return None, f"it is no private key: {problem}"
        passphrase = await self._asker.secret(f"Passphrase for key '{path}'", path)
        if passphrase is None:
            return None, "its passphrase is not known: use an SSH agent, or answer when asked"
        try:
            # Made slow on purpose, against those who try many.
            return await self._unlock(content, passphrase.encode()), ""
        except Exception:
            # Conch fails in many ways on a wrong passphrase.
            return None, "its passphrase is wrong"

    async def _unlock(self, content: bytes, passphrase: bytes) -> Key:
        reactor = self._reactor
        if not IReactorThreads.providedBy(reactor):
            unlocked: Key = Key.fromString(content, passphrase=passphrase)
            return unlocked
        pool = reactor.getThreadPool()
        found: Key = await deferToThreadPool(
            reactor, pool, Key.fromString, content, passphrase=passphrase
        )
        return found

    async def _tryPassword(self) -> bool | set[bytes] | None:
        password = await self._asker.secret(
            f"Enter {self._user}'s password for {self._host}", self._host
        )
        if password is None:
            return None
        self._tried.append("password")
        number, packet = await self._request(b"password", b"\x00" + common.NS(password.encode()))
        if number == _SUCCESS:
            return True
        return self._offers(packet) if number == _FAILURE else None

    async def _tryKeyboard(self) -> bool | set[bytes] | None:
        number, packet = await self._request(
            b"keyboard-interactive", common.NS(b"") + common.NS(b"")
        )
        for _ in range(_ROUNDS):
            if number != _SPECIFIC:
                break
            answers = []
            _, instruction, _, rest = common.getNS(packet, 3)
            (count,) = struct.unpack(">L", rest[:4])
            rest = rest[4:]
            if count > 16:
                raise ValueError(f"{count} questions at once")
            for _ in range(count):
                prompt, rest = common.getNS(rest)
                rest = rest[1:]
                answer = await self._asker.secret(
                    prompt.decode(errors="replace"), instruction.decode(errors="replace")
                )
                if answer is None:
                    self._tried.append("keyboard-interactive (nobody answered)")
                    return None
                answers.append(common.NS(answer.encode()))
            number, packet = await self._send(
                _RESPONSE, struct.pack(">L", len(answers)) + b"".join(answers)
            )
        self._tried.append("keyboard-interactive")
        if number == _SUCCESS:
            return True
        return self._offers(packet) if number == _FAILURE else None


class _Agent(agent.SSHAgentClient):
    """An agent, asked for signatures that servers take."""

    def sign(self, blob: bytes, data: bytes, algorithm: bytes) -> Deferred[bytes]:
        """Ask for a signature."""
        flags = {b"rsa-sha2-256": _SIGN_SHA256, b"rsa-sha2-512": _SIGN_SHA512}.get(algorithm, 0)
        request = common.NS(blob) + common.NS(data) + struct.pack("!L", flags)
        answer: Deferred[bytes] = self.sendRequest(agent.AGENTC_SIGN_REQUEST, request)
        return answer.addCallback(self._cbSignData)


def methodsOf(text: str | None) -> Iterator[str]:
    """
    Read C{sshauth}, in whatever case it is.

    @raise VirtError: it names what is not known (C{INVALID_ARG}), or nothing at all (C{SSH}).
    """
    if text == "":
        raise virtError(
            ErrorCode.SSH, "No authentication methods and credentials provided", ErrorDomain.SSH
        )
    for given in METHODS if text is None else text.split(","):
        name = given.lower()
        if name not in METHODS:
            raise virtError(
                ErrorCode.INVALID_ARG,
                f"Invalid authentication method: '{given}'",
                ErrorDomain.RPC,
            )
        yield name
