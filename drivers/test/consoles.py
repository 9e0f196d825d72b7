"""
The screen of a guest: one picture, whatever the guest does.
"""

from __future__ import annotations

import os
import struct
import zlib
from functools import cache

from zope.interface import implementer

from pyvirt.drivers.interfaces.streams import IPacedSink, IStreamSink, IStreamSource
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.test.refusals import checkFlags
from pyvirt.drivers.test.world import World

__all__ = ["BytesSource", "DomainConsoles", "picture"]

#: The picture that libvirt's own driver shows; where it is installed the same is shown here.
INSTALLED = "/usr/share/libvirt/test-screenshot.png"

_CHUNK = 65536


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _drawn() -> bytes:
    """Draw a picture, 640 by 400: a frame around shades of grey."""
    width, height = 640, 400
    rows = bytearray()
    for y in range(height):
        rows.append(0)
        edge = y in (0, height - 1)
        rows += bytes(255 if edge or x in (0, width - 1) else (x ^ y) & 0x7F for x in range(width))
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
            _chunk(b"IDAT", zlib.compress(bytes(rows), 9)),
            _chunk(b"IEND", b""),
        )
    )


@cache
def picture() -> bytes:
    """Return the picture, in the format of PNG."""
    if os.path.exists(INSTALLED):
        with open(INSTALLED, "rb") as file:
            return file.read()
    return _drawn()


@implementer(IStreamSource)
class BytesSource:
    """Pushes bytes that are all there from the start."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0
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
        self._data = b""

    def _push(self) -> None:
        if self._pushing:
            return
        self._pushing = True
        try:
            while not self._paused and self._sink is not None:
                if self._position >= len(self._data):
                    sink, self._sink = self._sink, None
                    sink.finish()
                    return
                piece = self._data[self._position : self._position + _CHUNK]
                self._position += len(piece)
                self._sink.write(piece)
        finally:
            self._pushing = False


class DomainConsoles:
    """Shows the screens of guests."""

    def __init__(self, world: World) -> None:
        self._find = world.domains.find

    def domainScreenshot(
        self, dom: DomainRef, screen: int, flags: int
    ) -> tuple[str | None, IStreamSource]:
        """Show the screen of a guest, running or not: every screen looks the same."""
        checkFlags("testDomainScreenshot", flags)
        return "image/png", BytesSource(picture())
