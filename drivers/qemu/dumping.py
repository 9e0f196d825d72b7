"""
Writing a guest's memory to files for debuggers.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.qemu import ending, starting
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.jobs import LongJob
from pyvirt.drivers.qemu.leavingchecks import checkLeaving
from pyvirt.drivers.qemu.lifecycle import DomainLifecycle
from pyvirt.drivers.qemu.memoryfiles import compressionFor, createFile, finish
from pyvirt.drivers.qemu.memorystream import writeMemory
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    failed,
    invalidArgument,
    operationInvalid,
    systemFailure,
)
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["DomainDumping", "automaticDump"]

log = Logger()

_MEMORY_ONLY = c.VIR_DUMP_MEMORY_ONLY
_FLAGS = (
    _MEMORY_ONLY | c.VIR_DUMP_CRASH | c.VIR_DUMP_LIVE | c.VIR_DUMP_BYPASS_CACHE | c.VIR_DUMP_RESET
)
_FORMATS = ("elf", "kdump-zlib", "kdump-lzo", "kdump-snappy", "win-dmp")


async def writeDump(
    hypervisor: Hypervisor,
    domain: Domain,
    guest: Guest,
    job: LongJob,
    path: str,
    format: int,
    memoryOnly: bool,
    bypass: bool = False,
) -> None:
    """
    Write a guest's memory to a file.

    @param format: C{VIR_DOMAIN_CORE_DUMP_FORMAT_*}.
    @param memoryOnly: as debuggers read it; else as QEMU restores it.
    @param bypass: keep nothing of the file in the host's memory.
    @raise VirtError: it could not be written; there is no file that was not there before.
    """
    compression = compressionFor(hypervisor, "dump")
    file = await createFile(hypervisor, path, job, "domain core dump job")
    fd = file.fd
    try:
        if memoryOnly:
            await _memoryOnly(hypervisor, guest, fd, format)
        else:
            await writeMemory(
                hypervisor, domain, guest, job, fd, compression, "domain core dump job"
            )
        try:
            await finish(hypervisor, fd, bypass)
        except OSError as problem:
            raise systemFailure(problem, f"unable to close file {path}") from None
    except BaseException:
        file.discard()
        raise
    finally:
        os.close(fd)


async def _memoryOnly(hypervisor: Hypervisor, guest: Guest, fd: int, format: int) -> None:
    if format:
        there = await guest.execute("query-dump-guest-memory-capability")
        if _FORMATS[format] not in (there.get("formats") or ()):
            raise invalidArgument(
                f"unsupported dumpformat '{_FORMATS[format]}' for this QEMU binary"
            )
    await guest.execute("getfd", {"fdname": "dump"}, fds=[fd])
    arguments: dict[str, object] = {"paging": False, "protocol": "fd:dump", "detach": True}
    if format:
        arguments["format"] = _FORMATS[format]
    guest.dumpProblem = None
    try:
        await guest.execute("dump-guest-memory", arguments)
    except VirtError:
        try:
            await guest.execute("closefd", {"fdname": "dump"})
        except VirtError:
            pass
        raise
    while True:
        status = await guest.execute("query-dump")
        word = status.get("status") if isinstance(status, dict) else None
        if word == "completed":
            return
        if word != "active":
            why = guest.dumpProblem or "unexpectedly failed"
            raise failed(f"memory-only dump failed: {why}")
        wait: Deferred[None] = Deferred()
        hypervisor.clock.callLater(0.05, wait.callback, None)
        await wait


async def automaticDump(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, memoryOnly: bool = True
) -> None:
    """
    Write the memory of a guest that is in trouble to where the configuration says; failing to is logged.

    @param memoryOnly: as debuggers like it; else as migrations write it.
    """
    folder = hypervisor.config["auto_dump_path"] or os.path.join(hypervisor.layout.lib, "dump")
    moment = time.strftime("%Y-%m-%d-%H:%M:%S", time.gmtime())
    path = os.path.join(folder, f"{domain.id}-{domain.name[:20]}-{moment}")
    job = LongJob("dump", c.VIR_DOMAIN_JOB_OPERATION_DUMP, hypervisor.clock.seconds())
    try:
        bypass = bool(hypervisor.config["auto_dump_bypass_cache"])
        await writeDump(hypervisor, domain, guest, job, path, 0, memoryOnly, bypass)
    except VirtError as error:
        log.error("{name} was not dumped: {error}", name=domain.name, error=error)


async def dumpAndGoOn(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """Write the memory of a guest whose watchdog has paused it, and let it go on."""
    async with domain.jobs.longer("watchdog", c.VIR_DOMAIN_JOB_OPERATION_DUMP):
        if domain.guest is not guest:
            return
        await automaticDump(hypervisor, domain, guest, False)
        if domain.guest is guest and guest.monitor is not None:
            await starting.goOn(hypervisor, domain, guest, c.VIR_DOMAIN_RUNNING_UNPAUSED)


class DomainDumping(DomainLifecycle):
    """Writes the memory of guests to files, besides all that has to do with their lives."""

    async def domainCoreDumpWithFormat(
        self, dom: DomainRef, to: str, dumpformat: int, flags: int
    ) -> None:
        """Write a guest's memory to a file."""
        checkFlags("qemuDomainCoreDumpWithFormat", flags, _FLAGS)
        if not 0 <= dumpformat < len(_FORMATS):
            raise invalidArgument(f"invalid dumpformat value: {dumpformat}")
        hypervisor = self._hypervisor
        domain, _ = self._running(dom)
        if dumpformat and not flags & _MEMORY_ONLY:
            raise operationInvalid(
                "kdump-compressed format is only supported with memory-only dump"
            )
        what = "remoteDispatchDomainCoreDumpWithFormat"
        async with domain.jobs.longer(what, c.VIR_DOMAIN_JOB_OPERATION_DUMP) as job:
            guest = domain.checkActive()
            if not flags & _MEMORY_ONLY:
                await checkLeaving(domain)
            hypervisor.saveStatus(domain)
            ran = domain.state == c.VIR_DOMAIN_RUNNING
            paused = ran and not flags & c.VIR_DUMP_LIVE
            goesOn = ran and not flags & (c.VIR_DUMP_CRASH | c.VIR_DUMP_RESET)
            if paused:
                guest.pausedReason = c.VIR_DOMAIN_PAUSED_DUMP
                await guest.execute("stop")
            try:
                await writeDump(
                    hypervisor,
                    domain,
                    guest,
                    job,
                    to,
                    dumpformat,
                    bool(flags & _MEMORY_ONLY),
                    bool(flags & c.VIR_DUMP_BYPASS_CACHE),
                )
            except BaseException:
                if ran and domain.guest is guest and guest.monitor is not None:
                    await starting.goOn(hypervisor, domain, guest, c.VIR_DOMAIN_RUNNING_UNPAUSED)
                raise
            if flags & c.VIR_DUMP_CRASH:
                await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_CRASHED)
                hypervisor.tell(
                    domain, c.VIR_DOMAIN_EVENT_STOPPED, c.VIR_DOMAIN_EVENT_STOPPED_CRASHED
                )
            elif ran:
                if flags & c.VIR_DUMP_RESET:
                    await guest.execute("system_reset")
                if goesOn or flags & c.VIR_DUMP_RESET:
                    await starting.goOn(hypervisor, domain, guest, c.VIR_DOMAIN_RUNNING_UNPAUSED)
        ending.forget(hypervisor, domain)
