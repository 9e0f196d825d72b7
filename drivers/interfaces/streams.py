"""
Bytes between a driver and a client: where they come from and where they go.

A source pushes into a sink at the sink's pace, as Twisted's producers and consumers do; holes, the end and
failures travel in order with the data.  Neither side knows whether a wire lies between.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.errors import VirtError


class IStreamSink(Interface):
    """What data is written to."""

    def write(data: bytes) -> None:
        """Take data, any amount above 0 bytes.  After C{pauseProducing} on the source none should come."""

    def writeHole(length: int) -> None:
        """Take C{length} bytes of nothing; only if holes were asked for when the stream was opened."""

    def finish() -> None:
        """There is no more: success."""

    def abort(error: VirtError) -> None:
        """There is no more: failure.  Also what comes when the client gives up or is gone."""


class IStreamSource(Interface):
    """
    What data comes from.

    It starts when L{start} is called, and then behaves as an C{IPushProducer}.
    """

    def start(sink: IStreamSink) -> None:
        """Begin to push into C{sink}; called once."""

    def pauseProducing() -> None:
        """Push nothing until L{resumeProducing}."""

    def resumeProducing() -> None:
        """Go on."""

    def stopProducing() -> None:
        """Nobody wants more: release everything.  The sink is not told."""


class IPacedSink(IStreamSink):
    """A sink that cannot always take data: it tells its source when to pause."""

    def attach(source: IStreamSource) -> None:
        """C{source} will push into this sink; pause and resume it as needed.  Called before any data."""


class IStreamDuplex(IStreamSink, IStreamSource):
    """Both at once: a console, a channel."""
