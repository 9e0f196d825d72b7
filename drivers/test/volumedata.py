"""
What is in a volume: bytes that somebody wrote, and holes, which read as zeros and take no room.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from zope.interface import implementer

from pyvirt.drivers.interfaces.streams import IPacedSink, IStreamSink, IStreamSource
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["MOST", "VolumeData", "VolumeReader", "VolumeWriter"]

_BLOCK = 65536
_ZEROS = bytes(_BLOCK)
#: Bytes of memory that a volume takes at most, however large it says it is.
MOST = 1 << 30


class VolumeData:
    """Bytes in blocks; a block in which nobody wrote anything but zeros is not kept."""

    __slots__ = ("_blocks",)

    def __init__(self) -> None:
        self._blocks: dict[int, bytes] = {}

    @property
    def kept(self) -> int:
        """How many bytes of memory the blocks take."""
        return len(self._blocks) * _BLOCK

    def copy(self) -> VolumeData:
        """Make another with the same in it."""
        other = VolumeData()
        other._blocks = dict(self._blocks)
        return other

    def clear(self) -> None:
        """Forget everything."""
        self._blocks.clear()

    def cut(self, size: int) -> None:
        """Forget what is at C{size} and behind."""
        for number in [number for number in self._blocks if number >= -(-size // _BLOCK)]:
            del self._blocks[number]
        if size % _BLOCK and size // _BLOCK in self._blocks:
            self.write(size, bytes(_BLOCK - size % _BLOCK))

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes; where nothing was written they are 0."""
        out = bytearray()
        while len(out) < size:
            number, first = divmod(offset + len(out), _BLOCK)
            out += self._blocks.get(number, _ZEROS)[first : first + size - len(out)]
        return bytes(out)

    def write(self, offset: int, data: bytes) -> None:
        """Put bytes somewhere."""
        done = 0
        while done < len(data):
            number, first = divmod(offset + done, _BLOCK)
            piece = data[done : done + _BLOCK - first]
            old = self._blocks.get(number, _ZEROS)
            new = old[:first] + piece + old[first + len(piece) :]
            if new == _ZEROS:
                self._blocks.pop(number, None)
            else:
                self._blocks[number] = new
            done += len(piece)

    def clearRange(self, offset: int, length: int) -> None:
        """Let bytes be 0, without going through those that are."""
        end = offset + length
        for number in [
            number for number in self._blocks if offset <= number * _BLOCK < end - _BLOCK + 1
        ]:
            del self._blocks[number]
        for number in {offset // _BLOCK, max(end - 1, 0) // _BLOCK}:
            if number in self._blocks:
                first = max(offset, number * _BLOCK)
                self.write(first, bytes(min(end, (number + 1) * _BLOCK) - first))

    def extents(self, offset: int, length: int) -> Iterator[tuple[int, int, bool]]:
        """
        Go through a part: where each stretch begins, how long it is, whether there is data in it.

        Stretches with data are of one block at most.
        """
        end = offset + length
        numbers = sorted(
            number for number in self._blocks if offset // _BLOCK <= number < -(-end // _BLOCK)
        )
        at = offset
        for number in numbers:
            first = max(offset, number * _BLOCK)
            if first > at:
                yield at, first - at, False
            at = min(end, (number + 1) * _BLOCK)
            yield first, at - first, True
        if at < end:
            yield at, end - at, False


def _full() -> VirtError:
    text = os.strerror(errno.ENOSPC)
    return virtError(
        ErrorCode.SYSTEM_ERROR,
        f"cannot write to stream: {text}",
        ErrorDomain.TEST,
        int1=errno.ENOSPC,
    )


@implementer(IStreamSink)
class VolumeWriter:
    """Writes what a client sends into a volume, from one place on and not beyond another."""

    def __init__(self, data: VolumeData, offset: int, end: int, most: int = MOST) -> None:
        self._data = data
        self._at = offset
        self._end = end
        self._most = most

    def _room(self, length: int) -> None:
        if self._at + length > self._end:
            raise _full()

    def write(self, data: bytes) -> None:
        """Take bytes."""
        self._room(len(data))
        if self._data.kept + len(data) > self._most:
            raise _full()
        self._data.write(self._at, data)
        self._at += len(data)

    def writeHole(self, length: int) -> None:
        """Leave a hole."""
        self._room(length)
        self._data.clearRange(self._at, length)
        self._at += length

    def finish(self) -> None:
        """All is there."""

    def abort(self, error: VirtError) -> None:
        """What came stays."""


@implementer(IStreamSource)
class VolumeReader:
    """Pushes a part of a volume, with its holes as such where that is wanted."""

    def __init__(self, data: VolumeData, offset: int, length: int, sparse: bool) -> None:
        self._data = data
        self._sparse = sparse
        self._extents = data.extents(offset, length)
        self._zeros = 0
        self._sink: IStreamSink | None = None
        self._paused = False
        self._pushing = False

    def start(self, sink: IStreamSink) -> None:
        """Begin to push into C{sink}."""
        self._sink = sink
        if IPacedSink.providedBy(sink):
            sink.attach(self)
        self._push()

    def pauseProducing(self) -> None:
        """Push nothing for now."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Go on."""
        self._paused = False
        self._push()

    def stopProducing(self) -> None:
        """Nobody wants more."""
        self._sink = None

    def _push(self) -> None:
        if self._pushing:
            return
        self._pushing = True
        try:
            while not self._paused and self._sink is not None:
                self._step(self._sink)
        finally:
            self._pushing = False

    def _step(self, sink: IStreamSink) -> None:
        rest = self._zeros
        if rest:  # a hole for those who know none: zeros, a block at a time
            piece = min(rest, _BLOCK)
            self._zeros = rest - piece
            sink.write(_ZEROS[:piece])
            return
        found = next(self._extents, None)
        if found is None:
            self._sink = None
            sink.finish()
            return
        at, length, filled = found
        if filled:
            sink.write(self._data.read(at, length))
        elif self._sparse:
            sink.writeHole(length)
        else:
            self._zeros = length
