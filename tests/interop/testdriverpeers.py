"""
Two ways to the test driver, the same to a script: libvirtd's over its socket, and ours in this process.

A script calls procedures by name on either; what comes back, results, errors and events, is written down in a
L{Transcript}, and two transcripts are compared with what cannot be the same (made-up identifiers, the time)
taken out.
"""

from __future__ import annotations

import re
import socket
import struct
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from twisted.internet.task import Clock

from pyvirt.drivers.interfaces.driver import OpenContext
from pyvirt.drivers.interfaces.events import Event, EventKind
from pyvirt.drivers.test import TestConnection, TestDriver
from pyvirt.errors import VirtError
from pyvirt.protocols.message import PAYLOAD, MessageType, decodeError, pack, unpackHeader
from pyvirt.protocols.programs import REMOTE
from pyvirt.routes import Router, StreamAnswer
from pyvirt.uri import parseURI

from .supersets import isSuperset

__all__ = ["OurPeer", "Peer", "Transcript", "WirePeer", "differences"]

#: The events that scripts hear of: domain events by number, and what carries each on the wire.
DOMAIN_EVENTS = {
    0: "domainEventCallbackLifecycle",
    1: "domainEventCallbackReboot",
    7: "domainEventControlError",
    13: "domainEventCallbackBalloonChange",
    17: "domainEventCallbackTunable",
    23: "domainEventCallbackMetadataChange",
}
#: Seconds within which events that are due have come.
_DEADLINE = 3.0


class Peer:
    """Calls procedures, and hears events as C{(kind, number, object, details)}."""

    events: list[tuple[Any, ...]]

    def call(self, name: str, *arguments: Any) -> Any:
        """
        Call a procedure.

        @return: its result; what a stream brought as bytes beside it.
        @raise VirtError: it failed.
        """
        raise NotImplementedError

    def settle(self, count: int) -> None:
        """Wait until C{count} events have been heard."""

    def close(self) -> None:
        """Let go."""


class WirePeer(Peer):
    """
    A daemon, asked through a socket.

    @ivar guestsOnly: it tells of domains, and is not asked to tell of all else.
    """

    guestsOnly = False

    def __init__(self, connection: socket.socket, uri: str) -> None:
        self._socket = connection
        self._serial = 0
        self._buffer = b""
        self.events = []
        self.call("authList")
        try:
            self.call("connectOpen", uri, 0)
        except VirtError:
            connection.close()
            raise
        for number in DOMAIN_EVENTS:
            self.call("connectDomainEventCallbackRegisterAny", number, None)
        if self.guestsOnly:
            return
        self.call("connectNetworkEventRegisterAny", 0, None)
        for number in (0, 1):
            self.call("connectStoragePoolEventRegisterAny", number, None)
        self.call("connectNodeDeviceEventRegisterAny", 0, None)

    def _send(self, number: int, kind: MessageType, body: bytes) -> None:
        self._socket.sendall(
            pack(REMOTE.number, REMOTE.version, number, kind, self._serial, 0, body)
        )

    def _read(self, timeout: float) -> bytes | None:
        self._socket.settimeout(timeout)
        while True:
            if len(self._buffer) >= 4:
                (length,) = struct.unpack_from(">I", self._buffer)
                if len(self._buffer) >= length:
                    packet, self._buffer = self._buffer[:length], self._buffer[length:]
                    return packet
            try:
                data = self._socket.recv(1 << 20)
            except TimeoutError:
                return None
            if not data:
                raise ConnectionError("the daemon hung up")
            self._buffer += data

    def call(self, name: str, *arguments: Any) -> Any:
        """Send, and read until the reply is there."""
        procedure = REMOTE.byName[name]
        self._serial += 1
        body = procedure.argumentCodec.encode(arguments)
        self._send(procedure.number, MessageType.CALL, body)
        result: Any = None
        stream: bytes | None = None
        while True:
            packet = self._read(30.0)
            assert packet is not None, f"{name} was not answered"
            _, _, _, number, kind, serial, status = unpackHeader(packet)
            if kind == MessageType.MESSAGE:
                self._event(number, packet)
            elif serial != self._serial:
                continue
            elif status == 1:
                raise decodeError(packet)
            elif kind == MessageType.REPLY:
                if procedure.result is not None:
                    (result,), _ = procedure.resultCodec.decode(packet, PAYLOAD)
                if procedure.stream is None:
                    return result
                stream = b""
            elif kind == MessageType.STREAM:
                if status == 0:
                    return result, stream
                stream = (stream or b"") + packet[PAYLOAD:]
                if len(packet) == PAYLOAD:
                    self._send(procedure.number, MessageType.STREAM, b"")

    def _event(self, number: int, packet: bytes) -> None:
        procedure = next(each for each in REMOTE if each.number == number)
        values, _ = procedure.argumentCodec.decode(packet, PAYLOAD)
        rest = list(values[1:])
        name = procedure.name
        kind, eventID = EventKind.DOMAIN, -1
        for known, event in DOMAIN_EVENTS.items():
            if event == name:
                eventID = known
        if name.startswith("network"):
            kind, eventID = EventKind.NETWORK, 0
        elif name.startswith("storagePool"):
            kind, eventID = EventKind.STORAGE_POOL, 0 if name.endswith("Lifecycle") else 1
        elif name.startswith("nodeDevice"):
            kind, eventID = EventKind.NODE_DEVICE, 0
        if len(rest) == 1 and not hasattr(rest[0], "uuid") and kind is EventKind.DOMAIN:
            rest = list(rest[0])
        self.events.append((kind.value, eventID, rest[0], tuple(rest[1:])))

    def settle(self, count: int) -> None:
        """Read what comes, and a little longer."""
        end = time.monotonic() + _DEADLINE
        while time.monotonic() < end:
            packet = self._read(0.05 if len(self.events) >= count else 0.2)
            if packet is None:
                if len(self.events) >= count:
                    return
                continue
            header = unpackHeader(packet)
            if header[4] == MessageType.MESSAGE:
                self._event(header[3], packet)

    def close(self) -> None:
        """Leave, and hang up once that is known: what was shared is gone then."""
        try:
            self.call("connectClose")
        finally:
            self._socket.close()


class _Collector:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.data = b""
        self.ended = False

    def write(self, data: bytes) -> None:
        self.data += data

    def finish(self) -> None:
        self.ended = True

    def abort(self, error: VirtError) -> None:
        raise error


class OurPeer(Peer):
    """Our driver, asked through the routes that daemon and client ask it through."""

    def __init__(self, uri: str) -> None:
        from pyvirt.drivers.interfaces.events import (
            IDomainEvents,
            INetworkEvents,
            INodeDeviceEvents,
            IStoragePoolEvents,
        )

        clock = Clock()
        clock.advance(time.time())
        connection = TestDriver().open(parseURI(uri), OpenContext(reactor=clock))
        assert isinstance(connection, TestConnection)
        self.connection = connection
        self._router = Router(self.connection)
        self.events = []
        component: Any = self.connection.component(IDomainEvents)
        for number in DOMAIN_EVENTS:
            component.domainEventSubscribe(number, None, self._heard)
        component = self.connection.component(INetworkEvents)
        component.networkEventSubscribe(0, None, self._heard)
        component = self.connection.component(IStoragePoolEvents)
        for number in (0, 1):
            component.storagePoolEventSubscribe(number, None, self._heard)
        component = self.connection.component(INodeDeviceEvents)
        component.nodeDeviceEventSubscribe(0, None, self._heard)

    def _heard(self, event: Event) -> None:
        self.events.append((event.kind.value, event.id, event.ref, event.details))

    def call(self, name: str, *arguments: Any) -> Any:
        """Ask, through the codecs, so that what cannot travel is found out."""
        procedure = REMOTE.byName[name]
        arguments, _ = procedure.argumentCodec.decode(procedure.argumentCodec.encode(arguments), 0)
        value = self._router.call(procedure, arguments)
        data = None
        if isinstance(value, StreamAnswer):
            sink = _Collector()
            value.stream.start(sink)
            assert sink.ended
            value, data = value.value, sink.data
        if procedure.result is not None:
            (value,), _ = procedure.resultCodec.decode(procedure.resultCodec.encode((value,)), 0)
        return value if procedure.stream is None else (value, data)

    def close(self) -> None:
        """Leave."""
        self.connection.close()


Script = Callable[["Transcript"], None]

_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_MAC = re.compile(r"\b52:54:00(?::[0-9a-f]{2}){3}\b")
_TIME = re.compile(r"\b1[6-9]\d{8}\b")


class Transcript:
    """
    What a script did on one side.

    @ivar lines: for each call what was asked and what came back.
    @ivar kept: identifiers that the script itself chose, which are the same on both sides.
    """

    def __init__(self, peer: Peer, kept: set[str]) -> None:
        self.peer = peer
        self.lines: list[tuple[str, Any]] = []
        self._kept = kept
        self._tokens: dict[str, str] = {}

    def __call__(self, name: str, *arguments: Any) -> Any:
        """
        Call a procedure and write down the outcome.

        @return: the result, None if it failed.
        """
        label = f"{name}{self.plain(arguments)!r}"
        try:
            value = self.peer.call(name, *arguments)
        except VirtError as error:
            outcome: Any = (
                "error",
                int(error.code),
                int(error.domain),
                error.message,
                error.level,
                error.str1,
                error.str2,
                error.str3,
                error.int1,
                error.int2,
                error.dom,
                error.net,
            )
            self.lines.append((label, self.plain(outcome)))
            return None
        self.lines.append((label, self.plain(value)))
        return value

    def plain(self, value: Any) -> Any:
        """Take out what cannot be the same on both sides, keeping what is equal equal."""
        if isinstance(value, tuple | list):
            return [self.plain(item) for item in value]
        if isinstance(value, bytes):
            if len(value) == 16:
                return self._token(str(UUID(bytes=value)))
            return value
        if isinstance(value, str):
            value = _UUID.sub(lambda match: self._token(match[0]), value)
            value = _MAC.sub(lambda match: self._token(match[0]), value)
            return _TIME.sub("TIME", value)
        return value

    def _token(self, text: str) -> str:
        if text in self._kept:
            return text
        return self._tokens.setdefault(
            text, f"<{'MAC' if ':' in text else 'UUID'}{len(self._tokens)}>"
        )


def _same(one: Any, other: Any) -> bool:
    """Whether two outcomes are the same; large numbers that follow from the time may differ a little."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, int) and isinstance(other, int) and min(abs(one), abs(other)) > 400000000:
        return abs(one - other) <= 0.0001 * abs(one)
    return bool(one == other)


def differences(theirs: Transcript, ours: Transcript) -> list[str]:
    """Say where two transcripts of the same script differ; empty if they do not."""
    found = []
    for (asked, expected), (_, got) in zip(theirs.lines, ours.lines, strict=True):
        refused = isinstance(expected, list) and expected[:1] == ["error"]
        if refused and isSuperset(asked.partition("[")[0], expected[1]):
            continue
        if not _same(expected, got):
            found.append(f"{asked}\n  libvirtd: {expected!r}\n  ours:     {got!r}")
    theirs.peer.settle(len(ours.peer.events))
    expected, got = theirs.plain(theirs.peer.events), ours.plain(ours.peer.events)
    if expected != got:
        for number in range(max(len(expected), len(got))):
            one = expected[number] if number < len(expected) else None
            other = got[number] if number < len(got) else None
            if one != other:
                found.append(f"event {number}\n  libvirtd: {one!r}\n  ours:     {other!r}")
                break
    return found
