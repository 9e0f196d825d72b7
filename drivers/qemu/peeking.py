"""
Looking into a guest's memory and disks.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

from twisted.internet.threads import deferToThreadPool

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.qemu.blocks.chain import chain, diskNamed, localPath
from pyvirt.drivers.qemu.blocks.resizing import DomainBlockResize
from pyvirt.drivers.qemu.files import openWritten
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    invalidArgument,
    operationUnsupported,
    systemFailure,
)

__all__ = ["DomainPeeking"]


def _read(path: str, size: int, offset: int) -> bytes:
    """
    In a thread, for disks may be slow: read from a file or a device.

    @raise VirtError: it cannot be read.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as problem:
        raise systemFailure(problem, f"Failed to open file '{path}'") from None
    try:
        return os.pread(fd, size, offset)
    except OSError as problem:
        raise systemFailure(problem, f"Failed to read file '{path}'") from None
    finally:
        os.close(fd)


class DomainPeeking(DomainBlockResize):
    """Reads from memory and disks, besides all that has to do with threads and sizes."""

    async def domainMemoryPeek(self, dom: DomainRef, offset: int, size: int, flags: int) -> bytes:
        """Read from a guest's memory, as its first CPU sees it or as it lies."""
        both = c.VIR_MEMORY_VIRTUAL | c.VIR_MEMORY_PHYSICAL
        checkFlags("qemuDomainMemoryPeek", flags, both)
        domain = self._find(dom)
        if flags not in (c.VIR_MEMORY_VIRTUAL, c.VIR_MEMORY_PHYSICAL):
            raise invalidArgument(
                "flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL"
            )
        command = "memsave" if flags == c.VIR_MEMORY_VIRTUAL else "pmemsave"
        async with domain.jobs.change("remoteDispatchDomainMemoryPeek"):
            guest = domain.checkActive()
            fd, path = tempfile.mkstemp(prefix="qemu.mem.", dir=guest.folder)
            try:
                if self._hypervisor.owner is not None:
                    os.fchown(fd, *self._hypervisor.owner)
                await guest.execute(command, {"val": offset, "size": size, "filename": path})
                # QEMU may have written it anew: what is there under the name counts.
                written = openWritten(path)
                with open(written, "rb") as file:
                    found = file.read(size)
            except OSError as problem:
                raise systemFailure(
                    problem, f"failed to read temporary file created with template {path}"
                ) from None
            finally:
                os.close(fd)
                try:
                    os.unlink(path)
                except OSError:
                    pass
        return found

    async def domainBlockPeek(
        self, dom: DomainRef, path: str, offset: int, size: int, flags: int
    ) -> bytes:
        """Read from a disk that has no format, running or not."""
        checkFlags("qemuDomainBlockPeek", flags)
        domain = self._find(dom)
        disk = diskNamed(domain.definition, path)
        if disk is None:
            raise invalidArgument(f"disk '{path}' not found in domain")
        images = chain(disk)
        if images and getattr(images[0].source, "fdgroup", None) is not None:
            raise operationUnsupported("peeking is not supported for FD passed images")
        if not images or images[0].format != "raw":
            form = images[0].format if images else "none"
            raise operationUnsupported(
                f"peeking is only supported for disk with 'raw' format not '{form}'"
            )
        place = localPath(images[0].source)
        if place is None:
            raise operationUnsupported("peeking is only supported for disks of this host")
        reactor: Any = self._hypervisor.clock
        found = await deferToThreadPool(
            reactor, reactor.getThreadPool(), _read, place, size, offset
        )
        if len(found) != size:
            raise invalidArgument(
                f"'{path}' starting from {offset} has only {len(found)} bytes available"
            )
        return found
