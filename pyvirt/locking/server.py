"""
The lock daemon's side of the lock program: leases for processes that have said who they are.

A client registers an owner, usually itself: a guest's process connects before it becomes the guest, acquires,
restricts the connection and keeps it open.  When such a connection ends, the owner has lost the right to its
leases: if its process lives it is killed first, then they are released.  Leases of an owner whose process ends
are released, whoever asked for them.

Only processes of our own user, or root, are served.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import time
from collections.abc import Callable
from itertools import count
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from pyvirt.errors import ErrorCode, ErrorDomain, InvalidArgument, VirtError, virtError
from pyvirt.locking.owners import Owners
from pyvirt.locking.space import AUTOCREATE, SHARED, LockSpaces
from pyvirt.process import startTime, systemError
from pyvirt.protocols.message import PAYLOAD
from pyvirt.protocols.procedures import Kind
from pyvirt.protocols.programs.lock import PROGRAM
from pyvirt.protocols.rpc import RPCServer
from pyvirt.protocols.structs import LockOwner
from pyvirt.protocols.xdr import XDRError
from pyvirt.transports.listeners import Listener

__all__ = ["LockServer", "LockSession", "Peer"]

log = Logger()

_FUNCTION = "virLockSpaceProtocolDispatch"

#: Work on files, done elsewhere than in the reactor's thread, one at a time and in order.
Run = Callable[..., Deferred[Any]]


class Peer(NamedTuple):
    """A client's process, as the kernel tells it when it connects."""

    pid: int
    uid: int
    started: int | None


def _refuse(text: str) -> VirtError:
    return virtError(ErrorCode.OPERATION_INVALID, text, ErrorDomain.RPC)


class LockServer(Factory):
    """
    What sessions share.

    @ivar spaces: the lock spaces.
    @ivar owners: the processes that hold leases.
    @ivar sessions: the open ones.
    @ivar changed: called whenever a client has come or gone.
    @ivar numbers: of clients, for administrators.
    @ivar gates: by which clients come.
    """

    def __init__(
        self,
        reactor: Any,
        run: Run,
        *,
        stateFile: str,
        maxClients: int = 1024,
    ) -> None:
        """
        @param run: calls a function off the reactor's thread, one after the other.
        @param stateFile: where to note, before a lease is granted, what a successor must find.
        """
        self.reactor = reactor
        self.run = run
        self.stateFile = stateFile
        self.maxClients = maxClients
        self.spaces = LockSpaces()
        self.owners = Owners(reactor, self.ownerEnded)
        self.sessions: set[LockSession] = set()
        self.changed: Callable[[], None] = lambda: None
        self.numbers = count(1)
        self.gates: list[Listener] = []
        self._full = False

    @property
    def room(self) -> int:
        """How many clients more are taken."""
        return max(0, self.maxClients - len(self.sessions))

    def setMaximum(self, clients: int) -> None:
        """Take so many clients from now on; those that are there stay."""
        self.maxClients = clients
        self._clientsChanged()

    def _clientsChanged(self) -> None:
        """Accept nobody more while there is no room."""
        full = self.room == 0
        if full != self._full:
            self._full = full
            for each in self.gates:
                if full:
                    each.suspend()
                else:
                    each.resume()
        self.changed()

    def sessionStarted(self, session: LockSession) -> None:
        """A client is there."""
        self.sessions.add(session)
        self._clientsChanged()

    def buildProtocol(self, addr: Any) -> LockSession:
        return LockSession(self)

    def sessionEnded(self, session: LockSession) -> None:
        """A client is gone."""
        self.sessions.discard(session)
        self._clientsChanged()
        owner = session.owner
        if owner is None or owner.pid != session.peer.pid or not self.spaces.holds(owner.pid):
            return
        if any(each.speaksFor(owner.pid) for each in self.sessions):
            return
        if self.owners.lives(owner.pid, session.peer.started):
            log.warn(
                "{name} (pid {pid}) has let go of the connection that its leases hang on: killing it",
                name=owner.name,
                pid=owner.pid,
            )
            self.owners.kill(owner.pid)  # its leases are released when it is gone
        else:
            self.ownerEnded(owner.pid)

    def ownerEnded(self, pid: int) -> None:
        """An owner has ended: release what it had."""
        self.owners.forget(pid)
        self.run(self._release, pid).addErrback(
            lambda failure: log.failure("cannot release the leases of {pid}", failure, pid=pid)
        )

    def _release(self, pid: int) -> None:
        count = self.spaces.releaseOwner(pid)
        self.save()
        if count:
            log.info("released {count} leases of {pid}, which has ended", count=count, pid=pid)

    # State, on disk before it is announced

    def save(self) -> None:
        """Write the state down.  Blocks."""
        described = {
            "owners": {str(pid): started for pid, started in self.owners.known.items()},
            "spaces": self.spaces.state(),
        }
        temporary = f"{self.stateFile}.new"
        fd = os.open(
            temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
        with open(fd, "w") as file:
            json.dump(described, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, self.stateFile)

    def load(self, inherited: bool) -> None:
        """
        Take over from a predecessor, before clients are served.  Blocks.

        @param inherited: whether it became this process, and its descriptors are still open.
        @raise ValueError: the file is not what L{save} writes.
        """
        try:
            with open(self.stateFile) as file:
                described = json.load(file)
        except FileNotFoundError:
            return
        try:
            alive = [
                int(pid)
                for pid, started in described["owners"].items()
                if startTime(int(pid)) == started and self.owners.watch(int(pid))
            ]
            lost = self.spaces.restore(described["spaces"], frozenset(alive), inherited)
        except (KeyError, TypeError, AttributeError) as problem:
            raise ValueError(f"{self.stateFile} makes no sense: {problem!r}") from None
        for pids, why in lost:
            log.error(
                "{pids} run without a lease that they had, it cannot be had again: {problem}",
                pids=pids,
                problem=why,
            )
        self.save()
        log.info("found the leases of {count} processes again", count=len(alive))

    def stop(self) -> None:
        """Watch no owner any more; leases go with this process."""
        self.owners.stop()


class LockSession(RPCServer):
    """
    One client.

    @ivar peer: its process.
    @ivar owner: for whom it asks; None: it has not said.
    @ivar restricted: it may ask no more.
    @ivar number: tells it from others.
    @ivar since: when it came, in seconds since 1970.
    """

    peer = Peer(0, 0, None)
    owner: LockOwner | None = None
    restricted = False

    def __init__(self, server: LockServer) -> None:
        super().__init__(server.reactor)
        self.number = next(server.numbers)
        self.since = time.time()
        self.server = server

    def connectionMade(self) -> None:
        super().connectionMade()
        try:
            self.peer = self._peer()
        except OSError as problem:
            log.error("cannot tell who a client is: {problem}", problem=problem)
            self.transport.abortConnection()
            return
        if self.peer.uid not in (0, os.geteuid()):
            log.warn("refusing a client of user {uid}", uid=self.peer.uid)
            self.transport.abortConnection()
            return
        self.server.sessionStarted(self)

    def _peer(self) -> Peer:
        handle = self.transport.getHandle()
        pid, uid, _ = struct.unpack(
            "iII", handle.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        )
        return Peer(pid, uid, startTime(pid))

    def speaksFor(self, pid: int) -> bool:
        """Whether this is a connection of the owner C{pid} itself."""
        return self.owner is not None and self.owner.pid == pid == self.peer.pid

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.server.sessionEnded(self)

    def callReceived(
        self,
        program: int,
        version: int,
        number: int,
        serial: int,
        status: int,
        packet: bytes,
        fds: list[int],
    ) -> None:
        for fd in fds:
            os.close(fd)
        try:
            if (program, version) != (PROGRAM.number, PROGRAM.version):
                raise virtError(
                    ErrorCode.RPC,
                    f"Cannot find program {program} version {version}",
                    ErrorDomain.RPC,
                )
            procedure = PROGRAM.procedures.get(number)
            if procedure is None or procedure.kind is not Kind.CALL:
                raise virtError(ErrorCode.RPC, f"unknown procedure: {number}", ErrorDomain.RPC)
            try:
                arguments, _ = procedure.argumentCodec.decode(packet, PAYLOAD)
            except XDRError:
                raise virtError(
                    ErrorCode.RPC, "Unable to decode message payload", ErrorDomain.RPC
                ) from None
            answer = getattr(self, f"do_{procedure.name}")(*arguments)
        except VirtError as error:
            self.replyError(program, version, number, serial, error)
            return
        if answer is None:
            self.reply(program, version, number, serial)
            return
        self.hold()  # calls of one client are answered in order
        answer.addCallbacks(
            lambda _: self.reply(program, version, number, serial),
            lambda failure: self._failed(program, version, number, serial, failure),
        ).addBoth(lambda _: self.release())

    def _failed(
        self, program: int, version: int, number: int, serial: int, failure: Failure
    ) -> None:
        error = failure.value
        if not isinstance(error, VirtError):
            log.failure("a call failed", failure)
            error = virtError(
                ErrorCode.INTERNAL_ERROR, "unexpected lock daemon failure", ErrorDomain.LOCKING
            )
        if not self.connectionIsLost:
            self.replyError(program, version, number, serial, error)

    # Checks

    def _check(self, name: str, flags: int, allowed: int = 0) -> None:
        wrong = flags & ~allowed
        if wrong:
            function = f"{_FUNCTION}{name}"
            raise InvalidArgument(
                f"unsupported flags (0x{wrong:x}) in function {function}",
                domain=ErrorDomain.RPC,
                str1=function,
                str2="flags",
                int1=0,
                int2=0,
            )
        if self.restricted:
            raise virtError(
                ErrorCode.OPERATION_DENIED,
                "lock manager connection has been restricted",
                ErrorDomain.RPC,
            )

    def _registered(self) -> LockOwner:
        if self.owner is None:
            raise _refuse("lock owner details have not been registered")
        return self.owner

    # Procedures

    def do_register(self, owner: LockOwner, flags: int) -> None:
        self._check("Register", flags)
        if not owner.id:
            raise _refuse("lock owner details have not been registered")
        self.owner = owner

    def do_restrict(self, flags: int) -> None:
        self._check("Restrict", flags)
        self._registered()
        self.restricted = True

    def do_new(self, path: str, flags: int) -> Deferred[Any]:
        self._check("New", flags)
        self._registered()
        return self._do(self.server.spaces.create, path, True)

    def do_createLockspace(self, path: str) -> Deferred[Any]:
        self._check("CreateLockSpace", 0)
        return self._do(self.server.spaces.create, path)

    def do_createResource(self, path: str, name: str, flags: int) -> Deferred[Any]:
        self._check("CreateResource", flags)
        self._registered()
        return self.server.run(lambda: self.server.spaces.find(path).create(name))

    def do_deleteResource(self, path: str, name: str, flags: int) -> Deferred[Any]:
        self._check("DeleteResource", flags)
        self._registered()
        return self.server.run(lambda: self.server.spaces.find(path).delete(name))

    def do_acquireResource(self, path: str, name: str, flags: int) -> Deferred[Any]:
        self._check("AcquireResource", flags, SHARED | AUTOCREATE)
        owner = self._registered().pid
        try:
            lives = self.server.owners.watch(owner)
        except OSError as problem:
            detail = f"cannot look at lock owner process {owner}"
            raise systemError(problem, detail, ErrorDomain.RPC) from None
        if not lives:
            raise _refuse(f"lock owner process {owner} does not exist")
        space = self.server.spaces.find(path)

        def acquire() -> None:
            space.acquire(name, owner, flags)
            try:
                self.server.save()
            except BaseException:
                space.release(name, owner)
                raise

        return self.server.run(acquire).addCallback(lambda _: self._granted(owner))

    def _granted(self, owner: int) -> None:
        # It may have ended, or its connection, while its lease was on the way.
        if owner not in self.server.owners.known:
            self.server.ownerEnded(owner)
            raise _refuse(f"lock owner process {owner} does not exist")
        if self.connectionIsLost:
            self.server.sessionEnded(self)

    def do_releaseResource(self, path: str, name: str, flags: int) -> Deferred[Any]:
        self._check("ReleaseResource", flags)
        owner = self._registered().pid
        return self._do(self.server.spaces.find(path).release, name, owner)

    def _do(self, function: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        """Do something that changes the state, and write it down before the answer."""

        def change() -> None:
            function(*arguments)
            self.server.save()

        return self.server.run(change)
