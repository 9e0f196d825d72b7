"""
Listening sockets of a server: UNIX and TCP, opened here or passed in.

A UNIX socket has its mode and group before anybody can connect.  A socket file that nobody serves any more is
replaced, one that is served is left alone.  A listener accepts no more than its factory has room for: the
rest waits in the kernel's queue and is not looked at.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from time import perf_counter
from typing import Any, Protocol

from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from pyvirt.transports.accepted import adopt

__all__ = ["ListenError", "Listener", "openTCP", "openUNIX"]

log = Logger()

_AT_ONCE = 64
_TURN = 0.0003
"""Seconds of one turn of the reactor after which no further client is let in: those that are in come first."""
_PAUSE = 0.5
"""Seconds to wait after the system refused a new connection for want of descriptors or memory."""


class ListenError(Exception):
    """A socket cannot be opened; the text says which and why."""


class IServes(Protocol):
    """A factory that knows how many more connections it takes."""

    @property
    def room(self) -> int:
        """How many."""


class Listener(FileDescriptor):
    """
    A listening socket whose connections go to a factory.

    @ivar address: what it listens on, for logs.
    """

    reactor: Any

    def __init__(
        self,
        reactor: Any,
        listening: socket.socket,
        factory: Factory,
        gate: IServes,
        *,
        path: str | None = None,
    ) -> None:
        """
        @param path: the socket's file, to be removed at the end; None: it is not ours.
        """
        super().__init__(reactor)
        self.socket = listening
        self.factory = factory
        self.gate = gate
        self.path = path
        self.address = _describe(listening)
        self._suspended = False
        self._retry: Any = None
        self._stopped = False
        self._identity = os.stat(path) if path else None

    def fileno(self) -> int:
        return self.socket.fileno()

    def start(self) -> None:
        """Begin to accept."""
        self.factory.doStart()
        self.connected = 1
        if not self._suspended:
            self.startReading()

    def suspend(self) -> None:
        """Accept no more until L{resume}."""
        self._suspended = True
        self.stopReading()

    def resume(self) -> None:
        """Accept again."""
        self._suspended = False
        if self._retry is None and not self._stopped:
            self.startReading()

    def doRead(self) -> None:
        began = perf_counter()
        for _ in range(min(_AT_ONCE, self.gate.room)):
            try:
                accepted, peer = self.socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as problem:
                if problem.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    log.error("cannot accept clients for now: {problem}", problem=problem)
                    self.stopReading()
                    self._retry = self.reactor.callLater(_PAUSE, self._again)
                    return
                log.error("cannot accept a client: {problem}", problem=problem)
                return
            accepted.setblocking(False)
            try:
                adopt(accepted, peer, self.factory, self.reactor)
            except Exception:
                # It went away at once, or something failed that must not cost the listener.
                accepted.close()
                log.failure("cannot serve a client of {address}", address=self.address)
            if self._suspended or self._stopped or perf_counter() - began >= _TURN:
                return

    def _again(self) -> None:
        self._retry = None
        if not self._suspended and not self._stopped:
            self.startReading()

    def stop(self) -> None:
        """Accept no more, ever; remove the socket's file."""
        if self._stopped:
            return
        self._stopped = True
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        self.stopReading()
        if self.path is not None and self._identity is not None:
            try:
                if os.path.samestat(os.stat(self.path), self._identity):
                    os.unlink(self.path)
            except OSError:
                pass
        self.socket.close()
        if self.connected:
            self.connected = 0
            self.factory.doStop()

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.stop()

    def logPrefix(self) -> str:
        return f"listener on {self.address}"


def _describe(listening: socket.socket) -> str:
    name = listening.getsockname()
    if listening.family == socket.AF_UNIX:
        return os.fsdecode(name)
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"


def openUNIX(path: str, *, mode: int, group: int | None = None, backlog: int = 50) -> socket.socket:
    """
    Open a listening UNIX socket.

    @param mode: the file's permissions, from its first moment.
    @param group: whose group it gets, None: that of this process.
    @param backlog: how many connections may wait to be accepted.
    @raise ListenError: somebody serves it already, or it cannot be made.
    """
    try:
        _clear(path)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as problem:
        raise ListenError(f"Failed to make socket '{path}': {problem.strerror}") from None
    try:
        listening.setblocking(False)
        # Nobody may connect before mode and group are right.
        before = os.umask(0o777)
        try:
            listening.bind(path)
        finally:
            os.umask(before)
        try:
            if group is not None:
                os.chown(path, -1, group)
            os.chmod(path, mode)
            listening.listen(backlog)
        except BaseException:
            os.unlink(path)
            raise
    except OSError as problem:
        listening.close()
        text = problem.strerror or str(problem)
        raise ListenError(f"Failed to bind socket to '{path}': {text}") from None
    except BaseException:
        listening.close()
        raise
    return listening


def _clear(path: str) -> None:
    """Make way for a socket: remove one that nobody serves."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise ListenError(f"Failed to bind socket to '{path}': a file that is no socket is there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except FileNotFoundError:
            return
        except OSError:
            pass  # a full queue, say: somebody is there
    raise ListenError(f"Failed to bind socket to '{path}': another server is listening on it")


def openTCP(host: str | None, port: int, *, backlog: int = 50) -> list[socket.socket]:
    """
    Open listening TCP sockets, one for each address of C{host}.

    @param host: a name or an address, None: every address of this machine.
    @param port: 0: one that is free, the same for each address.
    @raise ListenError: none can be opened.
    """
    where = f"'{host or '*'}' port {port}"
    try:
        found = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG
        )
    except socket.gaierror:
        try:
            # Without any configured address (a new network namespace) numeric ones still work.
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        except socket.gaierror as problem:
            raise ListenError(f"Unable to resolve address {where}: {problem.strerror}") from None
    listening: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in found:
            try:
                each = socket.socket(family, kind, protocol)
            except OSError as problem:
                if problem.errno == errno.EAFNOSUPPORT and len(found) > 1:
                    continue
                raise
            listening.append(each)
            each.setblocking(False)
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                each.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if port == 0 and len(listening) > 1:
                address = (address[0], listening[0].getsockname()[1], *address[2:])
            each.bind(address)
            each.listen(backlog)
        if not listening:
            raise ListenError(f"Unable to listen on {where}: no address family is available")
    except OSError as problem:
        for each in listening:
            each.close()
        raise ListenError(f"Unable to listen on {where}: {problem.strerror}") from None
    return listening
