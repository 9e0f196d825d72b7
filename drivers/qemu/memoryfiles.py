"""
Files that memory of guests goes into: how they are opened, what compresses it, and what is left of one that failed.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from typing import TYPE_CHECKING, NamedTuple

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from pyvirt.drivers.qemu.jobs import LongJob
from pyvirt.drivers.qemu.memorystream import canceled, flush
from pyvirt.drivers.qemu.refusals import failed, systemFailure
from pyvirt.drivers.qemu.saveimage import COMPRESSIONS, FIXED, SaveImage, headOf, writeHeader

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["compressionFor", "createFile", "dropCache", "finish", "removeFile", "writeHead"]

log = Logger()

#: Seconds between two looks whether somebody reads a pipe.
_LOOK = 0.2


def compressionFor(hypervisor: Hypervisor, what: str) -> str:
    """
    Return what qemu.conf says that memory is compressed with.

    @param what: C{save}, C{snapshot}, or C{dump}, which is rather not compressed than not made.
    @raise VirtError: it is nothing that there is.
    """
    wanted: str = hypervisor.config[f"{what}_image_format"]
    if wanted not in COMPRESSIONS:
        detail = f"Invalid {what} image format specified in configuration file"
    elif wanted != "raw" and shutil.which(wanted) is None:
        detail = (
            f"Compression program for {what} image format in configuration file isn't available"
        )
    else:
        return wanted
    if what != "dump":
        raise failed(detail)
    log.warn("{detail}, using raw", detail=detail)
    return "raw"


class MemoryFile(NamedTuple):
    """
    A file that memory is written to.

    @ivar fd: a descriptor for whoever has created it to close.
    @ivar made: it was not there before.
    """

    fd: int
    path: str
    made: bool

    def discard(self) -> None:
        """Remove what is left of it when writing failed; what was there before stays, whatever is in it now."""
        if self.made:
            removeFile(self.path)


async def createFile(hypervisor: Hypervisor, path: str, job: LongJob, what: str) -> MemoryFile:
    """
    Open a file to write memory to; a pipe once somebody reads it.

    @param what: C{domain save job} and the like, for errors.
    @raise VirtError: it cannot be made, or somebody has given the job up.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
    while True:
        try:
            try:
                fd, made = os.open(path, flags | os.O_EXCL, 0o600), True
            except FileExistsError:
                fd, made = os.open(path, flags, 0o600), False
        except OSError as problem:
            if problem.errno != errno.ENXIO or not _isPipe(path):
                raise systemFailure(problem, f"Failed to create file '{path}'") from None
        else:
            os.set_blocking(fd, True)
            job.cancel = None
            return MemoryFile(fd, path, made)
        if job.aborted:
            raise canceled(what)
        await _turn(hypervisor, job)


async def writeHead(
    hypervisor: Hypervisor, fd: int, image: SaveImage, job: LongJob, what: str, *, whole: bool
) -> int:
    """
    Write the head of a file of memory; what goes through a pipe gets, once it is whole, the beginning of it again.

    @param what: as in L{createFile}.
    @param whole: the memory is there too.
    @return: where the memory begins.
    @raise OSError: it cannot be written.
    @raise VirtError: somebody has given the job up before there was any memory.
    """
    if not stat.S_ISFIFO(os.fstat(fd).st_mode):
        return writeHeader(fd, image, whole=whole)
    head = memoryview(headOf(image, whole=whole))
    left = head[:FIXED] if whole else head
    os.set_blocking(fd, False)
    try:
        while left:
            try:
                left = left[os.write(fd, left) :]
            except BlockingIOError:
                if job.aborted and not whole:
                    raise canceled(what) from None
                await _turn(hypervisor, job)
    finally:
        os.set_blocking(fd, True)
        job.cancel = None
    return len(head)


async def _turn(hypervisor: Hypervisor, job: LongJob) -> None:
    """Wait a little; who wants the job given up meanwhile is heard afterwards."""
    job.cancel = lambda: succeed(None)
    wait: Deferred[None] = Deferred()
    hypervisor.clock.callLater(_LOOK, wait.callback, None)
    await wait


def _isPipe(path: str) -> bool:
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except OSError:
        return False


async def finish(hypervisor: Hypervisor, fd: int, bypass: bool) -> None:
    """
    Have the system write a file out.

    @param bypass: and keep nothing of it in memory.
    @raise OSError: it does not go.
    """
    try:
        await flush(hypervisor, fd)
    except OSError as problem:
        if problem.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
        # A pipe or a device keeps nothing back.
    if bypass:
        dropCache(fd)


def dropCache(fd: int) -> None:
    """Have the system keep nothing of a file in memory."""
    try:
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError as problem:
        log.debug("the cache is kept: {problem}", problem=problem)


def removeFile(path: str) -> None:
    """Remove what is left of a file; what is no file stays."""
    try:
        if stat.S_ISREG(os.lstat(path).st_mode):
            os.unlink(path)
    except OSError:
        pass
