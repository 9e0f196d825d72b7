"""
Bytes between a driver and a client: where they come from and where they go.

A source pushes into a sink at the sink's pace, as Twisted's producers and consumers do; holes, the end and
failures travel in order with the data.  Neither side knows whether a wire lies between.
"""

from __future__ import annotations

from zope.interface import Interface

from pyvirt.drivers.interfaces.values import Answer
from pyvirt.errors import VirtError


class IStreamSink(Interface):
    """
    What data is written to.

    A sink that fails raises C{VirtError} from C{write}, C{writeHole} or C{finish}, is told nothing more, and its
    source is stopped; one that fails in between does so at the next of these, and resumes a source that it has
    paused.
    """

    def write(data: bytes) -> None:
        """Take data, any amount above 0 bytes.  After C{pauseProducing} on the source none should come."""

    def writeHole(length: int) -> None:
        """Take C{length} bytes of nothing; only if holes were asked for when the stream was opened."""

    def finish() -> Answer[None]:
        """
        There is no more: success.

        @return: what fires, or has the value, once all is where it belongs; a failure then is the stream's.
        """

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
        """Nobody wants more: release everything.  The sink is not told.  After the end it may not come."""


class IPacedSink(IStreamSink):
    """A sink that cannot always take data: it tells its source when to pause."""

    def attach(source: IStreamSource) -> None:
        """
        C{source} will push into this sink; pause and resume it as needed.  Called before any data.

        C{source.stopProducing} says that no more is wanted, at any time.
        """


class IStreamDuplex(IStreamSink, IStreamSource):
    """
    Both at once: a console, a channel.

    That one way has ended does not end the other.  In the end it hears C{finish} or C{abort}, and then
    C{stopProducing}.
    """
