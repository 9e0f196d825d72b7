"""
The host's ends of consoles and channels as streams: L{Terminal}; and files as streams: L{FileSource}.
"""

from __future__ import annotations

import errno
import os
import socket
import termios
from collections.abc import Callable
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.main import CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

from pyvirt.drivers.interfaces.streams import (
    IPacedSink,
    IStreamDuplex,
    IStreamSink,
    IStreamSource,
)
from pyvirt.drivers.qemu.refusals import failed, systemFailure
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["FileSource", "Terminal", "connectSocket", "lockTerminal", "openTerminal"]

_CHUNK = 65536


def lockTerminal(folder: str, path: str) -> Callable[[], None]:
    """
    Say to all programs that heed such locks that a terminal is in use.

    @param folder: where the locks are.
    @return: what takes the lock away again.
    @raise VirtError: a living process has it, or it cannot be made.
    """
    name = path.removeprefix("/dev").replace("/", "_")
    lock = os.path.join(folder, f"LCK..{name}")
    holder = _holder(lock)
    if holder is not None:
        raise failed(
            f"Requested device '{path}' is locked by lock file '{lock}' held by process {holder}",
            ErrorDomain.NONE,
        )
    try:
        if os.path.lexists(lock):
            os.unlink(lock)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(lock, flags, 0o644), "w") as file:
            file.write(f"{os.getpid():10}\n")
    except OSError as problem:
        if problem.errno == errno.EACCES and os.geteuid() != 0:
            return lambda: None
        detail = f"Couldn't create lock file for device '{path}' in path '{lock}'"
        raise systemFailure(problem, detail, ErrorDomain.NONE) from None

    def release() -> None:
        try:
            os.unlink(lock)
        except OSError:
            pass

    return release


def _holder(lock: str) -> int | None:
    """Return the living process that a lock names, None if there is none."""
    try:
        with open(lock, "rb") as file:
            holder = int(file.read(64))
        if holder <= 0:
            return None
        os.kill(holder, 0)
    except PermissionError:
        return holder
    except (OSError, ValueError, OverflowError):
        return None
    return holder


def openTerminal(path: str) -> int:
    """
    Open a terminal that a guest writes to, so that bytes pass as they are.

    @raise VirtError: it cannot be opened.
    """
    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            mode = termios.tcgetattr(fd)
            mode[0] = mode[1] = mode[3] = 0
            mode[6][termios.VMIN], mode[6][termios.VTIME] = 1, 0
            termios.tcsetattr(fd, termios.TCSANOW, mode)
        except termios.error:
            pass
    except OSError as problem:
        raise systemFailure(problem, f"Unable to open stream for '{path}'") from None
    return fd


def connectSocket(path: str) -> int:
    """
    Connect to a socket that a guest listens on.

    @raise VirtError: it does not.
    """
    opened = socket.socket(socket.AF_UNIX)
    opened.setblocking(False)
    try:
        folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
        try:
            opened.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        finally:
            os.close(folder)
    except OSError as problem:
        opened.close()
        raise systemFailure(problem, f"Unable to open stream for '{path}'") from None
    return opened.detach()


@implementer(IStreamDuplex, IPacedSink)
class Terminal(FileDescriptor):
    """A descriptor whose bytes go both ways, until either side ends it."""

    def __init__(self, reactor: Any, fd: int, left: Callable[[], None]) -> None:
        """
        @param left: called once it is let go of.
        """
        super().__init__(reactor)
        self._fd = fd
        self._left: Callable[[], None] | None = left
        self._sink: IStreamSink | None = None
        self.connected = 1

    def fileno(self) -> int:
        return self._fd

    # From the guest

    def start(self, sink: IStreamSink) -> None:
        """Begin to push into C{sink}."""
        self._sink = sink
        if IPacedSink.providedBy(sink):
            sink.attach(self)
        self.startReading()

    def doRead(self) -> Any:
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return None
        except OSError as problem:
            # A terminal whose guest is gone tells so by an error.
            if problem.errno != errno.EIO:
                return CONNECTION_LOST
            data = b""
        if not data:
            return CONNECTION_LOST
        if self._sink is not None:
            self._sink.write(data)
        return None

    def pauseProducing(self) -> None:
        if self._fd >= 0:
            self.stopReading()

    def resumeProducing(self) -> None:
        if self._fd >= 0 and self._sink is not None:
            self.startReading()

    def stopProducing(self) -> None:
        """Nobody wants more."""
        self._sink = None
        self._close()

    # To the guest

    def attach(self, source: IStreamSource) -> None:
        """Tell C{source} to wait while the guest does not read."""
        producer: Any = source
        self.registerProducer(producer, True)

    def writeSomeData(self, data: bytes) -> Any:
        try:
            return os.write(self._fd, data[:_CHUNK])
        except BlockingIOError:
            return 0
        except OSError:
            return CONNECTION_LOST

    def write(self, data: bytes) -> None:
        if self._fd >= 0:
            super().write(data)

    def writeHole(self, length: int) -> None:
        """A console has none."""
        raise failed("a console has no holes")

    def finish(self) -> Deferred[None] | None:
        """The user has nothing more to say; the guest may have."""
        if self.producer is not None:
            self.unregisterProducer()
        return None

    def abort(self, error: VirtError) -> None:
        """The user is gone."""
        self._sink = None
        self._close()

    # The end

    def connectionLost(self, reason: Failure | None = None) -> None:
        """The guest's end is gone."""
        sink, self._sink = self._sink, None
        self._close()
        if sink is not None:
            sink.finish()

    def takeAway(self) -> None:
        """Somebody else takes it."""
        sink, self._sink = self._sink, None
        self._close()
        if sink is not None:
            sink.abort(virtError(ErrorCode.RPC, "stream had I/O failure", ErrorDomain.STREAMS))

    def _close(self) -> None:
        if self._fd < 0:
            return
        self.stopReading()
        self.stopWriting()
        self.producer = None
        self.connected = 0
        self.disconnected = 1
        fd, self._fd = self._fd, -1
        os.close(fd)
        left, self._left = self._left, None
        if left is not None:
            left()


@implementer(IStreamSource)
class FileSource:
    """Pushes what is in a file, which it owns."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
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
        self._close()

    def _close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)

    def _push(self) -> None:
        if self._pushing:
            return
        self._pushing = True
        try:
            while not self._paused and self._sink is not None:
                data = os.read(self._fd, _CHUNK)
                if not data:
                    sink, self._sink = self._sink, None
                    self._close()
                    sink.finish()
                    return
                self._sink.write(data)
        finally:
            self._pushing = False
