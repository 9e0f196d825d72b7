"""
Asking QEMU binaries what they can do: once for each, until it changes.

A binary is started with no machine and asked through its monitor.  What it answers is kept on disk under its time
stamp and size, so that a daemon that starts again asks nothing.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import socket
import stat
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory
from twisted.logger import Logger

from pyvirt.drivers.qemu.capabilities import PROBES, BinaryCapabilities, readCapabilities
from pyvirt.drivers.qemu.qmp import CommandFailed, MonitorLost, QMPProtocol
from pyvirt.drivers.qemu.refusals import internal, systemFailure
from pyvirt.drivers.qemu.store import writeWhole
from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.process import Command, IProcesses, IRunning

__all__ = ["Binaries", "emulatorFor"]

log = Logger()

#: Changes when what is kept does.
FORMAT = 1
#: Seconds that a binary which has hung up gets to end.
_PATIENCE = 5.0
_SUFFIXES = {"i686": "i386", "armv7l": "arm", "armv6l": "arm", "ppc64le": "ppc64"}


def emulatorFor(arch: str) -> str:
    """Return the path of the binary that runs guests of an architecture by default."""
    name = f"qemu-system-{_SUFFIXES.get(arch, arch)}"
    path = os.environ.get("PATH", "") + ":/usr/bin:/usr/local/bin:/usr/libexec"
    return shutil.which(name, path=path) or f"/usr/bin/{name}"


class Binaries:
    """The binaries of this machine, and what is known of them."""

    def __init__(self, reactor: Any, processes: IProcesses, folder: str, lib: str) -> None:
        """
        @param folder: where answers are kept.
        @param lib: where libvirt would talk to a binary that it asks.
        """
        self._reactor = reactor
        self._processes = processes
        self._folder = folder
        self._lib = lib
        self._known: dict[str, tuple[tuple[int, ...], BinaryCapabilities]] = {}
        self._asking: dict[str, list[Deferred[BinaryCapabilities]]] = {}

    async def of(self, binary: str) -> BinaryCapabilities:
        """
        Tell what a binary can do.

        @raise VirtError: there is none, or it does not answer.
        """
        stamp = self._stamp(binary)
        known = self._known.get(binary)
        if known is not None and known[0] == stamp:
            return known[1]
        replies = self._remembered(binary, stamp)
        if replies is not None:
            try:
                found = _understood(binary, replies)
            except VirtError as error:
                log.warn("what was kept of {binary} is no use: {error}", binary=binary, error=error)
                replies = None
        if replies is None:
            others = self._asking.get(binary)
            if others is not None:
                waiting: Deferred[BinaryCapabilities] = Deferred()
                others.append(waiting)
                return await waiting
            others = self._asking[binary] = []
            try:
                replies = await self._ask(binary)
                found = _understood(binary, replies)
            except BaseException as error:
                # Whoever waited is told too, be it that the first who asked gave up.
                for each in self._asking.pop(binary):
                    each.errback(error if isinstance(error, VirtError) else MonitorLost())
                raise
            del self._asking[binary]
            self._remember(binary, stamp, replies)
            self._known[binary] = (stamp, found)
            for each in others:
                each.callback(found)
            return found
        self._known[binary] = (stamp, found)
        return found

    @staticmethod
    def _stamp(binary: str) -> tuple[int, ...]:
        try:
            found = os.stat(binary)
        except OSError as problem:
            raise systemFailure(problem, f"Cannot check QEMU binary {binary}") from None
        folder = stat.S_ISDIR(found.st_mode)
        if folder or not os.access(binary, os.X_OK):
            number = errno.EISDIR if folder else errno.EACCES
            refused = OSError(number, os.strerror(number))
            raise systemFailure(refused, f"QEMU binary {binary} is not executable")
        try:
            kvm = os.stat("/dev/kvm").st_rdev
        except OSError:
            kvm = 0
        return (FORMAT, found.st_mtime_ns, found.st_ctime_ns, found.st_size, kvm, len(PROBES))

    def _path(self, binary: str) -> str:
        return os.path.join(self._folder, hashlib.sha256(binary.encode()).hexdigest() + ".json")

    def _remembered(self, binary: str, stamp: tuple[int, ...]) -> dict[str, Any] | None:
        try:
            with open(self._path(binary), encoding="utf-8") as file:
                kept = json.load(file)
            if kept["binary"] == binary and tuple(kept["stamp"]) == stamp:
                replies: dict[str, Any] = kept["replies"]
                return replies
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as problem:
            log.warn(
                "what was kept of {binary} is no use: {problem}", binary=binary, problem=problem
            )
        return None

    def _remember(self, binary: str, stamp: tuple[int, ...], replies: dict[str, Any]) -> None:
        kept = {"binary": binary, "stamp": stamp, "replies": replies}
        try:
            writeWhole(self._path(binary), json.dumps(kept).encode())
        except VirtError as problem:
            log.warn("{problem}", problem=problem)

    async def _endedWell(self, running: IRunning) -> bool:
        """Whether a process that does not talk any more was content with that; one that stays was not."""
        ended = running.whenEnded().addTimeout(_PATIENCE, self._reactor)
        try:
            return await ended == 0
        except TimeoutError:
            return False

    def _noNumber(self) -> VirtError:
        """Make the error of a binary that goes away, and has not left its number for those who look for it then."""
        path = os.path.join(self._lib, f"qmp-{secrets.token_hex(3).upper()}", "qmp.pid")
        problem = FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return systemFailure(problem, f"Failed to read pidfile {path}", ErrorDomain.QEMU)

    async def _ask(self, binary: str) -> dict[str, Any]:
        log.info("asking {binary} what it can do", binary=binary)
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        gone: Deferred[None] = Deferred()
        said, errors = os.memfd_create("errors"), b""
        try:
            command = Command(
                argv=(
                    binary,
                    *("-S", "-no-user-config", "-nodefaults", "-nographic"),
                    *("-machine", "none,accel=kvm:tcg"),
                    *("-chardev", f"socket,id=mon,fd={theirs.fileno()}"),
                    *("-mon", "chardev=mon,mode=control"),
                ),
                descriptors=(theirs.fileno(),),
                log=said,
            )
            running = self._processes.start(command)
        except BaseException:
            ours.close()
            os.close(said)
            raise
        finally:
            theirs.close()
        protocol = QMPProtocol(self._reactor, lost=lambda error: gone.callback(None))
        factory = Factory.forProtocol(lambda: protocol)
        factory.noisy = False
        try:
            self._reactor.adoptStreamConnection(ours.fileno(), socket.AF_UNIX, factory)
        finally:
            ours.close()
        replies: dict[str, Any] = {}
        try:
            await protocol.negotiate()
            for name, arguments in PROBES:
                try:
                    replies[name] = await protocol.execute(name, arguments)
                except CommandFailed as error:
                    log.debug("{name}: {error}", name=name, error=error)
        except VirtError as error:
            os.lseek(said, 0, os.SEEK_SET)
            errors = os.read(said, 4096)
            detail = errors.decode(errors="replace").strip()
            lost = isinstance(error, MonitorLost) and not error.nonsense
            if lost and protocol.version == (0, 0, 0):
                # It is no QEMU, or one that cannot even start.
                if await self._endedWell(running):
                    raise self._noNumber() from None
                raise internal(
                    f"Failed to start QEMU binary {binary} for probing: {detail}"
                ) from None
            detail = detail or error.message or "unknown error"
            raise internal(f"Failed to probe QEMU binary with QMP: {detail}") from None
        finally:
            os.close(said)
            running.kill(9)
            protocol.close()
        if "query-version" not in replies:
            raise internal(
                f"Failed to probe QEMU binary with QMP: {binary} does not tell its version"
            )
        return replies


def _understood(binary: str, replies: dict[str, Any]) -> BinaryCapabilities:
    """
    Read what a binary has answered.

    @raise VirtError: it makes no sense.
    """
    try:
        return readCapabilities(binary, replies)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as problem:
        raise internal(
            f"Failed to probe QEMU binary with QMP: {binary} answers nonsense: {problem!r}"
        ) from None
