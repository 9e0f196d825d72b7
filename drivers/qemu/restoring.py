"""
Guests that were saved going on: from a file that somebody names, or from where the driver keeps them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from twisted.logger import Logger

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.qemu import ending, starting
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.hookscripts import rewritten
from pyvirt.drivers.qemu.memoryfiles import dropCache
from pyvirt.drivers.qemu.memorystream import readMemory, waitForIncoming
from pyvirt.drivers.qemu.qmp import MonitorLost
from pyvirt.drivers.qemu.refusals import internal
from pyvirt.drivers.qemu.saveimage import (
    NoImage,
    SaveImage,
    openImage,
    readImage,
    removeManagedSave,
)
from pyvirt.drivers.qemu.taints import taint
from pyvirt.errors import VirtError

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["restore", "restoreManaged"]

log = Logger()


async def restore(
    hypervisor: Hypervisor,
    domain: Domain,
    definition: DomainDefinition,
    image: SaveImage,
    fd: int,
    paused: bool,
    connection: Any = None,
    detail: int = c.VIR_DOMAIN_EVENT_SUSPENDED_RESTORED,
) -> None:
    """
    Start a domain with the memory in a file; the caller holds its job.

    @param paused: leave it paused.
    @param detail: what is told of that.
    @raise VirtError: it could not be started; the file is as it was.
    """
    os.lseek(fd, image.memoryAt, os.SEEK_SET)
    async with readMemory(hypervisor, fd, image.compression) as source:
        guest = await starting.start(
            hypervisor,
            domain,
            definition=definition,
            incoming=source,
            autodestroy=connection,
        )
        try:
            await waitForIncoming(hypervisor, guest, f"fd:{source}")
            hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_STARTED, c.VIR_DOMAIN_EVENT_STARTED_RESTORED)
            if paused:
                hypervisor.setState(domain, c.VIR_DOMAIN_PAUSED, c.VIR_DOMAIN_PAUSED_MIGRATION)
                hypervisor.tell(domain, c.VIR_DOMAIN_EVENT_SUSPENDED, detail)
            else:
                await starting.goOn(hypervisor, domain, guest, c.VIR_DOMAIN_RUNNING_RESTORED)
        except VirtError as error:
            said = starting.said(hypervisor, domain) if isinstance(error, MonitorLost) else ""
            if domain.guest is guest:
                await ending.stop(hypervisor, domain, guest, c.VIR_DOMAIN_SHUTOFF_FAILED)
            if said:
                raise internal(f"qemu unexpectedly closed the monitor: {said}") from None
            raise


async def restoreManaged(
    hypervisor: Hypervisor, domain: Domain, flags: int, connection: Any = None
) -> bool:
    """
    Let a domain go on that was saved where the driver keeps it; the caller holds its job.

    @return: false: it was not saved, and has to boot.
    @raise VirtError: it was, and cannot be restored; the file is still there.
    """
    if not domain.managedSave:
        return False
    path = hypervisor.layout.managedSave(domain.name)
    if flags & c.VIR_DOMAIN_START_FORCE_BOOT:
        removeManagedSave(hypervisor, domain)
        return False
    try:
        fd = openImage(path)
    except VirtError as error:
        if os.path.exists(path):
            raise
        log.warn("{error}", error=error)
        domain.managedSave = False
        return False
    try:
        try:
            image = readImage(fd)
        except NoImage as error:
            # What is no whole image is of no use, and must not keep the guest from booting.
            log.warn("Ignoring incomplete managed state {path}: {error}", path=path, error=error)
            removeManagedSave(hypervisor, domain)
            return False
        definition = await hypervisor.parse(image.xml)
        if definition.name != domain.name or definition.uuid != domain.uuid:
            raise internal(
                f"cannot restore domain '{domain.name}' from a file which belongs to domain "
                f"'{definition.name}'"
            )
        changed = await rewritten(hypervisor, "restore", definition, image.xml)
        paused = not image.ran or bool(flags & c.VIR_DOMAIN_START_PAUSED)
        owner = connection if flags & c.VIR_DOMAIN_START_AUTODESTROY else None
        detail = (
            c.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED
            if flags & c.VIR_DOMAIN_START_PAUSED
            else c.VIR_DOMAIN_EVENT_SUSPENDED_RESTORED
        )
        await restore(hypervisor, domain, changed or definition, image, fd, paused, owner, detail)
        if flags & c.VIR_DOMAIN_START_BYPASS_CACHE:
            dropCache(fd)
        if changed is not None:
            taint(hypervisor, domain, "hook-script")
    finally:
        os.close(fd)
    removeManagedSave(hypervisor, domain)
    return True
