"""
What guests need of the host besides files of disks: looked for before anything starts, and chosen where nobody said.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Mapping
from typing import Any

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._vsock import CID
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.passed import scsiName
from pyvirt.drivers.qemu.refusals import failed, internal, systemFailure, unsupportedConfig
from pyvirt.drivers.qemu.virtiofs import chooseShares
from pyvirt.errors import ErrorDomain, VirtError

__all__ = [
    "checkAccess",
    "checkSCSIHosts",
    "checkShown",
    "chooseDevices",
    "chooseDisplays",
    "findUSB",
    "hasNode",
    "hasVFIO",
    "hostNodes",
    "hugePageMounts",
    "openSCSIHosts",
    "openVsock",
    "renderNode",
    "scsiNode",
    "usbDevice",
]

_SET_CID = 0x4008AF60  # VHOST_VSOCK_SET_GUEST_CID
_SOCKET_PATH = 107
_FIRST_CID, _LAST_CID = 3, 0xFFFFFFFF


def chooseDevices(definition: DomainDefinition) -> DomainDefinition:
    """
    Look whether what a guest uses of the host is there, and say which where the definition does not.

    @return: the definition with what was chosen.
    @raise VirtError: something is not there.
    """
    devices = definition.devices
    for tpm in devices.tpms:
        if tpm.backend.type == "passthrough":
            _checkTPM(tpm.backend.device or "/dev/tpm0")
    graphics = tuple(_display(each) for each in devices.graphics)
    _checkFiles(devices)
    return chooseShares(replaced(definition, devices=replaced(devices, graphics=graphics)))


def chooseDisplays(definition: DomainDefinition) -> DomainDefinition:
    """
    Say which device renders where the definition does not.

    @raise VirtError: there is none.
    """
    graphics = tuple(_display(each) for each in definition.devices.graphics)
    return replaced(definition, devices=replaced(definition.devices, graphics=graphics))


def checkShown(definition: DomainDefinition) -> None:
    """
    Look for what libvirt opens of the host even where a command line is only shown.

    @raise VirtError: something is not there.
    """
    for tpm in definition.devices.tpms:
        if tpm.backend.type == "passthrough":
            _checkTPM(tpm.backend.device or "/dev/tpm0")
    for host in definition.devices.hostdevs:
        if host.mode == "subsystem" and host.type == "scsi" and host.source.protocol != "iscsi":
            scsiNode(host.source)
        elif host.mode == "subsystem" and host.type == "scsi_host":
            checkSCSIHosts()


# Files of devices


def _checkFiles(devices: Any) -> None:
    """Look whether files of the host that devices are connected to are there."""
    ports = [*devices.serials, *devices.parallels, *devices.channels, *devices.consoles]
    for port in ports:
        source = port.source
        if source.type == "dev" and source.path:
            checkAccess(source.path)
        elif source.type == "file" and source.path:
            _checkCreation(source.path)
        elif source.type == "pipe" and source.path:
            if not (os.path.exists(source.path + ".in") and os.path.exists(source.path + ".out")):
                _checkPresence(source.path)
        elif source.type == "unix" and source.path:
            if source.mode == "bind":
                _checkBinding(source.path)
            else:
                _checkPresence(source.path)
        if source.log is not None and source.log.file:
            _checkCreation(source.log.file)
    for item in devices.inputs:
        source = item.source
        path = None if source is None else source.dev or source.evdev
        if path:
            checkAccess(path)
    for each in devices.graphics:
        if each.gl is not None and each.gl.rendernode is not None:
            checkAccess(each.gl.rendernode)
    for rng in devices.rngs:
        if rng.backend.model == "random" and rng.backend.path:
            checkAccess(rng.backend.path)


def _checkCreation(path: str) -> None:
    try:
        if os.path.isdir(path):
            raise IsADirectoryError(errno.EISDIR, "")
        os.stat(os.path.dirname(path) or "/")
    except OSError as problem:
        raise systemFailure(problem, f"Failed to create file '{path}'") from None


def _checkPresence(path: str) -> None:
    try:
        os.stat(path)
    except OSError as problem:
        raise systemFailure(problem, f"unable to stat: {path}", ErrorDomain.SECURITY) from None


def _checkBinding(path: str) -> None:
    if len(os.fsencode(path)) > _SOCKET_PATH:
        raise internal(f"UNIX socket path '{path}' too long")
    try:
        os.stat(os.path.dirname(path) or "/")
    except OSError as problem:
        raise systemFailure(problem, f"Unable to bind to UNIX socket path '{path}'") from None


def checkAccess(path: str) -> None:
    """
    Look whether a file or device is there that a guest opens.

    @raise VirtError: it is not.
    """
    try:
        os.stat(path)
    except OSError as problem:
        raise systemFailure(
            problem, f"Path '{path}' is not accessible", ErrorDomain.CGROUP
        ) from None


def _checkTPM(path: str) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as problem:
        raise systemFailure(problem, f"Could not open TPM device {path}") from None


# Displays


def renderNode(folder: str = "/dev/dri") -> str:
    """
    Return the first device that renders.

    @raise VirtError: there is none.
    """
    try:
        names = sorted(each for each in os.listdir(folder) if each.startswith("renderD"))
    except OSError as problem:
        raise systemFailure(
            problem, f"cannot open directory '{folder}'", ErrorDomain.NONE
        ) from None
    if not names:
        raise internal("No DRM render nodes available", ErrorDomain.NONE)
    return os.path.join(folder, names[0])


def _display(graphics: Any) -> Any:
    gl = graphics.gl
    wanted = graphics.type == "egl-headless" or (
        graphics.type in ("spice", "dbus") and gl is not None and gl.enable
    )
    if not wanted or (gl is not None and gl.rendernode is not None):
        return graphics
    node = renderNode()
    if gl is None:
        from pyvirt.definitions.domain._display import GL

        gl = GL()
    return replaced(graphics, gl=replaced(gl, rendernode=node))


# Devices of the host


def checkSCSIHosts() -> None:
    """
    Look whether the kernel serves SCSI hosts.

    @raise VirtError: it does not.
    """
    if not os.path.exists("/dev/vhost-scsi"):
        raise unsupportedConfig(
            "vhost-scsi device file '/dev/vhost-scsi' cannot be found", ErrorDomain.NONE
        )


def openSCSIHosts(definition: DomainDefinition) -> dict[str, int]:
    """
    Open the kernel's end of each SCSI host of a guest.

    @return: the descriptors by their places on the command line.
    @raise VirtError: one cannot be opened; then none is.
    """
    found: dict[str, int] = {}
    for device in definition.devices.hostdevs:
        if device.mode != "subsystem" or device.type != "scsi_host":
            continue
        try:
            found[f"vhost-{device.alias}"] = os.open("/dev/vhost-scsi", os.O_RDWR | os.O_CLOEXEC)
        except OSError as problem:
            for fd in found.values():
                os.close(fd)
            raise systemFailure(
                problem, "Failed to open /dev/vhost-scsi", ErrorDomain.NONE
            ) from None
    return found


def hasNode() -> bool:
    """Return whether the kernel has VFIO."""
    return os.path.exists("/dev/vfio/vfio")


def hasVFIO() -> bool:
    """Return whether the host can hand PCI devices over to guests."""
    try:
        groups = os.listdir("/sys/kernel/iommu_groups")
    except OSError:
        return False
    return bool(groups) and hasNode()


def scsiNode(source: Any) -> str:
    """
    Return the generic device of a SCSI device.

    @raise VirtError: there is none.
    """
    folder = f"/sys/bus/scsi/devices/{scsiName(source)}/scsi_generic"
    try:
        names = sorted(os.listdir(folder))
    except OSError as problem:
        raise systemFailure(
            problem, f"cannot open directory '{folder}'", ErrorDomain.NONE
        ) from None
    return f"/dev/{names[0]}" if names else "/dev/sg"


def usbDevice(source: Any, folder: str = "/sys/bus/usb/devices") -> tuple[int, int] | None:
    """
    Find a USB device of the host.

    @param source: says vendor and product, bus and device, or all of them.
    @return: bus and device; None: there is none such.
    @raise VirtError: there are several, or no USB at all.
    """
    try:
        names = os.listdir(folder)
    except OSError as problem:
        raise systemFailure(
            problem, f"cannot open directory '{folder}'", ErrorDomain.NONE
        ) from None
    found = []
    for name in sorted(names):
        if ":" in name or name.startswith("."):
            continue
        try:
            facts = {
                key: int(_read(os.path.join(folder, name, key)), base)
                for key, base in (
                    ("idVendor", 16),
                    ("idProduct", 16),
                    ("busnum", 10),
                    ("devnum", 10),
                )
            }
        except (OSError, ValueError):
            continue
        if source.vendor is not None and (facts["idVendor"], facts["idProduct"]) != (
            source.vendor,
            source.product,
        ):
            continue
        place = (facts["busnum"], facts["devnum"])
        if (source.bus or source.device) and place != (source.bus, source.device):
            continue
        found.append(place)
    if len(found) > 1:
        raise failed(
            f"Multiple USB devices for {source.vendor or 0:x}:{source.product or 0:x}, "
            "use <address> to specify one",
            ErrorDomain.NONE,
        )
    return found[0] if found else None


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read(64).strip()


def findUSB(source: Any, *, optional: bool = False) -> tuple[int, int] | None:
    """
    Find a USB device that a guest is to have.

    @param source: says which.
    @param optional: the guest can do without.
    @return: bus and device; None: it is not there.
    @raise VirtError: it must be there and is not, or there are several.
    """
    found = usbDevice(source)
    if found is not None or optional:
        return found
    named = f"{source.vendor:04x}:{source.product or 0:04x}" if source.vendor is not None else ""
    where = f"bus:{source.bus} device:{source.device}" if source.bus or source.device else ""
    said = " ".join(filter(None, (named, where)))
    raise internal(f"Did not find USB device {said}", ErrorDomain.NONE)


# Sockets between host and guest


def openVsock(
    definition: DomainDefinition, path: str = "/dev/vhost-vsock"
) -> tuple[DomainDefinition, dict[str, int]]:
    """
    Open the kernel's end of a guest's socket, and give it a number if it is to have any.

    @return: the definition with the number, and the descriptor by its place on the command line.
    @raise VirtError: there are no such sockets, or the number is taken.
    """
    vsock = definition.devices.vsock
    if vsock is None:
        return definition, {}
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        raise unsupportedConfig("unable to open vhost-vsock device") from None
    try:
        cid = vsock.cid or CID(auto=True)
        if cid.auto is not True and cid.address is not None:
            try:
                _setCID(fd, cid.address)
            except OSError as problem:
                raise systemFailure(problem, "failed to set guest cid", ErrorDomain.NONE) from None
        else:
            cid = replaced(cid, address=_freeCID(fd))
    except VirtError:
        os.close(fd)
        raise
    devices = replaced(definition.devices, vsock=replaced(vsock, cid=cid))
    return replaced(definition, devices=devices), {f"vsock-{vsock.alias}": fd}


def _setCID(fd: int, number: int) -> None:
    fcntl.ioctl(fd, _SET_CID, struct.pack("Q", number))


def _freeCID(fd: int) -> int:
    number = _FIRST_CID
    while True:
        try:
            _setCID(fd, number)
        except OSError as problem:
            if problem.errno != 98 or number >= _LAST_CID:  # EADDRINUSE
                raise systemFailure(
                    problem, "failed to acquire guest cid", ErrorDomain.NONE
                ) from None
            number += 1
        else:
            return number


# Memory


def hostNodes(folder: str = "/sys/devices/system/node") -> frozenset[int] | None:
    """Return the numbers of the host's NUMA nodes; None: it does not say."""
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    return frozenset(
        int(each[4:]) for each in names if each.startswith("node") and each[4:].isdigit()
    )


def hugePageMounts(settings: Mapping[str, object], mounts: str = "/proc/mounts") -> dict[int, str]:
    """
    Return where files of large pages are made, by the size of a page in KiB.

    @param settings: of qemu.conf: C{hugetlbfs_mount} is heeded before what is mounted.
    """
    wanted = settings.get("hugetlbfs_mount")
    places: list[str] = [str(each) for each in wanted] if isinstance(wanted, tuple) else []
    if isinstance(wanted, tuple) and places == [""]:
        return {}
    if not places:
        try:
            with open(mounts, encoding="utf-8", errors="replace") as file:
                fields = [line.split() for line in file]
        except OSError:
            fields = []
        places = [each[1] for each in fields if len(each) > 2 and each[2] == "hugetlbfs"]
    found: dict[int, str] = {}
    for place in places:
        try:
            found.setdefault(os.statvfs(place).f_bsize // 1024, place)
        except OSError:
            continue
    return found
