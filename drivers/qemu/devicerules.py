"""
What devices of the host a guest is made of: L{rulesOf} a definition.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._source import NVMeSource
from pyvirt.drivers.assigned.pci import pciName
from pyvirt.drivers.qemu.blocks.chain import Image, below, chain
from pyvirt.drivers.qemu.passed import passedDevices, scsiName

__all__ = ["BOTH", "READ", "Rules", "imageRules", "join", "ruleOf", "rulesOf"]

READ, BOTH = "r", "rw"

#: By device, such as C{b 7:0}, how it may be opened.
Rules = dict[str, str]


# What definitions ask for


def imageRules(image: Any, access: str) -> Rules:
    """Return the rules of one image of a disk."""
    source = image.source
    path = getattr(source, "dev", None) or getattr(source, "file", None)
    rules = ruleOf(path, access)
    if isinstance(source, NVMeSource):
        rules |= _vfio(f"/sys/bus/pci/devices/{pciName(source.address)}")
    reservations = getattr(source, "reservations", None)
    if reservations is not None and getattr(reservations, "managed", None):
        rules |= ruleOf("/dev/mapper/control", BOTH)
    return rules


def rulesOf(definition: DomainDefinition) -> Rules:
    """Return what a definition's devices need to open; those that are not there need nothing."""
    found: Rules = {}

    def add(path: str | None, access: str = BOTH) -> None:
        join(found, ruleOf(path, access))

    devices: Any = definition.devices
    loader = definition.os.loader
    if loader is not None:
        add(loader.path, READ)
    nvram = definition.os.nvram
    if nvram is not None:
        source = getattr(nvram, "source", None)
        add(getattr(source, "dev", None) or getattr(source, "file", None))
    for disk in devices.disks:
        readOnly = bool(disk.readonly) or disk.device == "cdrom"
        for number, image in enumerate(chain(disk)):
            join(found, imageRules(image, READ if number or readOnly else BOTH))
        if disk.mirror is not None:
            mirror = Image(disk.mirror.source, disk.mirror.format or "raw")
            join(found, imageRules(mirror, BOTH))
            for image in below(disk.mirror.backingStore):
                join(found, imageRules(image, READ))
    for passed in passedDevices(definition):
        join(found, _hostDevice(passed.device))
    for memory in devices.memories:
        source = memory.source
        if memory.model in ("nvdimm", "virtio-pmem") and source is not None:
            add(source.path)
        elif memory.model == "sgx-epc":
            add("/dev/sgx_vepc")
            add("/dev/sgx_provision", READ)
    for graphics in devices.graphics:
        gl = getattr(graphics, "gl", None)
        add(getattr(gl, "rendernode", None))
    for video in devices.videos:
        add(getattr(video.model.acceleration, "rendernode", None))
    for port in (*devices.serials, *devices.parallels, *devices.channels, *devices.consoles):
        # Devices are opened by guests themselves, and so are files of ports that are plugged in.
        if port.source.type in ("dev", "file"):
            add(port.source.path)
        if port.source.log is not None:
            add(port.source.log.file)
    for tpm in devices.tpms:
        if tpm.backend is not None and tpm.backend.type == "passthrough":
            add(tpm.backend.device or "/dev/tpm0")
    for rng in devices.rngs:
        if rng.backend.model == "random":
            add(rng.backend.path)
    for each in devices.inputs:
        if each.source is not None:
            add(getattr(each.source, "evdev", None) or getattr(each.source, "dev", None))
    if definition.launchSecurity is not None and definition.launchSecurity.type == "sev":
        add("/dev/sev")
    return found


def _hostDevice(device: Any) -> Rules:
    source = device.source
    if device.type == "usb":
        if source.bus and source.device:
            return ruleOf(f"/dev/bus/usb/{source.bus:03}/{source.device:03}", BOTH)
    elif device.type == "pci":
        return _vfio(f"/sys/bus/pci/devices/{pciName(source.pci)}")
    elif device.type == "mdev":
        return _vfio(f"/sys/bus/mdev/devices/{source.uuid}")
    elif device.type == "scsi_host":
        return ruleOf("/dev/vhost-scsi", BOTH)
    elif device.type == "scsi" and source.scsi is not None:
        try:
            names = sorted(os.listdir(f"/sys/bus/scsi/devices/{scsiName(source)}/scsi_generic"))
        except OSError:
            names = []
        access = READ if device.readonly else BOTH
        return ruleOf(f"/dev/{names[0]}", access) if names else {}
    return {}


def _vfio(device: str) -> Rules:
    """Return the rules of a device that is handed over, with all others of its group."""
    try:
        group = os.path.basename(os.readlink(f"{device}/iommu_group"))
    except OSError:
        return {}
    return ruleOf(f"/dev/vfio/{group}", BOTH) | ruleOf("/dev/vfio/vfio", BOTH)


# What the kernel calls devices


def ruleOf(path: str | None, access: str = BOTH) -> Rules:
    """Return the rules of a path: none if it is no device."""
    if not path or not path.startswith("/"):
        return {}
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return {}
    place = f"{os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
    if stat.S_ISCHR(found.st_mode):
        return {f"c {place}": access}
    if stat.S_ISBLK(found.st_mode):
        return {f"b {each}": access for each in _mapped(place)}
    return {}


def _mapped(place: str, depth: int = 8) -> Iterator[str]:
    """Iterate over a block device, and those that it is mapped to if it is one of the device mapper."""
    yield place
    folder = f"/sys/dev/block/{place}"
    if depth and os.path.isdir(f"{folder}/dm"):
        try:
            names = sorted(os.listdir(f"{folder}/slaves"))
        except OSError:  # it is gone meanwhile
            return
        for name in names:
            try:
                with open(f"{folder}/slaves/{name}/dev", encoding="ascii") as file:
                    yield from _mapped(file.read().strip(), depth - 1)
            except OSError:
                continue


def join(rules: Rules, more: Rules) -> None:
    """Add rules to others; what may be written stays so."""
    for device, access in more.items():
        if rules.get(device) != BOTH:
            rules[device] = access
