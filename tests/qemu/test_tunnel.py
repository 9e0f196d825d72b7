"""
Memory that comes through the connection of two daemons: every end of it, in every order.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import MemoryReactor
from twisted.python.failure import Failure

from pyvirt.drivers.qemu.tunnel import startInlet
from pyvirt.errors import ErrorCode
from tests.protocols.test_streams import UPLOAD, PairTests


class _Reactor(MemoryReactor):
    """A reactor that looks at its descriptors when it is asked to."""

    def look(self) -> None:
        """Do for each descriptor what is to be done, as if all were ready."""
        for ready, name in ((self.getReaders(), "doRead"), (self.getWriters(), "doWrite")):
            for each in ready:
                why = getattr(each, name)()
                if why:
                    self.removeReader(each)
                    self.removeWriter(each)
                    each.connectionLost(Failure(why))


class InletTests(PairTests):
    """The destination's end."""

    def setUp(self) -> None:
        super().setUp()
        self.reactor = _Reactor()
        self.inlet, theirs = startInlet(self.reactor)
        self.qemu = open(theirs, "rb", buffering=0)  # noqa: SIM115
        self.addCleanup(self.qemu.close)
        self.addCleanup(self.inlet.close)
        self.stream = self.open(UPLOAD, self.inlet)

    def pump(self) -> None:
        """Let everything arrive."""
        self.pipe.flush()
        self.reactor.look()
        self.pipe.flush()

    def test_closedEarly(self) -> None:
        """QEMU has all, and closes its end before the source has said that this is all: nothing is wrong."""
        self.stream.write(b"memory")
        self.pump()
        self.assertEqual(self.qemu.read(100), b"memory")
        self.qemu.close()
        self.pump()
        finished = self.stream.finish()
        self.pump()
        self.assertIsNone(self.successResultOf(finished))
        self.nothingLeft()
        self.assertEqual(self.reactor.getReaders(), [])
        self.assertEqual(self.reactor.getWriters(), [])

    def test_closedTooEarly(self) -> None:
        """QEMU is gone, and there is more: the source hears of it."""
        self.qemu.close()
        self.stream.write(b"memory")
        self.pump()
        self.failed(self.stream.finish(), ErrorCode.RPC, "stream had unexpected termination")
        self.nothingLeft()

    def test_stuck(self) -> None:
        """QEMU ends while much waits for it, and the source waits in turn: the source hears of it."""
        producer = Recorder()
        self.stream.attach(producer)
        while not producer.paused:
            self.stream.write(bytes(65536))
            self.pump()
        self.qemu.close()
        self.pump()
        self.assertTrue(producer.stopped)
        self.failed(self.stream.finish(), ErrorCode.RPC, "stream had unexpected termination")
        self.nothingLeft()

    def test_late(self) -> None:
        """What the source says last counts once QEMU has been given all of it."""
        self.stream.write(b"memory")
        self.pipe.flush()
        finished = self.stream.finish()
        self.pipe.flush()
        self.assertNoResult(finished)
        self.pump()
        self.assertIsNone(self.successResultOf(finished))
        self.assertEqual(self.qemu.read(100), b"memory")
        self.assertEqual(self.qemu.read(100), b"")
        self.nothingLeft()

    def test_givenUp(self) -> None:
        """The guest is not wanted any more: the source hears of it at once, and only once."""
        self.inlet.close()
        self.inlet.close()
        self.pump()
        self.failed(self.stream.finish(), ErrorCode.RPC, "stream had unexpected termination")
        self.assertEqual(self.qemu.read(100), b"")
        self.nothingLeft()

    def test_aborted(self) -> None:
        """The source gives up: QEMU's end is closed."""
        aborted = self.stream.abort()
        self.pump()
        self.assertIsNone(self.successResultOf(aborted))
        self.assertEqual(self.qemu.read(100), b"")
        self.nothingLeft()


class Recorder:
    """A source that keeps what it is told."""

    def __init__(self) -> None:
        self.paused = self.stopped = False

    def pauseProducing(self) -> None:
        """Wait."""
        self.paused = True

    def resumeProducing(self) -> None:
        """Go on."""
        self.paused = False

    def stopProducing(self) -> None:
        """End."""
        self.stopped = True

    def start(self, sink: Any) -> None:
        """Nothing comes by itself."""
