"""
What of a connection is not one call: events, the close callback, closing, and what happens afterwards.
"""

from __future__ import annotations

import atexit
import contextlib
from collections.abc import Callable
from types import TracebackType
from typing import Any, NoReturn

from twisted.internet.defer import DeferredList

from pyvirt.blocking._errors import errors, invalidConnection, latest, libvirtError, reported
from pyvirt.blocking._eventloop import loop
from pyvirt.blocking._objects import CLASSES, OPEN, Link, call, signature, wrap
from pyvirt.blocking._reactor import thread
from pyvirt.client.connect import Connect
from pyvirt.drivers.interfaces.events import EventKind
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["ConnectionBase", "opened", "register"]

Callback = Callable[..., Any]

PARTING = 2.0
"""Seconds that open connections have to take leave when the interpreter ends."""

_OTHER_NAMES = {
    "allocPages": "virNodeAllocPages",
    "getCPUMap": "virNodeGetCPUMap",
    "getCPUStats": "virNodeGetCPUStats",
    "getCellsFreeMemory": "virNodeGetCellsFreeMemory",
    "getFreeMemory": "virNodeGetFreeMemory",
    "getFreePages": "virNodeGetFreePages",
    "getInfo": "virNodeGetInfo",
    "getMemoryParameters": "virNodeGetMemoryParameters",
    "getMemoryStats": "virNodeGetMemoryStats",
    "getSecurityModel": "virNodeGetSecurityModel",
    "getSEVInfo": "virNodeGetSEVInfo",
    "setMemoryParameters": "virNodeSetMemoryParameters",
    "suspendForDuration": "virNodeSuspendForDuration",
    "listDevices": "virNodeNumOfDevices",
    "listAllDevices": "virConnectListAllNodeDevices",
    "createLinux": "virDomainCreateXML",
    "numOfDevices": "virNodeNumOfDevices",
    "newStream": "virStreamNew",
    "restore": "virDomainRestore",
    "restoreFlags": "virDomainRestoreFlags",
    "restoreParams": "virDomainRestoreParams",
    "saveImageDefineXML": "virDomainSaveImageDefineXML",
    "saveImageGetXMLDesc": "virDomainSaveImageGetXMLDesc",
    "createXML": "virDomainCreateXML",
    "createXMLWithFiles": "virDomainCreateXMLWithFiles",
    "defineXML": "virDomainDefineXML",
    "defineXMLFlags": "virDomainDefineXMLFlags",
    "lookupByID": "virDomainLookupByID",
    "lookupByName": "virDomainLookupByName",
    "lookupByUUID": "virDomainLookupByUUID",
    "lookupByUUIDString": "virDomainLookupByUUIDString",
    "changeBegin": "virInterfaceChangeBegin",
    "changeCommit": "virInterfaceChangeCommit",
    "changeRollback": "virInterfaceChangeRollback",
}
"""C functions whose names do not follow from the methods'."""

_OBJECTS = ("interface", "network", "nodeDevice", "nwfilter", "secret", "storagePool", "storageVol")


def functionName(method: str) -> str:
    """The C function behind a method of a connection."""
    known = _OTHER_NAMES.get(method)
    if known is not None:
        return known
    if method.startswith("list") and not method.startswith("listAll"):
        # The binding asks how many there are first.
        return f"virConnectNumOf{method[4:].removesuffix('ID')}"
    if "Event" in method or not method.startswith(_OBJECTS):
        return f"virConnect{method[0].upper()}{method[1:]}"
    name = f"vir{method[0].upper()}{method[1:]}"
    return name.replace("virNwfilter", "virNWFilter")


_DOMAINS = (
    ("nterface", ErrorDomain.INTERFACE),
    ("change", ErrorDomain.INTERFACE),
    ("etwork", ErrorDomain.NETWORK),
    ("torage", ErrorDomain.STORAGE),
    ("ecret", ErrorDomain.SECRET),
    ("WFilter", ErrorDomain.NWFILTER),
    ("nwfilter", ErrorDomain.NWFILTER),
    ("odeDevice", ErrorDomain.NODEDEV),
    ("Devices", ErrorDomain.NODEDEV),
    ("newStream", ErrorDomain.STREAMS),
)


def _domain(method: str) -> int:
    """Who says that a connection is closed."""
    return next((domain for part, domain in _DOMAINS if part in method), ErrorDomain.DOMAIN)


class _Registered:
    """
    A callback of one event; equal to any other, for the C library allows one for each event and object.
    """

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, cb: Callback, connection: Any, opaque: Any) -> None:
        self.cb = cb
        self.connection = connection
        self.link = connection._link
        self.opaque = opaque
        self.active = True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Registered)

    def __call__(self, conn: Any, subject: Any, *details: Any) -> Any:
        """Heard by the reactor's thread."""
        return loop.put(lambda: self._deliver(subject, details[:-1]))

    def _deliver(self, subject: Any, details: tuple[Any, ...]) -> None:
        if self.active:
            cls = CLASSES[type(subject)]
            made = cls(self.connection, subject)
            made._link = self.link
            self.cb(self.connection, made, *details, self.opaque)


def requireLoop() -> None:
    """Refuse events where no loop would tell them."""
    if not loop.isRegistered:
        errors.last = None
        raise reported(
            virtError(
                ErrorCode.INTERNAL_ERROR,
                "could not initialize domain event timer",
                ErrorDomain.NONE,
            )
        )


def register(
    connection: Any, function: Callable[..., Any], arguments: tuple[Any, ...], cb: Any, opaque: Any
) -> Any:
    """Register a callback by C{function}, which takes it and C{opaque} behind C{arguments}."""
    if connection._o is not None:
        requireLoop()
    registered = _Registered(cb, connection, opaque)
    number = call(function, *arguments, registered, None)
    connection._registered[number] = registered
    loop.wake()
    return number


def _registration(kind: EventKind, name: str) -> tuple[Any, Any]:
    """Make the methods that register and deregister callbacks of one kind of event."""
    add, remove = f"{name}RegisterAny", f"{name}DeregisterAny"
    first, second = getattr(Connect, add), getattr(Connect, remove)

    shape = signature(first)

    def registerAny(*arguments: Any, **named: Any) -> Any:
        self, subject, eventID, cb, opaque = shape.bind(*arguments, **named).args
        self._guard(add)
        handle = None if subject is None else subject._o
        # As in C, what is wrong with the arguments is said before what is missing.
        call(Connect._checkRegistration, self._o, kind, handle, eventID)
        return register(self, first, (self._o, handle, eventID), cb, opaque)

    def deregisterAny(self: Any, callbackID: int) -> None:
        self._guard(remove)
        call(second, self._o, callbackID)
        registered = self._registered.pop(callbackID, None)
        if registered is not None:
            registered.active = False
        loop.wake()

    registerAny.__signature__ = shape  # type: ignore[attr-defined]
    registerAny.__name__, deregisterAny.__name__ = add, remove
    registerAny.__doc__, deregisterAny.__doc__ = first.__doc__, second.__doc__
    return registerAny, deregisterAny


class ConnectionBase:
    """
    A connection.

    @ivar _o: the client's connection; None: closed.
    @ivar domainEventCallbacks: callbacks registered in the oldest style, to their opaque values.
    """

    _o: Any
    _link: Link | None

    def __init__(self, _obj: Any = None) -> None:
        if not isinstance(_obj, Link):
            raise Exception(f"Expected a wrapped C Object but got {type(_obj)}")
        self._link = _obj
        self._o = _obj.inner
        self._told: Link | None = None
        self._registered: dict[int, _Registered] = {}
        self.domainEventCallbacks: dict[Any, Any] = {}

    @property
    def _conn(self) -> Any:
        return self

    def _guard(self, method: str) -> None:
        if self._o is None:
            self._closed(method)

    def _closed(self, method: str) -> NoReturn:
        raise invalidConnection(functionName(method), _domain(method))

    def c_pointer(self) -> int:
        """Return a number that tells this connection from others."""
        return id(self._link)

    def close(self) -> int:
        """
        Close the connection.

        @return: 1 if objects or callbacks still hold it, with the last of which it ends; else 0.
        """
        link = self._link
        if link is None:
            raise invalidConnection("virConnectClose", ErrorDomain.NONE)
        errors.last = None
        self._o = self._link = None
        left = link.others() > 0
        if not left:
            link.close()
        loop.wake()
        return int(left)

    def __enter__(self) -> Any:
        return self

    def __exit__(
        self,
        exc_type_: type[BaseException] | None,
        exc_value_: BaseException | None,
        traceback_: TracebackType | None,
    ) -> None:
        self.close()

    def getFreeMemory(self) -> int:
        """Return the host's free memory in bytes; 0 where it fails, as with the C binding; the error is told."""
        try:
            self._guard("getFreeMemory")
            return int(call(Connect.getFreeMemory, self._o))
        except libvirtError:
            return 0

    def newStream(self, flags: int = 0) -> Any:
        """Return a stream that a call can open: C{VIR_STREAM_*}."""
        self._guard("newStream")
        return wrap(self, call(Connect.newStream, self._o, flags))

    def setKeepAlive(self, interval: int, count: int) -> Any:
        """
        Give the connection up when the daemon is silent; an event loop must have been registered before it opened.

        @param interval: seconds of silence before a ping; 0 or less: never.
        @param count: pings without an answer that end the connection.
        """
        self._guard("setKeepAlive")
        assert self._link is not None
        if not self._link.isHeard and hasattr(self._o._session.connection, "keepalive"):
            errors.last = None
            raise reported(
                virtError(
                    ErrorCode.INTERNAL_ERROR,
                    "the caller doesn't support keepalive protocol; perhaps it's missing event "
                    "loop implementation",
                    ErrorDomain.REMOTE,
                )
            )
        return call(Connect.setKeepAlive, self._o, interval, count)

    domainEventRegisterAny, domainEventDeregisterAny = _registration(
        EventKind.DOMAIN, "domainEvent"
    )
    networkEventRegisterAny, networkEventDeregisterAny = _registration(
        EventKind.NETWORK, "networkEvent"
    )
    storagePoolEventRegisterAny, storagePoolEventDeregisterAny = _registration(
        EventKind.STORAGE_POOL, "storagePoolEvent"
    )
    nodeDeviceEventRegisterAny, nodeDeviceEventDeregisterAny = _registration(
        EventKind.NODE_DEVICE, "nodeDeviceEvent"
    )
    secretEventRegisterAny, secretEventDeregisterAny = _registration(
        EventKind.SECRET, "secretEvent"
    )

    def domainEventRegister(self, cb: Callback, opaque: Any) -> None:
        """Have C{cb(conn, dom, event, detail, opaque)} called for the life of all domains."""
        self._guard("domainEventRegister")
        if not self.domainEventCallbacks:
            requireLoop()
            heard = _Registered(self._dispatchLifecycle, self, None)
            self._lifecycle = heard
            call(Connect.domainEventRegister, self._o, heard.__call__, None)
        self.domainEventCallbacks[cb] = opaque
        loop.wake()

    def _dispatchLifecycle(self, conn: Any, dom: Any, event: int, detail: int, opaque: Any) -> None:
        for cb, given in list(self.domainEventCallbacks.items()):
            cb(self, dom, event, detail, given)

    def domainEventDeregister(self, cb: Callback) -> None:
        """
        Undo L{domainEventRegister}.

        @raise KeyError: other callbacks are registered, but this is not.
        """
        self._guard("domainEventDeregister")
        if not self.domainEventCallbacks:
            return
        del self.domainEventCallbacks[cb]
        if not self.domainEventCallbacks:
            heard = self._lifecycle
            heard.active = False
            call(Connect.domainEventDeregister, self._o, heard.__call__)
        loop.wake()

    def registerCloseCallback(self, cb: Callback, opaque: Any) -> Any:
        """Have C{cb(conn, reason, opaque)} called once when the connection is lost.  Returns 0."""
        self._guard("registerCloseCallback")

        def lost(conn: Any, reason: int, nothing: Any) -> Any:
            return loop.put(lambda: cb(self, reason, opaque))

        result = call(Connect.registerCloseCallback, self._o, lost, None)
        self._told = self._link  # the callback holds the connection, closed or not
        return result

    def unregisterCloseCallback(self) -> None:
        """Undo L{registerCloseCallback}."""
        self._guard("unregisterCloseCallback")
        call(Connect.unregisterCloseCallback, self._o)
        self._told = None

    def virConnGetLastError(self) -> Any:
        """Return the last error of this connection's calls, however many succeeded since; zeros and Nones if there is none."""
        self._guard("virConnGetLastError")
        return latest.get(self._o) or (0, 0, None, 0, None, None, None, 0, 0)

    def virConnResetLastError(self) -> None:
        """Forget the connection's last error."""
        if self._o is not None:
            latest.pop(self._o, None)


def opened(cls: Any, open: Callable[..., Any], *arguments: Any) -> Any:
    """Open a connection by a function of the client."""
    heard = loop.isRegistered
    if heard:
        loop.attach()
    try:
        inner = call(lambda: open(*arguments, reactor=thread.reactor))
    except BaseException:
        if heard:
            loop.detach()
        raise
    return cls(_obj=Link(inner, heard))


def _leave() -> None:
    """The interpreter ends: close what is open, but wait for nobody long."""
    if thread.reactor is None or not OPEN:
        return
    connections = list(OPEN.values())
    OPEN.clear()

    def closeAll() -> Any:
        return DeferredList([each.close() for each in connections]).addTimeout(
            PARTING, thread.reactor
        )

    with contextlib.suppress(Exception):
        thread.call(closeAll)


atexit.register(_leave)
