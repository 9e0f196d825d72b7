"""
Media of drives: another one put in, or the one that is in it taken out.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import attrs

from pyvirt.definitions.domain._disk import DiskDriver
from pyvirt.definitions.domain._source import FileSource
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.blocks.chain import chain, diskNamed, withDisk
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.fdgroups import duplicates
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.plugging.attaching import access, alone, freeSet, numbered
from pyvirt.drivers.qemu.plugging.commands import Step, plugSteps
from pyvirt.drivers.qemu.plugging.detaching import closeBackEnds, letGo
from pyvirt.drivers.qemu.plugging.doing import run, takeBack
from pyvirt.drivers.qemu.plugging.hostside import checkSource
from pyvirt.drivers.qemu.starting import hostSettings

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.hypervisor import Hypervisor

__all__ = ["changeMedia"]


async def changeMedia(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, old: Any, wanted: Any, force: bool
) -> None:
    """
    Put another medium into a drive, or take out the one that is in it.

    The caller holds the domain's job.

    @param old: the drive as it is; C{wanted}: as it is to be.
    @param force: take the medium out even if the guest holds on to it.
    @raise VirtError: it cannot be; what is in the drive then is what QEMU says.
    """
    empty = wanted.source is None or wanted.source.isEmpty
    if not empty:
        checkSource(wanted)
    form = (wanted.driver.type if wanted.driver is not None else None) or "raw"
    new = replaced(
        old,
        type=wanted.type,
        startup=wanted.startup,
        source=wanted.source or FileSource(),
        backingStore=None if empty else wanted.backingStore,
        driver=replaced(old.driver or DiskDriver(name="qemu"), type=form),
    )
    if empty:
        new = replaced(new, source=replaced(new.source, index=guest.takeNode()))
    else:
        new = numbered(hypervisor, domain, guest, new)
    name = old.alias
    added: list[Step] = []
    tray = await _tray(guest, name)
    if tray is False:
        await guest.execute("blockdev-open-tray", {"id": name, "force": force})
    if chain(old):
        await guest.execute("blockdev-remove-medium", {"id": name})
    if empty:
        await _close(guest, name, tray)
    else:
        async with access(hypervisor, domain, guest, "disks", new):
            try:
                await _open(hypervisor, domain, guest, new, added)
                top = added[-1].arguments["node-name"]
                insert = {"id": name, "node-name": top}
                out = ("blockdev-remove-medium", {"id": name})
                step = Step("blockdev-insert-medium", insert, out)
                await run(hypervisor, guest, [step], added)
                await _close(guest, name, tray)
            except BaseException:
                await takeBack(guest, added)
                raise
    current = diskNamed(domain.definition, old.target.dev)
    new = replaced(new, target=replaced(current.target, tray=None))
    domain.definition = withDisk(domain.definition, new)
    domain.updated = True
    if chain(old):
        await closeBackEnds(hypervisor, domain, guest, "disks", old)
        await letGo(hypervisor, domain, guest, "disks", old)
    hypervisor.saveStatus(domain)


async def _open(
    hypervisor: Hypervisor, domain: Domain, guest: Guest, disk: Any, added: list[Step]
) -> None:
    """Have QEMU open the images of a medium."""
    numbers = duplicates(domain.fdGroups, alone(disk))
    try:
        host = hostSettings(hypervisor, guest, groups=domain.fdGroups)
        if numbers:
            host = attrs.evolve(host, firstSet=await freeSet(guest))
        steps = plugSteps(domain.definition, "disks", disk, guest.capabilities, host, numbers)
        steps = [step for step in steps if step.command != "device_add"]
        await run(hypervisor, guest, steps, added)
    finally:
        for fd in numbers.values():
            os.close(fd)


async def _close(guest: Guest, alias: str, tray: bool | None) -> None:
    if tray is not None:
        await guest.execute("blockdev-close-tray", {"id": alias})


async def _tray(guest: Guest, alias: str) -> bool | None:
    """Return whether the tray of a drive is open; None: it has none."""
    reply = await guest.execute("query-block")
    for each in reply if isinstance(reply, list) else ():
        if not isinstance(each, dict):
            continue
        qdev = str(each.get("qdev", "")).removeprefix("/machine/peripheral/").partition("/")[0]
        if alias in (qdev, each.get("device")):
            found = each.get("tray_open")
            return None if found is None else bool(found)
    return None
