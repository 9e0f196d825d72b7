"""
The other end of a driver's streams.
"""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from pyvirt.drivers.interfaces.streams import IPacedSink, IStreamSource
from pyvirt.errors import VirtError

__all__ = ["Collected"]


@implementer(IPacedSink, IStreamSource)
class Collected:
    """
    A sink that keeps what comes; and a source that only notes whether it is paused.

    @ivar data: what has come.
    @ivar holes: bytes of holes that have come.
    @ivar error: what it was aborted with.
    @ivar ends: how often an end has come.
    @ivar unasked: how often data came while it had paused.
    @ivar paused: whether whom it writes to has told it to pause.
    """

    def __init__(self, slowly: Any = None) -> None:
        """
        @param slowly: a source to pause after each piece for a moment; None: take all that comes.
        """
        self._slowly = slowly
        self._waits = False
        self.pieces: list[bytes] = []
        self.holes = 0
        self.error: VirtError | None = None
        self.ends = 0
        self.unasked = 0
        self.paused = False

    @property
    def data(self) -> bytes:
        """All that has come."""
        return b"".join(self.pieces)

    @property
    def ended(self) -> bool:
        """Whether the end has come; where it has paused it goes on first."""
        if self._waits:
            self._waits = False
            self._slowly.resumeProducing()
        return self.ends > 0

    def attach(self, source: IStreamSource) -> None:
        """Take data from C{source}."""

    def write(self, data: bytes) -> None:
        """Keep data."""
        self.unasked += self._waits
        self.pieces.append(bytes(data))
        if self._slowly is not None:
            self._waits = True
            self._slowly.pauseProducing()

    def writeHole(self, length: int) -> None:
        """Keep a hole."""
        self.holes += length
        self.pieces.append(bytes(length))

    def finish(self) -> None:
        """The data is whole."""
        self.ends += 1

    def abort(self, error: VirtError) -> None:
        """It is not."""
        self.ends += 1
        self.error = error

    def start(self, sink: Any) -> None:
        """The test itself pushes."""

    def pauseProducing(self) -> None:
        """Push nothing for now."""
        self.paused = True

    def resumeProducing(self) -> None:
        """Go on."""
        self.paused = False

    def stopProducing(self) -> None:
        """Nobody wants more."""
