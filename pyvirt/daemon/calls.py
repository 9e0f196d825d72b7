"""
The calls that a session answers itself: opening and closing, authentication, features, identity, events.

Every other call goes on to the driver.  Texts and conditions are those of libvirtd 9.0.0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from pyvirt import constants
from pyvirt.daemon.identity import Identity
from pyvirt.drivers.interfaces.events import EventKind
from pyvirt.drivers.interfaces.host import IHost
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.protocols.procedures import Kind, Procedure, Program
from pyvirt.protocols.programs.lxc import PROGRAM as LXC
from pyvirt.protocols.programs.qemu import PROGRAM as QEMU
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from pyvirt.protocols.programs.remote import AuthSASLStartResult, AuthSASLStepResult
from pyvirt.protocols.xdr import Codec
from pyvirt.routes.checks import check

if TYPE_CHECKING:
    from pyvirt.daemon.sasl import Login, Step
    from pyvirt.daemon.session import Session

__all__ = ["OWN", "PROGRAMS", "Answer", "Call", "lookup", "notOpen", "rpcError"]

PROGRAMS = {each.number: each for each in (REMOTE, QEMU, LXC)}
"""What is spoken on the main sockets."""

Answer = Callable[["Session", tuple[Any, ...]], Any]

_RPC = ErrorDomain.RPC
_FD_PASSING, _TYPED_STRINGS, _KEEPALIVE = 8, 9, 10
_EVENT_CALLBACK, _CLOSE_CALLBACK, _NETWORK_UPDATE_ORDER = 14, 15, 16
_ALWAYS = frozenset(
    (_FD_PASSING, _TYPED_STRINGS, _EVENT_CALLBACK, _CLOSE_CALLBACK, _NETWORK_UPDATE_ORDER)
)
_AUTH_NUMBERS = {"none": 0, "sasl": 1, "polkit": 2}


class Call:
    """
    How to answer one procedure.

    @ivar run: answers it in the session, or None: the driver does.
    @ivar hasResult: whether its reply has a body.
    @ivar plain: neither stream nor descriptors are involved.
    """

    __slots__ = (
        "decode",
        "encode",
        "hasResult",
        "needsAuthentication",
        "plain",
        "procedure",
        "run",
    )

    def __init__(self, procedure: Procedure, run: Answer | None) -> None:
        self.procedure = procedure
        self.run = run
        arguments: Codec = procedure.argumentCodec
        results: Codec = procedure.resultCodec
        self.decode = arguments.decode
        self.encode = results.encode
        self.hasResult = procedure.result is not None
        self.needsAuthentication = procedure.needsAuthentication
        self.plain = procedure.stream is None and not procedure.fds


def rpcError(text: str) -> VirtError:
    """Make an error of the RPC layer."""
    return VirtError.byCode[ErrorCode.RPC](text, domain=_RPC, str1="%s", str2=text)


def lookup(
    programs: Mapping[int, Program], program: int, version: int, number: int
) -> tuple[Program, Procedure]:
    """
    Find a procedure that a client may call.

    @param programs: by number, those that are spoken on its socket.
    @raise VirtError: there is none.
    """
    found = programs.get(program)
    if found is None or version != found.version:
        raise rpcError(f"Cannot find program {program} version {version}")
    procedure = found.procedures.get(number)
    if procedure is None or procedure.kind is not Kind.CALL:
        raise rpcError(f"unknown procedure: {number}")
    return found, procedure


def notOpen() -> VirtError:
    """Make the error of calls that need an open connection."""
    return virtError(ErrorCode.INTERNAL_ERROR, "hypervisor connection not open", _RPC)


def _open(session: Session, arguments: tuple[Any, ...]) -> Any:
    name, flags = arguments
    if session.connection is not None:
        # libvirtd pays for the second attempt with the first connection, and takes a third.
        session.closeConnection()
        raise virtError(ErrorCode.INTERNAL_ERROR, "connection already open", _RPC)
    if name is None:
        raise virtError(ErrorCode.INTERNAL_ERROR, "connection not open", _RPC)
    return session.openConnection(name, flags)


def _close(session: Session, arguments: tuple[Any, ...]) -> None:
    session.closeWhenAnswered()


def _uri(session: Session, arguments: tuple[Any, ...]) -> str:
    if session.connection is None:
        raise notOpen()
    uri: str = session.connection.uri
    return uri


def _supportsFeature(session: Session, arguments: tuple[Any, ...]) -> Any:
    (feature,) = arguments
    if feature == _KEEPALIVE:
        session.askedForKeepalive()
        return True
    connection = session.connection
    if connection is None:
        raise notOpen()
    if feature in _ALWAYS:
        return True
    method = getattr(connection.component(IHost), "connectSupportsFeature", None)
    return False if method is None else method(feature)


def _authList(session: Session, arguments: tuple[Any, ...]) -> list[int]:
    if session.auth == "polkit" and session.identity.userID == 0:
        # Polkit would let it in, and is not there at an early hour.
        session.authenticationSucceeded()
    return [0 if session.authenticated else _AUTH_NUMBERS[session.auth]]


def _login(session: Session) -> Login:
    """
    The session's logins.

    @raise VirtError: its door asks for none.
    """
    if session.login is None:
        # Loaded when somebody logs in: most daemons ask for no password.
        from pyvirt.daemon.sasl import Login, failed

        logins = session.server.logins
        if session.auth != "sasl" or logins is None:
            raise failed()
        session.login = Login(logins(), session)
    return session.login


def _words(nil: Any, data: bytes) -> bytes | None:
    return None if nil else data


def _saslInit(session: Session, arguments: tuple[Any, ...]) -> str:
    return _login(session).init()


def _told(result: Callable[..., Any]) -> Callable[[Any], Any]:
    def make(step: Step) -> Any:
        return result(step.complete, step.data is None, step.data or b"")

    return make


def _saslStart(session: Session, arguments: tuple[Any, ...]) -> Any:
    mechanism, nil, data = arguments
    answer = _login(session).start(mechanism, _words(nil, data))
    tell = _told(AuthSASLStartResult)
    return answer.addCallback(tell) if isinstance(answer, Deferred) else tell(answer)


def _saslStep(session: Session, arguments: tuple[Any, ...]) -> Any:
    answer = _login(session).step(_words(*arguments))
    tell = _told(AuthSASLStepResult)
    return answer.addCallback(tell) if isinstance(answer, Deferred) else tell(answer)


def _polkit(session: Session, arguments: tuple[Any, ...]) -> Any:
    polkit = session.server.polkit
    if session.auth == "polkit" and polkit is not None and not session.authenticated:
        return polkit.logIn(session.identity, session.readOnly).addCallbacks(
            lambda _: session.polkitSucceeded(), session.authenticationFailed
        )
    raise VirtError(
        "Library function returned error but did not set virError",
        code=ErrorCode.INTERNAL_ERROR,
        domain=_RPC,
        int1=0,
        int2=0,
    )


def _setIdentity(session: Session, arguments: tuple[Any, ...]) -> None:
    if session.connection is None:
        raise notOpen()
    session.identity = Identity.claim(arguments[0], session.identity)


def _closeCallback(wanted: bool) -> Answer:
    def answer(session: Session, arguments: tuple[Any, ...]) -> None:
        if session.connection is None:
            raise notOpen()
        session.wantsCloseEvent = wanted

    return answer


def _register(kind: EventKind) -> Answer:
    def answer(session: Session, arguments: tuple[Any, ...]) -> Any:
        return session.subscriptions().register(kind, arguments[0], arguments[1])

    return answer


def _deregister(kind: EventKind) -> Answer:
    def answer(session: Session, arguments: tuple[Any, ...]) -> None:
        session.subscriptions().deregister(kind, arguments[0])

    return answer


def _legacy(session: Session, eventID: int) -> Any:
    """Register in the older style: the number stays here; the answer, where there is one, is 0."""
    number = session.subscriptions().register(EventKind.DOMAIN, eventID, None, legacy=True)
    return number.addCallback(lambda _: 0) if isinstance(number, Deferred) else 0


def _legacyRegister(session: Session, arguments: tuple[Any, ...]) -> Any:
    return _legacy(session, constants.VIR_DOMAIN_EVENT_ID_LIFECYCLE)


def _legacyDeregister(session: Session, arguments: tuple[Any, ...]) -> int:
    session.subscriptions().deregisterEvent(constants.VIR_DOMAIN_EVENT_ID_LIFECYCLE)
    return 0


def _legacyRegisterAny(session: Session, arguments: tuple[Any, ...]) -> Any:
    return _legacy(session, arguments[0])


def _legacyDeregisterAny(session: Session, arguments: tuple[Any, ...]) -> None:
    session.subscriptions().deregisterEvent(arguments[0])


def _monitorRegister(session: Session, arguments: tuple[Any, ...]) -> Any:
    subscriptions = session.subscriptions()
    readOnly = session.router is None or session.router.readOnly
    check(QEMU.byName["connectDomainMonitorEventRegister"], arguments, readOnly)
    return subscriptions.registerMonitor(*arguments)


OWN: dict[Procedure, Answer] = {
    REMOTE.byName[name]: answer
    for name, answer in {
        "connectOpen": _open,
        "connectClose": _close,
        "connectGetURI": _uri,
        "connectSupportsFeature": _supportsFeature,
        "authList": _authList,
        "authSASLInit": _saslInit,
        "authSASLStart": _saslStart,
        "authSASLStep": _saslStep,
        "authPolkit": _polkit,
        "connectSetIdentity": _setIdentity,
        "connectRegisterCloseCallback": _closeCallback(True),
        "connectUnregisterCloseCallback": _closeCallback(False),
        "connectDomainEventRegister": _legacyRegister,
        "connectDomainEventDeregister": _legacyDeregister,
        "connectDomainEventRegisterAny": _legacyRegisterAny,
        "connectDomainEventDeregisterAny": _legacyDeregisterAny,
        "connectDomainEventCallbackRegisterAny": _register(EventKind.DOMAIN),
        "connectDomainEventCallbackDeregisterAny": _deregister(EventKind.DOMAIN),
        "connectNetworkEventRegisterAny": _register(EventKind.NETWORK),
        "connectNetworkEventDeregisterAny": _deregister(EventKind.NETWORK),
        "connectStoragePoolEventRegisterAny": _register(EventKind.STORAGE_POOL),
        "connectStoragePoolEventDeregisterAny": _deregister(EventKind.STORAGE_POOL),
        "connectNodeDeviceEventRegisterAny": _register(EventKind.NODE_DEVICE),
        "connectNodeDeviceEventDeregisterAny": _deregister(EventKind.NODE_DEVICE),
        "connectSecretEventRegisterAny": _register(EventKind.SECRET),
        "connectSecretEventDeregisterAny": _deregister(EventKind.SECRET),
    }.items()
}
OWN.update(
    {
        QEMU.byName["connectDomainMonitorEventRegister"]: _monitorRegister,
        QEMU.byName["connectDomainMonitorEventDeregister"]: _deregister(EventKind.MONITOR),
    }
)
