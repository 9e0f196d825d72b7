"""
A driver in this process, called by procedures: L{LocalCaller} stands where the wire would be.

It answers what a daemon's session answers itself (URI, security, features), asks the driver through the
routes for everything else, and subscribes to the driver's own events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import EIO
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.interface import InterfaceClass

from pyvirt.client.arguments import coerce, requireText
from pyvirt.constants import VIR_CONNECT_CLOSE_REASON_EOF
from pyvirt.drivers.interfaces.calling import ICaller
from pyvirt.drivers.interfaces.driver import IConnection
from pyvirt.drivers.interfaces.events import (
    EventKind,
    IDomainEvents,
    IMonitorEvents,
    INetworkEvents,
    INodeDeviceEvents,
    ISecretEvents,
    IStoragePoolEvents,
    ISubscription,
    Listener,
)
from pyvirt.drivers.interfaces.faults import Breakage, BrokenReply, interceptorOf
from pyvirt.drivers.interfaces.values import Answer
from pyvirt.errors import ErrorCode, ErrorDomain, OutcomeUnknown, RPCError, virtError
from pyvirt.protocols.procedures import Procedure, Program
from pyvirt.routes import DescriptorAnswer, NotRouted, Router, StreamAnswer
from pyvirt.routes.checks import checker
from pyvirt.routes.family import domainOf, function

__all__ = ["LocalCaller"]

_EVENTS: dict[EventKind, tuple[InterfaceClass, str, str, int]] = {
    EventKind.DOMAIN: (
        IDomainEvents,
        "domainEventSubscribe",
        "virConnectDomainEventRegisterAny",
        ErrorDomain.DOMAIN,
    ),
    EventKind.NETWORK: (
        INetworkEvents,
        "networkEventSubscribe",
        "virConnectNetworkEventRegisterAny",
        ErrorDomain.NETWORK,
    ),
    EventKind.STORAGE_POOL: (
        IStoragePoolEvents,
        "storagePoolEventSubscribe",
        "virConnectStoragePoolEventRegisterAny",
        ErrorDomain.STORAGE,
    ),
    EventKind.NODE_DEVICE: (
        INodeDeviceEvents,
        "nodeDeviceEventSubscribe",
        "virConnectNodeDeviceEventRegisterAny",
        ErrorDomain.NODEDEV,
    ),
    EventKind.SECRET: (
        ISecretEvents,
        "secretEventSubscribe",
        "virConnectSecretEventRegisterAny",
        ErrorDomain.SECRET,
    ),
}


@implementer(ICaller)
class LocalCaller:
    """
    Calls a driver's connection.

    @ivar connection: the driver's.
    """

    def __init__(self, connection: IConnection, readOnly: bool = False) -> None:
        self.connection = connection
        self.router = Router(connection, readOnly, inDaemon=False)
        self._breaks = interceptorOf(connection) is not None
        self._lost = False
        self._listeners: list[Callable[[int], None]] = []
        self._session: dict[str, Callable[..., Any]] = {
            "connectGetURI": lambda: connection.uri,
            "connectIsSecure": lambda: connection.isSecure(),
            "connectSupportsFeature": lambda feature: True,
            "connectRegisterCloseCallback": lambda: None,
            "connectUnregisterCloseCallback": lambda: None,
        }

    def call(
        self,
        program: Program,
        procedure: Procedure,
        arguments: tuple[Any, ...],
        fds: Sequence[int] = (),
    ) -> Answer[Any]:
        """Ask the driver; see L{ICaller.call}."""
        own = self._session.get(procedure.name)
        if own is not None:
            return own(*arguments)
        ask = self._askFaulty if self._breaks else self._ask
        answer = ask(procedure, arguments, fds)
        if "reply" not in procedure.fds:
            return answer
        return answer.addCallback(_descriptors) if _waits(answer) else _descriptors(answer)

    def _ask(
        self, procedure: Procedure, arguments: tuple[Any, ...], fds: Sequence[int] = ()
    ) -> Any:
        fitting = coerce(procedure, arguments)
        if None in fitting:
            # Text that cannot travel is refused between the checks and the driver.
            check = checker(procedure, self.router.readOnly)
            if check is not None:
                check(fitting, fds)
            requireText(procedure, fitting)
        try:
            return self.router.call(procedure, fitting, fds)
        except NotRouted:
            raise virtError(
                ErrorCode.NO_SUPPORT, function(procedure), domainOf(procedure)
            ) from None

    def _askFaulty(
        self, procedure: Procedure, arguments: tuple[Any, ...], fds: Sequence[int] = ()
    ) -> Any:
        """Ask a driver that may have its replies broken, which is the connection's end here as on the wire."""
        if self._lost:
            raise virtError(ErrorCode.INTERNAL_ERROR, "client socket is closed", ErrorDomain.RPC)
        answer = self._ask(procedure, arguments, fds)
        return answer.addCallback(self._whole) if _waits(answer) else answer

    def _whole(self, answer: Any) -> Any:
        if answer.__class__ is not BrokenReply:
            return answer
        if answer.how is Breakage.SILENCE:
            return Deferred()
        if answer.how is Breakage.GARBLED:
            text = "Unable to decode message payload"
            raise RPCError(text, domain=ErrorDomain.RPC, str1="%s", str2=text)
        self._lost = True
        for listener in self._listeners:
            listener(VIR_CONNECT_CLOSE_REASON_EOF)
        text = "End of file while reading data: Input/output error"
        raise OutcomeUnknown(
            text,
            code=ErrorCode.SYSTEM_ERROR,
            domain=ErrorDomain.RPC,
            str1="%s",
            str2=text,
            int1=EIO,
        )

    def openStream(
        self, program: Program, procedure: Procedure, arguments: tuple[Any, ...]
    ) -> Answer[Any]:
        """Ask the driver for a stream; see L{ICaller.openStream}."""
        ask = self._askFaulty if self._breaks else self._ask
        answer = ask(procedure, arguments)
        return answer.addCallback(_stream) if _waits(answer) else _stream(answer)

    def subscribe(
        self, kind: EventKind, eventID: int, ref: Any, listener: Listener
    ) -> Answer[ISubscription]:
        """Hear the driver's events; see L{ICaller.subscribe}."""
        interface, method, api, domain = _EVENTS[kind]
        component = self.connection.component(interface)
        if component is None:
            raise virtError(ErrorCode.NO_SUPPORT, api, domain)
        answer: Answer[ISubscription] = getattr(component, method)(eventID, ref, listener)
        return answer

    def subscribeMonitor(
        self, dom: Any, event: str | None, flags: int, listener: Listener
    ) -> Answer[ISubscription]:
        """Hear the monitor's events; see L{ICaller.subscribeMonitor}."""
        component = self.connection.component(IMonitorEvents)
        if component is None:
            raise virtError(
                ErrorCode.NO_SUPPORT, "virConnectDomainQemuMonitorEventRegister", ErrorDomain.NONE
            )
        answer: Answer[ISubscription] = component.monitorEventSubscribe(  # type: ignore[attr-defined]
            dom, event, flags, listener
        )
        return answer

    def whenLost(self, listener: Callable[[int], None]) -> None:
        """A driver in this process is not lost, unless it says that it is meant to be."""
        self._listeners.append(listener)

    def setKeepAlive(self, interval: int, count: int) -> int:
        """There is nobody to watch."""
        raise virtError(ErrorCode.NO_SUPPORT, "virConnectSetKeepAlive", ErrorDomain.NONE)


def _waits(answer: Any) -> bool:
    return isinstance(answer, Deferred)


def _descriptors(answer: Any) -> tuple[Any, list[int]]:
    if isinstance(answer, DescriptorAnswer):
        return answer.value, list(answer.fds)
    return answer, []


def _stream(answer: Any) -> tuple[Any, Any]:
    if isinstance(answer, StreamAnswer):
        return answer.value, answer.stream
    raise TypeError(f"{answer!r} has no stream")
