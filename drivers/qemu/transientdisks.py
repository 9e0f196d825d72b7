"""
Disks that forget what a run has written (C{<transient/>}): it goes into an image of its own, which ends with the run.
"""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._source import FileSource
from pyvirt.definitions.snapshot import SnapshotDisk
from pyvirt.drivers.qemu import locks
from pyvirt.drivers.qemu.blocks.beginning import capacityOf
from pyvirt.drivers.qemu.blocks.chain import (
    Image,
    chain,
    goingOn,
    pathOf,
    prepared,
    withDisk,
)
from pyvirt.drivers.qemu.blocks.nodes import NewImage, addImage, removeImages
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.plugging.commands import plugSteps
from pyvirt.drivers.qemu.plugging.doing import run
from pyvirt.drivers.qemu.refusals import operationUnsupported
from pyvirt.drivers.qemu.snapshottaking import addOverlays
from pyvirt.drivers.qemu.starting import hostSettings

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["layOver", "plugOverlaid"]


def _overlay(hypervisor: Hypervisor, domain: Domain, guest: Guest, disk: Any) -> str:
    """
    Return where a run writes to instead of a disk's image; a restarted daemon knows of it too.

    @raise VirtError: OPERATION_UNSUPPORTED: there is something already.
    """
    path = f"{pathOf(disk.source)}.TRANSIENT-{domain.name}"
    if os.path.lexists(path):
        raise operationUnsupported(
            f"Overlay file '{path}' for transient disk '{disk.target.dev}' already exists"
        )
    guest.overlays.append(path)
    hypervisor.saveStatus(domain)
    return path


async def layOver(hypervisor: Hypervisor, domain: Domain, guest: Guest) -> None:
    """
    Let a guest that has not run yet write beside the images of its transient disks.

    Those that share their images with other guests are plugged in now: QEMU would have opened them for itself alone.

    @raise VirtError: it cannot; the caller ends the guest, and what was made goes with it.
    """
    disks: list[Any] = [
        disk for disk in domain.definition.devices.disks if disk.transient is not None
    ]
    wishes = [
        SnapshotDisk(
            name=disk.target.dev,
            snapshot="external",
            format="qcow2",
            source=FileSource(file=_overlay(hypervisor, domain, guest, disk)),
        )
        for disk in disks
        if not disk.transient.shareBacking
    ]
    await addOverlays(hypervisor, domain, guest, wishes, stored=False)
    shared = [disk for disk in disks if disk.transient.shareBacking]
    for disk in shared:
        done = await plugOverlaid(hypervisor, domain, guest, domain.definition, disk)
        domain.definition = withDisk(domain.definition, done)
    if shared:
        # Only now does the firmware see them.
        guest.quietResets += 1
        await guest.execute("system_reset")


async def plugOverlaid(
    hypervisor: Hypervisor,
    domain: Domain,
    guest: Guest,
    definition: DomainDefinition,
    disk: Any,
) -> Any:
    """
    Plug a transient disk in, laid over its image, which is only read.

    @param definition: of the guest, with the disk.
    @param disk: its images have their numbers.
    @return: the disk as it is then.
    @raise VirtError: it cannot be; all is as it was.
    """
    path = _overlay(hypervisor, domain, guest, disk)
    source = FileSource(file=path)
    images = chain(disk)
    opened: list[Image] = []
    overlay: NewImage | None = None
    try:
        below: str | None = None
        for image in reversed(images):
            await addImage(
                hypervisor, guest, image, disk, readOnly=True, below=below, last=below is None
            )
            opened.insert(0, image)
            below = image.formatName
        size = await capacityOf(guest, images[0])
        overlay = NewImage(hypervisor, guest, Image(prepared(source), "qcow2"))
        lease = partial(locks.take, hypervisor, domain, guest, disk, source)
        await overlay.make(disk, size, over=images[0], lease=lease)
        new = overlay.image
        over = {"node": images[0].formatName, "overlay": new.formatName}
        action = {"type": "blockdev-snapshot", "data": over}
        await guest.execute("transaction", {"actions": [action]}, timeout=None)
        done = goingOn(disk, [new, *images])
        steps = plugSteps(
            withDisk(definition, done),
            "disks",
            done,
            guest.capabilities,
            hostSettings(hypervisor, guest, groups=domain.fdGroups),
        )
        await run(hypervisor, guest, steps[-1:], [])
    except BaseException:
        if guest.monitor is not None:
            if overlay is not None:
                await overlay.undo()
            await removeImages(hypervisor, guest, *opened)
            await locks.settle(hypervisor, domain, guest)
        if overlay is not None:
            overlay.forget()
        if path in guest.overlays:
            # It is not, where all of the guest is gone by now.
            guest.overlays.remove(path)
        raise
    return done
