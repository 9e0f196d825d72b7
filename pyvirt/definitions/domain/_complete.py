"""
What libvirt's test driver adds to a definition when it is defined.

The steps follow the order in which the driver takes them, because the first thing wrong decides the error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pyvirt.definitions.domain._top import VCPU, Devices, DomainDefinition, VCPUList
from pyvirt.definitions.kinds import unsupported, xmlError
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.uuids import Random, formatUUID, randomUUID

__all__ = [
    "bootsByDevice",
    "checkBootOrder",
    "checkInit",
    "checkPanics",
    "completed",
    "memory",
    "processors",
    "threads",
]


def completed(definition: DomainDefinition, *, random: Random) -> DomainDefinition:
    """
    Fill in what the definition leaves open, as the test driver does.

    @param random: the source of UUIDs and hardware addresses.
    @raise VirtError: where parts of the definition contradict each other.
    """
    changes: dict[str, Any] = {}
    checkInit(definition)
    if definition.uuid is None:
        changes["uuid"] = randomUUID(random)
    if definition.genid == "":
        changes["genid"] = formatUUID(randomUUID(random))
    changes.update(memory(definition))
    changes.update(processors(definition))
    changes.update(threads(definition))
    os = definition.os
    if os.type.name is None and definition.bootloader is not None:
        os = replaced(os, type=replaced(os.type, name="xen"))
    if not os.type.arch:
        os = replaced(os, type=replaced(os.type, arch="i686"))
    if os.type.name != "xen" and definition.bootloader is None:
        changes["bootloaderArgs"] = None
    devices = definition.devices
    if devices.any:
        from pyvirt.definitions.domain._completedevices import completedDevices

        devices = completedDevices(definition, random)
    checkPanics(devices)
    if os.type.name == "hvm":
        checkBootOrder(devices)
        if os.boot and bootsByDevice(devices):
            raise unsupported(
                "per-device boot elements cannot be used together with os/boot elements"
            )("", None, "")
    byDevice = bootsByDevice(devices)
    if os.type.name == "hvm" and not os.boot and not byDevice and definition.bootloader is None:
        os = replaced(os, boot=("hd",))
    changes["os"] = os
    changes["devices"] = devices
    changes["qemu"] = None
    return replaced(definition, **changes)


def checkInit(definition: DomainDefinition) -> None:
    """Complain of a container that runs nothing."""
    if definition.os.type.name == "exe" and definition.os.init is None:
        raise xmlError("init binary must be specified")


def checkPanics(devices: Devices) -> None:
    """Complain where two devices tell of panics in one way."""
    seen: set[str | None] = set()
    for panic in devices.panics:
        if panic.model in seen:
            raise xmlError(f"Multiple panic devices with model '{panic.model or 'default'}'")
        seen.add(panic.model)


def checkBootOrder(devices: Devices) -> None:
    """Complain where two devices have one place in the order of booting."""
    seen: set[int | None] = set()
    bootable: tuple[Any, ...] = (
        *devices.disks,
        *devices.interfaces,
        *devices.filesystems,
        *devices.hostdevs,
        *devices.redirdevs,
    )
    for device in bootable:
        if device.boot is not None:
            if device.boot.order in seen:
                raise unsupported(
                    f"boot order '{device.boot.order}' used for more than one device"
                )("", None, "")
            seen.add(device.boot.order)


def memory(definition: DomainDefinition) -> dict[str, Any]:
    """The memory is that of the cells where there are any; what is there now is no more than it."""
    amount = definition.memory.amount
    cpu = definition.cpu
    plugged = sum(each.target.size or 0 for each in definition.devices.memories if each.target)
    if amount == 0 and cpu is not None and cpu.numa is not None:
        amount = sum(cell.memory for cell in cpu.numa.cells) + plugged
    if plugged > amount:
        raise xmlError("Total size of memory devices exceeds the total memory size")
    if amount == plugged:
        raise xmlError("Memory size must be specified via <memory> or in the <numa> configuration")
    changes: dict[str, Any] = {}
    if amount != definition.memory.amount:
        changes["memory"] = replaced(definition.memory, amount=amount)
    current = definition.currentMemory
    if not current or current > amount:
        changes["currentMemory"] = amount
    if definition.maxMemory is not None:
        maximum, slots = definition.maxMemory
        if (maximum == 0) != (slots == 0):
            raise xmlError("both maximum memory size and memory slot count must be specified")
        if maximum and maximum < amount:
            raise xmlError(
                "maximum memory size must be equal or greater than the actual memory size"
            )
        if not maximum:
            changes["maxMemory"] = None
    backing = definition.memoryBacking
    if backing is not None and backing.hugepages is not None and (cpu is None or not cpu.numa):
        # Without cells, the first one is the whole guest.
        pages = tuple(
            replaced(page, nodeset=None) if page.nodeset == frozenset((0,)) else page
            for page in backing.hugepages.pages
        )
        if pages != backing.hugepages.pages:
            huge = replaced(backing.hugepages, pages=pages)
            changes["memoryBacking"] = replaced(backing, hugepages=huge)
    return changes


def processors(definition: DomainDefinition) -> dict[str, Any]:
    """Placement of processors follows that of memory."""
    vcpu = definition.vcpu
    tune = definition.numatune
    changes: dict[str, Any] = {}
    if definition.cputune is not None and definition.cputune.vcpupins:
        pins = tuple(pin for pin in definition.cputune.vcpupins if pin.vcpu < vcpu.maximum)
        changes["cputune"] = replaced(definition.cputune, vcpupins=pins)
    if definition.vcpus is not None:
        if definition.vcpus.vcpus:
            given = {each.id: each for each in definition.vcpus.vcpus}
            full = tuple(
                given.get(number) or VCPU(id=number, enabled=False, hotpluggable=True)
                for number in range(vcpu.maximum)
            )
            full = tuple(
                replaced(each, hotpluggable=not each.enabled) if each.hotpluggable is None else each
                for each in full
            )
            online = sum(each.enabled for each in full)
            vcpu = replaced(vcpu, current=None if online == vcpu.maximum else online)
            changes["vcpu"] = vcpu
            changes["vcpus"] = VCPUList(vcpus=full)
        else:
            changes["vcpus"] = None
    if (
        tune is not None
        and tune.memory is not None
        and tune.memory.placement == "auto"
        and vcpu.cpuset is None
    ):
        return {**changes, "vcpu": replaced(vcpu, placement="auto")}
    if vcpu.placement == "auto" and (tune is None or tune.memory is None):
        from pyvirt.definitions.domain._numatune import NUMAMemory, NUMATune

        memory = NUMAMemory(mode="strict", placement="auto")
        return {**changes, "numatune": replaced(tune or NUMATune(), memory=memory)}
    return changes


def threads(definition: DomainDefinition) -> dict[str, Any]:
    """Number the IO threads that have no number."""
    ids = definition.iothreadids
    threads = list(ids.threads) if ids is not None else []
    seen: set[int] = set()
    for thread in threads:
        if thread.id in seen:
            raise xmlError(f"duplicate iothread id '{thread.id}' found")
        seen.add(thread.id)
    count = max(definition.iothreads or 0, len(threads))
    if not threads or count == len(threads):
        return {"iothreads": count or None}
    from pyvirt.definitions.domain._tune import IOThread, IOThreadIds

    number = 1
    while len(threads) < count:
        if number not in seen:
            threads.append(IOThread(id=number))
        number += 1
    return {"iothreads": count, "iothreadids": IOThreadIds(threads=tuple(threads))}


def bootsByDevice(devices: Devices) -> bool:
    """Return whether any device has a place in the order of booting."""
    groups: Iterable[Any] = (
        *devices.disks,
        *devices.interfaces,
        *devices.hostdevs,
        *devices.redirdevs,
        *devices.filesystems,
    )
    return any(device.boot is not None for device in groups)
