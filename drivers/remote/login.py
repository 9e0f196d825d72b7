"""
Logging in to a daemon: by SASL, with credentials from C{auth.conf} or from whoever opened the connection; or by
polkit, which asks the user itself.

Texts are those of libvirt 9.0.0 with Cyrus SASL.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool

from pyvirt import constants as c
from pyvirt.authfile import findAuthFile, readCredentials
from pyvirt.credentials import readAuth
from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.remote.target import Target
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.protocols.programs import REMOTE
from pyvirt.sasl.binding import channelBinding
from pyvirt.sasl.client import (
    ClientMechanism,
    Kerberos,
    MechanismError,
    chooseMechanism,
    makeMechanism,
)
from pyvirt.sasl.kerberos import MISSING, initiatorProblem, isAvailable
from pyvirt.sasl.layer import SecurityLayer

__all__ = ["logIn"]

_NONE, _SASL, _POLKIT = 0, 1, 2
_NAMES = {"sasl": _SASL, "polkit": _POLKIT}
_STEPS = 16
_WEAKEST = 56
"""Bits of the key that has to encrypt what a plain TCP socket carries, as libvirt's clients have it."""
_ASKED = (
    (c.VIR_CRED_USERNAME, "username", "Please enter your authorization name", "Authorization Name"),
    (
        c.VIR_CRED_AUTHNAME,
        "authname",
        "Please enter your authentication name",
        "Authentication Name",
    ),
    (c.VIR_CRED_PASSPHRASE, "password", "Please enter your password", "Password"),
)
_NOTHING = "no mechanism available: No worthy mechs found"


def _refused(detail: str, domain: int = ErrorDomain.REMOTE) -> VirtError:
    return virtError(ErrorCode.AUTH_FAILED, detail, domain)


def _failed(number: int, detail: str) -> VirtError:
    return _refused(
        f"Failed to start SASL negotiation: {number} (SASL({number}): {detail})", ErrorDomain.RPC
    )


async def logIn(
    protocol: Any,
    target: Target,
    context: OpenContext,
    environment: Mapping[str, str],
    userID: int,
) -> None:
    """
    Show a daemon who we are, in a way that it asks for.

    @raise VirtError: it does not believe us, or there is nothing to show (C{AUTH_FAILED}).
    """
    offered = await protocol.call(REMOTE, REMOTE.byName["authList"], ())
    kind = offered[0] if offered else _NONE
    wanted = target.parameters.get("auth")
    mechanism: str | None = None
    if wanted is not None:
        name, dot, rest = wanted.partition(".")
        if name not in _NAMES:
            raise _refused(f"unknown authentication type {wanted}")
        mechanism = rest if dot else None
        kind = _NAMES[name]
        if kind not in offered:
            raise _refused(f"requested authentication type {wanted} rejected")
    if kind == _NONE:
        return
    if kind == _POLKIT:
        await protocol.call(REMOTE, REMOTE.byName["authPolkit"], ())
    elif kind == _SASL:
        await _sasl(protocol, target, context, mechanism, environment, userID)
    else:
        raise _refused(f"unsupported authentication type {kind}")


async def _sasl(
    protocol: Any,
    target: Target,
    context: OpenContext,
    wanted: str | None,
    environment: Mapping[str, str],
    userID: int,
) -> None:
    listed = await protocol.call(REMOTE, REMOTE.byName["authSASLInit"], ())
    offered = [each for each in listed.replace(" ", ",").split(",") if each]
    if wanted is not None:
        if wanted not in offered and wanted:
            raise _refused(f"SASL mechanism {wanted} not supported by server")
        offered = [wanted]
    transport = target.address.transport
    open = transport == "tcp"
    binding = channelBinding(protocol.transport, server=False)
    noTicket = await _noTicket(context) if "GSSAPI" in offered else (-4, _NOTHING)
    name = chooseMechanism(
        offered,
        bound=binding is not None,
        encrypted=not open,
        external=binding is not None and _hasCertificate(protocol.transport),
        ticket=noTicket is None,
        open=open,
    )
    if name is None:
        if noTicket is not None and "GSSAPI" in offered:
            raise _failed(*noTicket)
        raise _failed(-4, _NOTHING if wanted != "" else "no mechanism available: ")
    mechanism: ClientMechanism
    try:
        if name == "GSSAPI":
            mechanism = Kerberos(target.address.host or "localhost", _WEAKEST if open else 0)
        else:
            user, password = "", ""
            if name != "EXTERNAL":
                user, password = await _credentials(target, context, environment, userID)
            mechanism = makeMechanism(name, user, password, binding)
        said = await _work(context, mechanism.slow, mechanism.first)
    except MechanismError as problem:
        detail = str(problem) if name == "GSSAPI" else f"generic failure: {problem}"
        raise _failed(problem.code, detail) from None
    result = await protocol.call(
        REMOTE, REMOTE.byName["authSASLStart"], (name, said is None, said or b"")
    )
    for _ in range(_STEPS):
        data = None if result.nil else result.data
        try:
            if result.complete:
                if data is not None and not mechanism.done:
                    await _work(context, mechanism.slow, mechanism.step, data)
                if not mechanism.done:
                    raise MechanismError("the server has not shown who it is")
                if mechanism.cipher is not None:
                    protocol.seal(SecurityLayer(mechanism.cipher))
                return
            said = await _work(context, mechanism.slow, mechanism.step, data)
        except MechanismError as problem:
            raise _refused(f"Failed to step SASL negotiation: {problem}", ErrorDomain.RPC) from None
        result = await protocol.call(
            REMOTE, REMOTE.byName["authSASLStep"], (said is None, said or b"")
        )
    raise _refused("Failed to step SASL negotiation: it has no end", ErrorDomain.RPC)


_T = TypeVar("_T")


async def _work(
    context: OpenContext, slow: bool, function: Callable[..., _T], *arguments: Any
) -> _T:
    """Call a function, in a thread if it is slow, so that nobody else waits for it."""
    reactor: Any = context.reactor
    if not slow or not IReactorThreads.providedBy(reactor):
        return function(*arguments)
    found: _T = await deferToThreadPool(reactor, reactor.getThreadPool(), function, *arguments)
    return found


async def _noTicket(context: OpenContext) -> tuple[int, str] | None:
    """Say why GSSAPI cannot be used, as Cyrus SASL's number and words.  None: it can."""
    if not isAvailable():
        return -4, f"no mechanism available: {MISSING}"
    problem = await _work(context, True, initiatorProblem)
    return None if problem is None else (-1, problem)


def _hasCertificate(transport: Any) -> bool:
    return transport.getHandle().get_certificate() is not None


async def _credentials(
    target: Target, context: OpenContext, environment: Mapping[str, str], userID: int
) -> tuple[str, str]:
    """Find name and password: what the file says is not asked for."""
    known: dict[str, str] = {}
    path = findAuthFile(target.authFile, environment)
    if path is not None and os.path.exists(path):
        known = readCredentials(path, "libvirt", target.address.host or "localhost")
    who = readAuth(context.auth)
    types = who.types
    needed = (c.VIR_CRED_AUTHNAME, c.VIR_CRED_PASSPHRASE)
    for kind, key, _, _ in _ASKED:
        if kind in needed and key not in known and kind not in types:
            raise _failed(-4, _NOTHING)
    asked = [
        [kind, prompt, challenge, None, None]
        for kind, key, prompt, challenge in _ASKED
        if key not in known and kind in types
    ]
    if any(each[0] in needed for each in asked):
        if who.callback is None:
            raise _refused("No authentication callback available")
        if await who.collect(asked) < 0:
            raise _refused("Failed to collect auth credentials")
    given = {each[0]: each[4] for each in asked}
    name = known.get("authname", given.get(c.VIR_CRED_AUTHNAME))
    password = known.get("password", given.get(c.VIR_CRED_PASSPHRASE))
    for value, where in ((name, "simple"), (password, "password")):
        if value is None:
            raise _failed(
                -7,
                f"invalid parameter supplied: Unexpectedly missing a prompt result in _plug_get_{where}",
            )
    return _text(name), _text(password)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
