"""
Framing: a byte stream is packets one after another, each opened by a 4-byte big-endian length.

The length counts itself.  Packets keep it, so that one that arrives whole is passed on without a copy.
Descriptors ride on single bytes that follow the packet they belong to and are counted by no length: the
reader swallows these bytes and says how many descriptors the packet needs.
"""

from __future__ import annotations

import struct

from pyvirt.protocols.message import FDS_MAX, LENGTH_MAX, LENGTH_MIN, MessageType

__all__ = ["FrameError", "FrameReader"]

_LENGTH = struct.Struct(">I").unpack_from
_WITH_FDS = (MessageType.CALL_WITH_FDS, MessageType.REPLY_WITH_FDS)


class FrameError(Exception):
    """The peer's bytes are no packets: nothing that follows can be understood."""


class FrameReader:
    """
    Split a byte stream into packets.

    @ivar maximum: the largest length word accepted.
    @ivar error: set once the stream is broken; packets before the breach are still returned.
    @ivar descriptors: for each packet returned that announces descriptors, their count, in order.
    """

    __slots__ = ("_needed", "_pending", "descriptors", "error", "maximum")

    def __init__(self, maximum: int = LENGTH_MAX) -> None:
        self.maximum = maximum
        self.error: FrameError | None = None
        self.descriptors: list[int] = []
        self._pending: bytearray | None = None
        self._needed = 4

    @property
    def buffered(self) -> int:
        """How many bytes wait for the rest of their packet."""
        return 0 if self._pending is None else len(self._pending)

    @property
    def atBoundary(self) -> bool:
        """Whether what comes next begins a packet."""
        return self._pending is None and self.error is None

    def receive(self, data: bytes) -> list[bytes]:
        """
        Take bytes as they come; return the packets that they complete, often none.

        Once L{error} is set, whatever else arrives is dropped.
        """
        pending = self._pending
        if pending is not None:
            pending += data
            if len(pending) < self._needed:
                return []
            data = bytes(pending)
            self._pending = None
        elif self.error is not None:
            return []
        size = len(data)
        if LENGTH_MIN <= size <= self.maximum and _LENGTH(data)[0] == size and data[19] < 4:
            return [data]
        packets: list[bytes] = []
        offset = 0
        while True:
            remaining = size - offset
            if remaining < 4:
                self._needed = 4
                break
            (length,) = _LENGTH(data, offset)
            if not LENGTH_MIN <= length <= self.maximum:
                self.error = FrameError(
                    f"packet length {length} is outside {LENGTH_MIN} to {self.maximum}"
                )
                return packets
            if remaining < length:
                self._needed = length
                break
            whole = length
            if data[offset + 19] >= 4 and _LENGTH(data, offset + 16)[0] in _WITH_FDS:
                count = _LENGTH(data, offset + LENGTH_MIN)[0] if length >= LENGTH_MIN + 4 else 0
                if length < LENGTH_MIN + 4 or count > FDS_MAX:
                    self.error = FrameError(f"{count} descriptors announced, at most {FDS_MAX} go")
                    return packets
                whole += count
                if remaining < whole:
                    self._needed = whole
                    break
                self.descriptors.append(count)
            packets.append(data[offset : offset + length])
            offset += whole
        if offset < size:
            self._pending = bytearray(data[offset:] if offset else data)
        return packets
