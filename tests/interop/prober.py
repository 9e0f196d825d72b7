"""
A client that says anything: raw calls over a daemon's UNIX socket, and arguments that no sane client would send.

It blocks, and knows only codecs: what it sends is not what our own client would.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any, NamedTuple
from uuid import UUID

from pyvirt.errors import VirtError
from pyvirt.protocols import structs, xdr
from pyvirt.protocols.message import PAYLOAD, MessageType, Status, decodeError, pack, unpackHeader
from pyvirt.protocols.procedures import Procedure, Program
from pyvirt.protocols.programs.remote import PROGRAM as REMOTE
from pyvirt.protocols.structs import TypedParam

Arguments = tuple[Any, ...]


class Answer(NamedTuple):
    """
    What came back: an error, or a result (None where there is none).

    @ivar fds: descriptors that came with it.
    """

    error: VirtError | None
    result: Any = None
    fds: tuple[int, ...] = ()


class Prober:
    """One raw connection, opened on C{test:///default} unless told otherwise."""

    def __init__(self, connection: socket.socket, uri: str | None = "test:///default") -> None:
        self._socket = connection
        self._serial = 0
        self._received = bytearray()
        self._fds: list[int] = []
        if uri is not None:
            ask(self, "authList")
            ask(self, "connectOpen", uri, 0)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
        for fd in self._fds:
            os.close(fd)

    def call(
        self, program: Program, procedure: Procedure, arguments: Arguments, fds: Sequence[int] = ()
    ) -> Answer:
        """
        Make one call and wait for its answer.

        @raise EOFError: the daemon hung up instead.
        """
        self._serial += 1
        payload = procedure.argumentCodec.encode(arguments)
        kind = MessageType.CALL
        if fds:
            kind = MessageType.CALL_WITH_FDS
            payload = struct.pack(">I", len(fds)) + payload
        packet = pack(
            program.number, program.version, procedure.number, kind, self._serial, 0, payload
        )
        try:
            self._socket.sendall(packet)
            for fd in fds:
                rights = array.array("i", [fd])
                self._socket.sendmsg(
                    [b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights.tobytes())]
                )
        except (BrokenPipeError, ConnectionResetError) as error:
            raise EOFError(str(error)) from error
        while True:
            packet = self._packet()
            _, _, _, _, type_, serial, status = unpackHeader(packet)
            if serial != self._serial or type_ not in (
                MessageType.REPLY,
                MessageType.REPLY_WITH_FDS,
            ):
                continue
            if status == Status.ERROR:
                return Answer(decodeError(packet))
            offset = PAYLOAD
            came: list[int] = []
            if type_ == MessageType.REPLY_WITH_FDS:
                (count,) = struct.unpack_from(">I", packet, offset)
                offset += 4
                came = [self._descriptor() for _ in range(count)]
            values, _ = procedure.resultCodec.decode(packet, offset)
            return Answer(None, values[0] if values else None, tuple(came))

    def _packet(self) -> bytes:
        while len(self._received) < 4 or len(self._received) < self._length():
            self._receive()
        length = self._length()
        packet = bytes(self._received[:length])
        del self._received[:length]
        return packet

    def _length(self) -> int:
        return int.from_bytes(self._received[:4], "big")

    def _receive(self) -> None:
        try:
            data, fds, _, _ = socket.recv_fds(self._socket, 1 << 20, 32)
        except ConnectionResetError as error:
            raise EOFError(str(error)) from error
        if not data:
            raise EOFError("the daemon hung up")
        self._fds += fds
        self._received += data

    def _descriptor(self) -> int:
        while not self._received:
            self._receive()
        del self._received[:1]
        return self._fds.pop(0)


def references(prober: Prober) -> dict[type, Any]:
    """Look up what C{test:///default} starts with: reference type to a reference that exists."""
    domain = ask(prober, "domainLookupByName", "test")
    network = ask(prober, "networkLookupByName", "default")
    return {
        structs.DomainRef: domain,
        structs.NetworkRef: network,
        structs.NetworkPortRef: structs.NetworkPortRef(network, bytes(16)),
        structs.NWFilterRef: structs.NWFilterRef("filter", bytes(16)),
        structs.NWFilterBindingRef: structs.NWFilterBindingRef("port", "filter"),
        structs.InterfaceRef: ask(prober, "interfaceLookupByName", "eth1"),
        structs.StoragePoolRef: ask(prober, "storagePoolLookupByName", "default-pool"),
        structs.StorageVolRef: structs.StorageVolRef("default-pool", "vol", "/default-pool/vol"),
        structs.NodeDeviceRef: structs.NodeDeviceRef("computer"),
        structs.SecretRef: structs.SecretRef(UUID(int=1).bytes, 0, ""),
        structs.DomainCheckpointRef: structs.DomainCheckpointRef("checkpoint", domain),
        structs.DomainSnapshotRef: structs.DomainSnapshotRef("snapshot", domain),
        TypedParam: TypedParam("unknown", 1, 1),
    }


def ask(prober: Prober, name: str, *arguments: Any) -> Any:
    """Make a call of the main program and return its result, or raise its error."""
    answer = prober.call(REMOTE, REMOTE.byName[name], arguments)
    if answer.error is not None:
        raise answer.error
    return answer.result


INT32 = (0, 1, -1, 2, 2147483647, -2147483648)
UINT32 = (0, 1, 2, 3, 2147483647, 2147483648, 4294967295)
HYPER = (0, 1, -1, 2**63 - 1, -(2**63))
UHYPER = (0, 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1)
STRINGS = ("x", "", "1-", "x/y")
BYTES = (b"\x01", b"", b"\x01\x00")


def values(kind: xdr.Type, known: dict[type, Any]) -> tuple[Any, ...]:
    """
    Return arguments of a type: first a plain one, then the odd ones.

    @param known: references that exist, by their type.
    """
    match kind:
        case xdr.Scalar(name="bool"):
            return (0, 1, 2)
        case xdr.Scalar(code="i"):
            return INT32
        case xdr.Scalar(code="I"):
            return UINT32
        case xdr.Scalar(code="q"):
            return HYPER
        case xdr.Scalar(code="Q"):
            return UHYPER
        case xdr.String():
            return STRINGS
        case xdr.Opaque(exact=True):
            return (bytes(kind.limit),)
        case xdr.Opaque() | xdr.Chars():
            return BYTES
        case xdr.Maybe():
            return (None, *values(kind.element, known))
        case xdr.Array():
            items = values(kind.element, known)
            return ([items[-1]], [], [items[0], items[-1]], [items[0]])
        case xdr.Struct():
            return (known[kind.cls],)
    raise TypeError(f"{kind!r} has no values")


def attempts(procedure: Procedure, known: dict[type, Any]) -> Iterator[Arguments]:
    """
    Yield argument tuples for a procedure: each argument's odd values one at a time, around several plain rows.

    Flags are given bit by bit, and two by two as far as libvirt has given them a meaning.
    """
    choices = [values(kind, known) for _, kind in procedure.arguments]
    seen: set[str] = set()
    flags = procedure.parameters.index("flags") if "flags" in procedure.parameters else None
    for row in range(3):
        plain = [choice[min(row, len(choice) - 1)] for choice in choices]
        if flags is not None:
            plain[flags] = 0
        for position, choice in enumerate(choices):
            odd: Sequence[Any] = choice
            if position == flags:
                odd = FLAGS
            for value in odd:
                arguments = (*plain[:position], value, *plain[position + 1 :])
                if repr(arguments) not in seen:
                    seen.add(repr(arguments))
                    yield arguments
    if len(choices) <= 5:
        for arguments in product(
            *(choice[:4] if position != flags else (0,) for position, choice in enumerate(choices))
        ):
            if repr(arguments) not in seen:
                seen.add(repr(arguments))
                yield arguments


FLAGS = sorted(
    {0, 0xFFFFFFFF}
    | {1 << bit for bit in range(32)}
    | {1 << one | 1 << other for one in range(8) for other in range(one)}
)
