"""
What the tests of the daemon share: a driver that does as told, and a client of a session in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from pyvirt.daemon.server import Limits
from pyvirt.drivers.interfaces.driver import IConnection, OpenContext
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.drivers.interfaces.streams import IStreamSink, IStreamSource
from pyvirt.drivers.interfaces.values import DomainRef, NodeInfo
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.protocols import message
from pyvirt.protocols.framing import FrameReader
from pyvirt.protocols.procedures import Procedure, Program
from pyvirt.protocols.programs import ALL
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from pyvirt.testing.daemon import memoryDaemon
from pyvirt.uri import parseURI

DOMAIN = DomainRef("test", bytes(range(16)), 1)
OTHER = DomainRef("other", bytes(16), -1)
URI = "fixture:///default"


class Subscription:
    """One listener of the fixture's driver."""

    def __init__(self, driver: FixtureDriver, entry: tuple[Any, ...]) -> None:
        self.driver = driver
        self.entry = entry

    def cancel(self) -> None:
        self.driver.listeners.remove(self.entry)


@implementer(IStreamSource)
class Source:
    """A driver's stream that a client reads; a test pushes into its C{sink}."""

    def __init__(self) -> None:
        self.sink: Any = None
        self.history: list[str] = []

    def start(self, sink: Any) -> None:
        self.sink = sink
        self.history.append("started")

    def pauseProducing(self) -> None:
        self.history.append("paused")

    def resumeProducing(self) -> None:
        self.history.append("resumed")

    def stopProducing(self) -> None:
        self.history.append("stopped")


@implementer(IStreamSink)
class Sink:
    """A driver's stream that a client writes; remembers what came."""

    def __init__(self) -> None:
        self.history: list[Any] = []

    def write(self, data: bytes) -> None:
        self.history.append(data)

    def writeHole(self, length: int) -> None:
        self.history.append(length)

    def finish(self) -> None:
        self.history.append("finished")

    def abort(self, error: VirtError) -> None:
        self.history.append("aborted")


class FixtureConnection:
    """A connection whose operations answer at once, later, wrongly or not at all."""

    def __init__(self, driver: FixtureDriver, uri: str) -> None:
        self.driver = driver
        self.uri = uri
        self.closed = 0
        self.lacks: set[Any] = set()

    def component(self, interface: Any) -> object | None:
        return None if interface in self.lacks else self

    def isAlive(self) -> bool:
        return True

    def isSecure(self) -> bool:
        return True

    def isEncrypted(self) -> bool:
        return False

    def close(self) -> None:
        self.closed += 1
        self.driver.connections.remove(self)

    # Host

    def connectGetType(self) -> Any:
        return self.driver.type

    def connectGetLibVersion(self) -> int:
        return 9000000

    def connectGetHostname(self) -> Any:
        return self.driver.hostname()

    def connectSupportsFeature(self, feature: int) -> bool:
        return feature == 5

    def nodeGetInfo(self) -> NodeInfo:
        return NodeInfo("i686", 3145728, 16, 1400, 2, 2, 2, 2)

    def connectIsSecure(self) -> bool:
        return True

    # Domains

    def domainLookupByName(self, name: str) -> DomainRef:
        if name != DOMAIN.name:
            raise virtError(ErrorCode.NO_DOMAIN, None, ErrorDomain.TEST)
        return DOMAIN

    def domainSuspend(self, dom: DomainRef) -> Deferred[None]:
        waiting: Deferred[None] = Deferred()
        self.driver.waiting.append(waiting)
        return waiting

    def domainOpenGraphics(self, dom: DomainRef, idx: int, flags: int, fds: list[int]) -> Any:
        self.driver.given = [os.fstat(each).st_ino for each in fds]
        return self.driver.graphics

    def domainOpenGraphicsFD(self, dom: DomainRef, idx: int, flags: int) -> int:
        self.driver.opened = os.open("/dev/null", os.O_RDONLY)
        return self.driver.opened

    # Streams

    def storageVolDownload(self, vol: Any, offset: int, length: int, flags: int) -> Any:
        return self.driver.stream()

    def storageVolUpload(self, vol: Any, offset: int, length: int, flags: int) -> Any:
        return self.driver.stream()

    def domainScreenshot(self, dom: DomainRef, screen: int, flags: int) -> Any:
        return "image/png", self.driver.stream()

    # Events

    def _subscribe(self, kind: EventKind, eventID: int, ref: Any, listener: Any) -> Subscription:
        entry = (kind, eventID, ref, listener)
        self.driver.listeners.append(entry)
        return Subscription(self.driver, entry)

    def domainEventSubscribe(self, eventID: int, dom: Any, listener: Any) -> Subscription:
        return self._subscribe(EventKind.DOMAIN, eventID, dom, listener)

    def networkEventSubscribe(self, eventID: int, net: Any, listener: Any) -> Subscription:
        return self._subscribe(EventKind.NETWORK, eventID, net, listener)

    def storagePoolEventSubscribe(self, eventID: int, pool: Any, listener: Any) -> Subscription:
        return self._subscribe(EventKind.STORAGE_POOL, eventID, pool, listener)

    def nodeDeviceEventSubscribe(self, eventID: int, dev: Any, listener: Any) -> Subscription:
        return self._subscribe(EventKind.NODE_DEVICE, eventID, dev, listener)

    def secretEventSubscribe(self, eventID: int, secret: Any, listener: Any) -> Subscription:
        return self._subscribe(EventKind.SECRET, eventID, secret, listener)

    def monitorEventSubscribe(
        self, dom: Any, event: str | None, flags: int, listener: Any
    ) -> Subscription:
        return self._subscribe(EventKind.MONITOR, 0, dom, listener)


class FixtureDriver:
    """
    Opens L{FixtureConnection}s; stands where the driver table does.

    @ivar opening: None: opening answers at once; else a list of those that wait.
    @ivar waiting: calls that wait for their answer.
    """

    factories: tuple[Any, ...] = ()

    def __init__(self) -> None:
        self.connections: list[FixtureConnection] = []
        self.contexts: list[OpenContext] = []
        self.listeners: list[tuple[Any, ...]] = []
        self.waiting: list[Deferred[Any]] = []
        self.opening: list[Callable[[], None]] | None = None
        self.type: Any = "FIXTURE"
        self.graphics: Any = None
        self.stream: Callable[[], Any] = lambda: None
        self.given: list[int] = []
        self.opened = -1
        self.hostname: Callable[[], Any] = lambda: "host"

    def open(self, uri: str | None, context: OpenContext) -> Any:
        self.contexts.append(context)
        assert uri is not None
        parsed = parseURI(uri)
        if parsed.scheme != "fixture":
            raise virtError(ErrorCode.NO_CONNECT, uri)
        connection = FixtureConnection(self, uri)
        if self.opening is None:
            self.connections.append(connection)
            return connection
        waiting: Deferred[FixtureConnection] = Deferred()

        def finish() -> None:
            if not waiting.called:
                self.connections.append(connection)
                waiting.callback(connection)

        self.opening.append(finish)
        return waiting

    def emit(self, event: Event) -> None:
        """Tell an event to all who listen for it."""
        for kind, eventID, ref, listener in list(self.listeners):
            if kind is event.kind and eventID == event.id and ref in (None, event.ref):
                listener(event)


implementer(IConnection)(FixtureConnection)


class MemoryTransport(StringTransport):
    """A transport that can be full, and can be cut."""

    aborted = False

    def abortConnection(self) -> None:
        self.aborted = True
        super().abortConnection()

    def fill(self) -> None:
        """The peer reads no more."""
        assert self.producer is not None
        self.producer.pauseProducing()

    def drain(self) -> None:
        """The peer reads again."""
        assert self.producer is not None
        self.producer.resumeProducing()


class Message:
    """A packet from the daemon, taken apart."""

    def __init__(self, packet: bytes) -> None:
        header = message.unpackHeader(packet)
        self.packet = packet
        self.length, self.program, self.version, self.number, self.type = header[:5]
        self.serial, self.status = header[5:]

    @property
    def procedure(self) -> Procedure:
        """What it belongs to."""
        (program,) = [each for each in ALL if each.number == self.program]
        return program.procedures[self.number]

    @property
    def body(self) -> tuple[Any, ...]:
        """The arguments of a message that the daemon sent on its own."""
        values: tuple[Any, ...] = self.procedure.argumentCodec.decode(self.packet, message.PAYLOAD)[
            0
        ]
        return values

    @property
    def result(self) -> Any:
        """The result in a reply; an error is raised."""
        if self.status:
            raise message.decodeError(self.packet)
        values, _ = self.procedure.resultCodec.decode(self.packet, message.PAYLOAD)
        return values[0] if values else None

    @property
    def error(self) -> dict[str, Any]:
        """The error in a reply, as the parts that travel."""
        found = message.decodeError(self.packet)
        return {
            "code": int(found.code),
            "domain": int(found.domain),
            "message": found.message,
            "level": found.level,
            "str1": found.str1,
            "str2": found.str2,
            "int1": found.int1,
            "int2": found.int2,
        }


def error(
    code: int,
    domain: int,
    text: str,
    str1: str | None = None,
    str2: str | None = None,
    numbers: int = -1,
) -> dict[str, Any]:
    """Describe an error as L{Message.error} does."""
    return {
        "code": code,
        "domain": domain,
        "message": text,
        "level": 2,
        "str1": str1,
        "str2": str2,
        "int1": numbers,
        "int2": numbers,
    }


def internal(text: str, domain: int = 7) -> dict[str, Any]:
    """Describe an internal error."""
    return error(1, domain, f"internal error: {text}", "internal error: %s", text)


def rpc(text: str) -> dict[str, Any]:
    """Describe an error of the RPC layer."""
    return error(39, 7, text, "%s", text)


NOT_OPEN = internal("hypervisor connection not open")


class Peer:
    """A client of a session in memory, speaking packets."""

    def __init__(self, daemon: Any, **how: Any) -> None:
        self.clock: Clock = daemon.server.clock
        self.session = daemon.protocol(**how)
        self.transport = MemoryTransport()
        self.frames = FrameReader()
        self.serials = count(1)
        self.session.makeConnection(self.transport)

    def packet(self, name: str, *arguments: Any, program: Program = REMOTE) -> bytes:
        """Make a call's packet."""
        procedure = program.byName[name]
        return self.raw(
            procedure.number, procedure.argumentCodec.encode(arguments), program=program.number
        )

    def raw(
        self,
        number: int,
        payload: bytes = b"",
        *,
        program: int = REMOTE.number,
        version: int = 1,
        type: int = 0,
        serial: int | None = None,
        status: int = 0,
    ) -> bytes:
        """Make any packet."""
        serial = next(self.serials) if serial is None else serial
        return message.pack(program, version, number, type, serial, status, payload)

    def send(self, data: bytes) -> None:
        """Let the daemon read C{data}."""
        self.session.dataReceived(data)

    def received(self) -> list[Message]:
        """Return the messages that came since the last time."""
        data = self.transport.value()
        self.transport.clear()
        return [Message(each) for each in self.frames.receive(data)]

    def ask(self, packet: bytes) -> Message:
        """Send a packet; return the one message that answers it."""
        self.send(packet)
        (answer,) = self.received()
        return answer

    def call(self, name: str, *arguments: Any, program: Program = REMOTE) -> Any:
        """Call, and return the result; an error is raised."""
        return self.ask(self.packet(name, *arguments, program=program)).result

    def error(self, name: str, *arguments: Any, program: Program = REMOTE) -> dict[str, Any]:
        """Call, and return the error."""
        return self.ask(self.packet(name, *arguments, program=program)).error

    def open(self, uri: str | None = URI, flags: int = 0) -> Peer:
        """Open a connection."""
        self.call("connectOpen", uri, flags)
        return self

    def lose(self) -> None:
        """The connection is gone."""
        self.session.connectionLost(Failure(ConnectionDone()))

    @property
    def isClosed(self) -> bool:
        """Whether the daemon has closed."""
        return bool(self.transport.disconnecting)


class World:
    """A daemon in memory with the fixture's driver."""

    def __init__(self, **limits: Any) -> None:
        self.clock = Clock()
        self.driver = FixtureDriver()
        self.daemon = memoryDaemon(self.clock, self.driver, Limits(**limits))
        self.server = self.daemon.server

    def peer(self, **how: Any) -> Peer:
        """Connect a client."""
        return Peer(self.daemon, **how)
