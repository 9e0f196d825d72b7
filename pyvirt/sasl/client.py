"""
The client's side of the mechanisms: answers to what a server says, and whether the server has shown who it is.
"""

from __future__ import annotations

from typing import Any, Protocol

from scramp import ScramClient, ScramException

__all__ = ["ClientMechanism", "MechanismError", "chooseMechanism", "makeMechanism"]

ORDER = (
    "GSSAPI",
    "EXTERNAL",
    "SCRAM-SHA-512-PLUS",
    "SCRAM-SHA-256-PLUS",
    "SCRAM-SHA-512",
    "SCRAM-SHA-256",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-1",
    "PLAIN",
)
"""The mechanisms that there are, the best one first."""


class MechanismError(Exception):
    """
    The server's words are wrong, or it could not show who it is.

    @ivar code: as Cyrus SASL numbers it.
    """

    def __init__(self, text: str, code: int = -1) -> None:
        super().__init__(text)
        self.code = code


class ClientMechanism(Protocol):
    """
    One exchange.

    @ivar done: the server has shown all that it has to.
    @ivar cipher: encrypts the connection from the end of the login on, None: nothing does.
    @ivar slow: steps take milliseconds or ask somebody, so that they are for a thread.
    """

    slow: bool

    @property
    def done(self) -> bool: ...

    @property
    def cipher(self) -> Any: ...

    def first(self) -> bytes | None:
        """What is said first; None: the server begins."""

    def step(self, data: bytes | None) -> bytes | None:
        """
        Answer the server.

        @raise MechanismError: what it says is wrong.
        """


def chooseMechanism(
    offered: list[str],
    *,
    bound: bool,
    encrypted: bool,
    external: bool,
    ticket: bool = False,
    open: bool = False,
) -> str | None:
    """
    Choose the best of what a server offers.

    @param bound: there is a TLS channel to bind to.
    @param encrypted: nobody can listen, so that a password may be sent.
    @param external: the client has shown a certificate.
    @param ticket: Kerberos knows the client.
    @param open: nothing encrypts the connection, so that the mechanism has to.
    """
    for name in ORDER:
        if name not in offered or (open and name != "GSSAPI"):
            continue
        if name == "GSSAPI" and not ticket:
            continue
        if name.endswith("-PLUS") and not bound:
            continue
        if name == "PLAIN" and not encrypted:
            continue
        if name == "EXTERNAL" and not external:
            continue
        return name
    return None


_MOST_ITERATIONS = 10_000_000
"""More than any server has a reason for; they would take some seconds."""


class Scram:
    """SCRAM, with a binding to the channel if the mechanism says so."""

    done = False
    cipher = None
    slow = True

    def __init__(
        self, name: str, user: str, password: str, binding: tuple[str, bytes] | None
    ) -> None:
        try:
            self._client = ScramClient(
                [name], user, password, channel_binding=binding if name.endswith("-PLUS") else None
            )
        except ScramException as problem:
            raise MechanismError(str(problem)) from None
        self._stage = 0

    def first(self) -> bytes | None:
        text: str = self._client.get_client_first()
        return text.encode()

    def step(self, data: bytes | None) -> bytes | None:
        try:
            text = (data or b"").decode()
            self._stage += 1
            if self._stage == 1:
                iterations = text.rpartition(",i=")[2].partition(",")[0]
                if iterations.isdecimal() and (
                    len(iterations) > 9 or int(iterations) > _MOST_ITERATIONS
                ):
                    raise MechanismError(f"the server asks for {iterations[:40]} iterations")
                self._client.set_server_first(text)
                answer: str = self._client.get_client_final()
                return answer.encode()
            if self._stage == 2:
                self._client.set_server_final(text)
                self.done = True
                return None
        except (ScramException, UnicodeDecodeError, ValueError, KeyError) as problem:
            raise MechanismError(f"the server's answer is wrong: {problem}") from None
        raise MechanismError("the server goes on after the end")


class Plain:
    """The password itself; the server shows nothing but that it has the connection."""

    done = True
    cipher = None
    slow = False

    def __init__(self, user: str, password: str) -> None:
        if "\0" in user + password:
            raise MechanismError("names and passwords have no NUL")
        self._said = f"\0{user}\0{password}".encode()

    def first(self) -> bytes | None:
        return self._said

    def step(self, data: bytes | None) -> bytes | None:
        raise MechanismError("the server asks for more than a password")


class External:
    """Who the certificate says."""

    done = True
    cipher = None
    slow = False

    def first(self) -> bytes | None:
        return b""

    def step(self, data: bytes | None) -> bytes | None:
        raise MechanismError("the server asks for more than the certificate")


class Kerberos:
    """A ticket, and the server's that answers it."""

    slow = True

    def __init__(self, host: str, strength: int) -> None:
        self._host = host
        self._strength = strength
        self._side: Any = None

    @property
    def done(self) -> bool:
        """The server has shown who it is."""
        return self._side is not None and self._side.done

    @property
    def cipher(self) -> Any:
        """What encrypts the connection from the end of the login on."""
        return self._side.cipher

    def first(self) -> bytes | None:
        from pyvirt.sasl.kerberos import Initiator, KerberosError

        try:
            self._side = Initiator(self._host, self._strength)
            said: bytes | None = self._side.first()
            return said
        except KerberosError as problem:
            raise MechanismError(str(problem), problem.code) from None

    def step(self, data: bytes | None) -> bytes | None:
        from pyvirt.sasl.kerberos import KerberosError

        try:
            said: bytes | None = self._side.step(data)
            return said
        except KerberosError as problem:
            raise MechanismError(str(problem), problem.code) from None


def makeMechanism(
    name: str, user: str, password: str, binding: tuple[str, bytes] | None
) -> ClientMechanism:
    """
    Make the client's side of a mechanism.

    @raise MechanismError: name or password cannot be used with it.
    """
    if name == "PLAIN":
        return Plain(user, password)
    if name == "EXTERNAL":
        return External()
    return Scram(name, user, password, binding)
