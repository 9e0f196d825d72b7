"""
A guest's memory on its way to a file, and back: L{writeMemory} and L{readMemory}.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.jobs import LongJob
from pyvirt.drivers.qemu.jobstatistics import completedEvent
from pyvirt.drivers.qemu.qmp import CommandFailed, MonitorLost
from pyvirt.drivers.qemu.refusals import failed
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import Command

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = [
    "canceled",
    "flush",
    "follow",
    "migrateTo",
    "readMemory",
    "waitForIncoming",
    "writeMemory",
]

log = Logger()

#: Seconds between two looks at how far it is.
_LOOK = 0.5
#: No limit to how fast memory goes into a file.
_FAST = 1 << 40


async def flush(hypervisor: Hypervisor, fd: int) -> None:
    """
    Have the system write a file out, beside the reactor.

    @raise OSError: it does not go.
    """
    reactor: Any = hypervisor.clock
    pool = getattr(reactor, "getThreadPool", None)
    if pool is None:
        os.fsync(fd)
    else:
        await deferToThreadPool(reactor, pool(), os.fsync, fd)


async def writeMemory(
    hypervisor: Hypervisor,
    domain: Domain,
    guest: Guest,
    job: LongJob,
    fd: int,
    compression: str,
    what: str,
) -> None:
    """
    Have QEMU write its memory to where a file is now.

    @param compression: a program with that name does it, C{raw}: nobody.
    @param what: C{domain save job} and the like, for errors.
    @raise VirtError: it did not get there.
    """
    if compression == "raw":
        await migrateTo(hypervisor, domain, guest, job, fd, what)
        return
    reading, writing = os.pipe2(os.O_CLOEXEC)
    # The usual one of xz takes minutes.
    how = ("-3",) if compression == "xz" else ()
    command = Command(argv=(compression, "-c", *how), source=reading, sink=fd, deadline=None)
    compressing = hypervisor.processes.run(command)
    os.close(reading)
    try:
        try:
            await migrateTo(hypervisor, domain, guest, job, writing, what)
        finally:
            os.close(writing)
    except BaseException:
        compressing.addErrback(lambda _: None)
        compressing.cancel()
        raise
    await compressing


async def migrateTo(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, job: LongJob, fd: int, what: str
) -> None:
    """
    Have QEMU write its memory to a descriptor, keeping what it says of it in the job.

    @raise VirtError: it did not get there, or somebody gave it up.
    """
    await guest.execute("migrate-set-parameters", {"max-bandwidth": _FAST})
    await guest.execute("getfd", {"fdname": "migrate"}, fds=[fd])
    finished: Deferred[str] = Deferred()
    guest.migrated = finished
    try:
        await guest.execute("migrate", {"uri": "fd:migrate", "detach": True})
    except CommandFailed:
        guest.migrated = None
        try:
            await guest.execute("closefd", {"fdname": "migrate"})
        except VirtError:
            pass
        raise
    await follow(hypervisor, domain, guest, job, finished, what)


async def follow(
    hypervisor: Hypervisor,
    domain: Domain,
    guest: Guest,
    job: LongJob,
    finished: Deferred[str],
    what: str,
    *,
    switch: Callable[[], Awaitable[None]] | None = None,
    check: Callable[[], None] | None = None,
    cancel: Callable[[], Deferred[Any]] | None = None,
) -> str:
    """
    Follow memory that is on its way, keeping what QEMU says of it in the job.

    @param finished: fires when QEMU tells of the end, or of another turn.
    @param switch: called when the guest stands still and only its devices are to be sent, which then has them sent.
        None: that all is complete is told; else whoever calls does that.
    @param check: raises an error that is to end it.
    @param cancel: gives it up; None: QEMU is told to.
    @return: C{completed}, or C{postcopy-active}: the rest follows when the guest runs where it goes.
    @raise VirtError: it did not get there, or somebody gave it up.
    """
    job.cancel = cancel or (lambda: guest.execute("migrate_cancel"))
    if job.aborted:
        job.cancel().addErrback(lambda _: None)
    stopping: VirtError | None = None
    try:
        while True:
            look: Deferred[str | None] = Deferred()
            timer = hypervisor.clock.callLater(_LOOK, _fire, look, None)
            finished.addBoth(_pass, look)
            word = await look
            if timer.active():
                timer.cancel()
            if finished.called:
                finished = guest.migrated = Deferred()
            status = await guest.execute("query-migrate")
            if isinstance(status, dict):
                disks = job.statistics.get("disks")
                job.statistics = status if disks is None else {**status, "disks": disks}
                word = str(status.get("status", word))
            if word == "completed":
                if switch is None:
                    completedEvent(hypervisor, domain, job)
                return word
            if word == "postcopy-active":
                return word
            if word in ("failed", "cancelled"):
                if stopping is not None:
                    raise stopping
                if job.problem is not None:
                    raise job.problem
                if job.aborted:
                    raise canceled(what)
                why = job.statistics.get("error-desc")
                name = what.removesuffix(" job")
                raise failed(
                    f"job '{name}' failed: {why}" if why else f"job '{name}' unexpectedly failed"
                )
            if stopping is None:
                try:
                    if check is not None:
                        check()
                    if word == "pre-switchover" and switch is not None:
                        await switch()
                        if job.look is not None:
                            job.statistics = await job.look()
                except VirtError as error:
                    stopping = error
                    await guest.execute("migrate_cancel")
    finally:
        job.cancel = None
        if guest.migrated is finished:
            guest.migrated = None


def canceled(what: str) -> VirtError:
    """Make the error of what somebody has given up."""
    text = f"{what}: canceled by client"
    if what == "migration out job":
        text = "job 'migration out' canceled by client"
    return virtError(ErrorCode.OPERATION_ABORTED, text, ErrorDomain.QEMU)


def _ended(status: int | None, finished: Deferred[str]) -> None:
    if not finished.called:
        finished.callback("ended")


def _fire(look: Deferred[str | None], value: str | None) -> None:
    if not look.called:
        look.callback(value)


def _pass(result: Any, look: Deferred[str | None]) -> Any:
    _fire(look, result if isinstance(result, str) else None)
    return result


@asynccontextmanager
async def readMemory(hypervisor: Hypervisor, fd: int, compression: str) -> AsyncIterator[int]:
    """
    Give the descriptor from which QEMU reads memory that is in a file, from where that is now.

    @param compression: a program with that name undoes it, C{raw}: nobody need.
    @raise VirtError: there is no such way of compressing.
    """
    if compression.isdigit():
        raise failed(f"Invalid compressed save format {compression}")
    if compression == "raw":
        yield fd
        return
    reading, writing = os.pipe2(os.O_CLOEXEC)
    command = Command(argv=(compression, "-dc"), source=fd, sink=writing, deadline=None)
    undoing = hypervisor.processes.run(command)
    os.close(writing)
    undoing.addErrback(lambda failure: log.warn("{error}", error=failure.value))
    try:
        yield reading
    finally:
        os.close(reading)
        if not undoing.called:
            undoing.cancel()


async def waitForIncoming(hypervisor: Hypervisor, guest: Guest, uri: str) -> None:
    """
    Have QEMU read its memory, and wait until it is there.

    @raise VirtError: it is no memory of this guest.
    """
    finished: Deferred[str] = Deferred()
    guest.migrated = finished
    process = guest.process
    if process is not None:
        process.whenEnded().addCallback(_ended, finished)
    await guest.execute("migrate-incoming", {"uri": uri}, timeout=60.0)
    word = await finished
    if word == "ended":
        raise MonitorLost()
    if word != "completed":
        status = await guest.execute("query-migrate")
        raise failed(str(status.get("error-desc", "the memory of the guest cannot be read")))
