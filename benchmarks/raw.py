"""
A client that costs next to nothing: prepared packets on a blocking socket, replies counted by their bytes.

With it the daemon is what is measured, and not the client.  The packets come from our own codecs, the same for
both sides.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pyvirt.protocols.message import PAYLOAD, MessageType, Status, decodeError, pack, unpackHeader
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE

GUEST = "<domain type='test'><name>{}</name><memory>8192</memory><os><type>hvm</type></os></domain>"


def call(name: str, *arguments: Any, serial: int = 0) -> bytes:
    """The packet of a call."""
    procedure = REMOTE.byName[name]
    payload = procedure.argumentCodec.encode(arguments)
    return pack(
        REMOTE.number,
        REMOTE.version,
        procedure.number,
        MessageType.CALL,
        serial,
        Status.OK,
        payload,
    )


class RawClient:
    """An open connection to C{test:///default}."""

    def __init__(self, connection: socket.socket, readOnly: bool = False) -> None:
        self.socket = connection
        self._serial = 0
        self._rest = b""
        self.ask("authList")
        self.ask("connectOpen", "test:///default", int(readOnly))

    def close(self) -> None:
        """Hang up."""
        self.socket.close()

    def packet(self) -> bytes:
        """Wait for one packet."""
        rest = self._rest
        while len(rest) < 4 or len(rest) < int.from_bytes(rest[:4], "big"):
            data = self.socket.recv(1 << 16)
            if not data:
                raise EOFError("the daemon hung up")
            rest += data
        length = int.from_bytes(rest[:4], "big")
        self._rest = rest[length:]
        return rest[:length]

    def ask(self, name: str, *arguments: Any) -> Any:
        """Make one call and return its result; events that come first are dropped."""
        return self._result(name, *arguments)

    def results(self, name: str, *arguments: Any) -> Any:
        """As L{ask}, of a call with several results."""
        return self._result(name, *arguments)

    def _result(self, name: str, *arguments: Any) -> Any:
        self._serial += 1
        self.socket.sendall(call(name, *arguments, serial=self._serial))
        while True:
            packet = self.packet()
            header = unpackHeader(packet)
            if header[4] == MessageType.REPLY and header[5] == self._serial:
                break
        if header[6] != Status.OK:
            raise decodeError(packet)
        values, _ = REMOTE.byName[name].resultCodec.decode(packet, PAYLOAD)
        return values[0] if values else None

    def pipelined(self, packet: bytes, replySize: int, window: int, seconds: float) -> float:
        """
        Repeat a call with up to C{window} outstanding.

        @param window: few enough that calls and replies fit the socket's buffers, for nothing is read while
            sending.
        @param replySize: length of each reply, in bytes.
        @return: calls answered per second.
        """
        blob = packet * window
        size = len(packet)
        send, receive, clock = self.socket.sendall, self.socket.recv, time.perf_counter
        started = clock()
        end = started + seconds
        send(blob)
        sent, received = window, 0
        while clock() < end:
            received += len(receive(1 << 18))
            free = window - (sent - received // replySize)
            if free:
                send(blob[: free * size])
                sent += free
        elapsed = clock() - started
        done = received // replySize
        while received < sent * replySize:
            received += len(receive(1 << 18))
        # An error would be longer than the reply: had there been any, the next answer would not be found.
        if received != sent * replySize:
            raise ValueError("other replies came than were asked for")
        self.ask("connectGetLibVersion")
        return done / elapsed

    def repeated(self, window: int, seconds: float) -> float:
        """C{virDomainGetInfo} with up to C{window} calls outstanding; calls per second."""
        domain = self.ask("domainLookupByName", "test")
        packet = call("domainGetInfo", domain)
        self.socket.sendall(packet)
        reply = self.packet()
        if unpackHeader(reply)[6] != Status.OK:
            raise decodeError(reply)
        return self.pipelined(packet, len(reply), window, seconds)

    def create(self, names: Sequence[str]) -> None:
        """Start domains, a hundred calls at a time."""
        for first in range(0, len(names), 100):
            batch = names[first : first + 100]
            self.socket.sendall(
                b"".join(call("domainCreateXML", GUEST.format(name), 0) for name in batch)
            )
            for _ in batch:
                reply = self.packet()
                if unpackHeader(reply)[6] != Status.OK:
                    raise decodeError(reply)


@contextmanager
def subscribers(connections: Sequence[socket.socket]) -> Iterator[list[RawClient]]:
    """Clients that want every lifecycle event of every domain."""
    clients = [RawClient(each) for each in connections]
    try:
        for client in clients:
            client.ask("connectDomainEventCallbackRegisterAny", 0, None)
        yield clients
    finally:
        for client in clients:
            client.close()


def eventsDelivered(trigger: RawClient, clients: Sequence[RawClient], pairs: int) -> float:
    """
    Suspend and resume a domain C{pairs} times, and wait until every client has every event.

    @return: events delivered per second, all clients together.
    """
    domain = trigger.ask("domainLookupByName", "test")
    # The first round tells how long the two events are together.
    trigger.ask("domainSuspend", domain)
    trigger.ask("domainResume", domain)
    size = 0
    for client in clients:
        size = len(client.packet()) + len(client.packet())
    selector = selectors.DefaultSelector()
    missing = {client.socket.fileno(): size * pairs for client in clients}
    for client in clients:
        selector.register(client.socket, selectors.EVENT_READ)
    # One change after the other: a daemon with threads would run what is pipelined in any order.
    changes = [call("domainSuspend", domain), call("domainResume", domain)] * pairs
    changes.reverse()
    selector.register(trigger.socket, selectors.EVENT_READ)
    started = time.perf_counter()
    trigger.socket.sendall(changes.pop())
    while missing:
        ready = selector.select(30)
        if not ready:
            raise TimeoutError(f"{len(missing)} of {len(clients)} clients wait for events")
        for key, _ in ready:
            if key.fileobj is trigger.socket:
                trigger.packet()
                if changes:
                    trigger.socket.sendall(changes.pop())
                continue
            data = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
            if not data:
                raise EOFError("the daemon hung up on a subscriber")
            missing[key.fd] -= len(data)
            if missing[key.fd] <= 0:
                selector.unregister(key.fileobj)
                del missing[key.fd]
    elapsed = time.perf_counter() - started
    selector.close()
    return 2 * pairs * len(clients) / elapsed
