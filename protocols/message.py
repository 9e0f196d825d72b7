"""
Messages: the 24-byte header after the length word, the error body, the packets made of them.

A packet is one C{bytes} with its length word, so that nothing is copied between socket and codec: the
payload starts at L{PAYLOAD}.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import NamedTuple

from pyvirt.errors import ErrorCode, ErrorDomain, VirtError
from pyvirt.protocols.structs import WireError
from pyvirt.protocols.xdr import XDRError, compileCodec, resolve

__all__ = [
    "FDS_MAX",
    "LENGTH_MAX",
    "LENGTH_MIN",
    "PAYLOAD",
    "STREAM_CHUNK",
    "Header",
    "MessageType",
    "Status",
    "decodeError",
    "encodeError",
    "pack",
    "unpackHeader",
]

LENGTH_MIN = 28
"""The smallest length word: itself and a header."""
LENGTH_MAX = 33554436
"""The largest: 32 MiB of header and payload, and itself."""
PAYLOAD = 28
"""Where the payload starts in a packet."""
STREAM_CHUNK = 262120
"""The most data that peers put in one stream packet; every version accepts it."""
FDS_MAX = 32
"""The most descriptors that go with one message."""


class MessageType(IntEnum):
    """What a message is."""

    CALL = 0
    REPLY = 1
    MESSAGE = 2
    STREAM = 3
    CALL_WITH_FDS = 4
    REPLY_WITH_FDS = 5
    STREAM_HOLE = 6


class Status(IntEnum):
    """How it stands."""

    OK = 0
    ERROR = 1
    CONTINUE = 2


class Header(NamedTuple):
    """A packet's first 28 bytes."""

    length: int
    program: int
    version: int
    procedure: int
    type: int
    serial: int
    status: int


_HEADER = struct.Struct(">IIIiIII")
unpackHeader = _HEADER.unpack_from
"""C{(packet) -> (length, program, version, procedure, type, serial, status)}, as fast as it gets."""
packHeader = _HEADER.pack


def pack(
    program: int,
    version: int,
    procedure: int,
    type: int,
    serial: int,
    status: int,
    payload: bytes = b"",
) -> bytes:
    """
    Make a packet.

    @raise XDRError: it would be longer than the peer accepts.
    """
    length = PAYLOAD + len(payload)
    if length > LENGTH_MAX:
        raise XDRError(f"packet of {length} bytes is above the limit of {LENGTH_MAX}")
    return packHeader(length, program, version, procedure, type, serial, status) + payload


_errorCodec = compileCodec([resolve(WireError)], "error")


def encodeError(error: VirtError) -> bytes:
    """Encode an error as the payload of a reply; text too long to travel is cut."""

    def cut(text: str | None) -> str | None:
        if text is None:
            return None
        text = text.replace("\0", "")[:65536]
        try:
            text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            text = text.encode("utf-8", "replace").decode()
        return text

    return _errorCodec.encode(
        (
            WireError(
                int(error.code),
                int(error.domain),
                cut(error.message),
                error.level,
                error.dom,
                cut(error.str1),
                cut(error.str2),
                cut(error.str3),
                error.int1,
                error.int2,
                error.net,
            ),
        )
    )


def decodeError(data: bytes, offset: int = PAYLOAD) -> VirtError:
    """Decode the error in a reply's payload into an exception of its own class."""
    wire: WireError
    (wire,), _ = _errorCodec.decode(data, offset)
    cls = VirtError.byCode.get(wire.code, VirtError)
    return cls(
        wire.message,
        code=_known(ErrorCode, wire.code),
        domain=_known(ErrorDomain, wire.domain),
        level=wire.level,
        str1=wire.str1,
        str2=wire.str2,
        str3=wire.str3,
        int1=wire.int1,
        int2=wire.int2,
        dom=wire.dom,
        net=wire.net,
    )


def _known(enum: type[IntEnum], number: int) -> int:
    try:
        return enum(number)
    except ValueError:
        return number
