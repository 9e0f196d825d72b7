"""
Devices coming to domains and leaving them, as libvirt's driver for QEMU does it.

Each change is made to copies of the definitions first; only when all that was asked for can be done do the domain
and its definition become these.  The guest lets go of its devices at once.
"""

from __future__ import annotations

from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition, completed, parseDevice
from pyvirt.definitions.domain._checkdevices import (
    checkController,
    checkFilesystem,
    checkHostDev,
    checkInput,
    checkInterface,
)
from pyvirt.definitions.domain._checkdisks import checkDisk
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.devicechanges import updatedConfig, withDevice
from pyvirt.drivers.devicekinds import everyDevice, label
from pyvirt.drivers.devicematch import findDevice
from pyvirt.drivers.devicenames import diskOf, pathOf
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.test.aliases import aliasOf, newAlias
from pyvirt.drivers.test.blockjob import checkIdle
from pyvirt.drivers.test.checks import check
from pyvirt.drivers.test.deviceupdate import changeMedia, updatedLive
from pyvirt.drivers.test.domain import Domain
from pyvirt.drivers.test.iothreads import DomainDevices
from pyvirt.drivers.test.refusals import (
    IMPACT,
    checkFlags,
    failed,
    internal,
    invalidArgument,
    operationInvalid,
    operationUnsupported,
)
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["AttachableDevices", "addedDevice", "withoutDevice"]

_MARK = "ua-<new>"
#: The most bytes that a size in KiB may come to.
_LONGEST = (1 << 64) - 1

#: What libvirt can plug into a running guest, and add to a definition.
_LIVE = frozenset(
    [
        "disks",
        "controllers",
        "leases",
        "interfaces",
        "hostdevs",
        "redirdevs",
        "serials",
        "parallels",
        "consoles",
        "channels",
        "rngs",
        "memories",
        "shmems",
        "watchdogs",
        "inputs",
        "vsock",
        "filesystems",
    ]
)
_CONFIG = _LIVE | {"sounds"}
_HOTPLUG_BUSES = frozenset(("virtio", "scsi", "usb"))

_CHECKS: dict[str, Any] = {
    "disks": checkDisk,
    "interfaces": checkInterface,
    "hostdevs": checkHostDev,
    "controllers": checkController,
    "inputs": checkInput,
    "filesystems": checkFilesystem,
}


def addedDevice(
    definition: DomainDefinition, kind: str, device: Any, random: Any
) -> tuple[DomainDefinition, Any]:
    """
    Add a device to a definition, completing it and checking that all fits.

    @return: the definition, and the device as it is in it.
    @raise VirtError: it does not fit.
    """
    if kind == "memories" and definition.maxMemory is None:
        raise virtError(
            ErrorCode.CONFIG_UNSUPPORTED,
            "cannot use/hotplug a memory device when domain 'maxMemory' is not defined",
            ErrorDomain.DOMAIN,
        )
    devices = definition.devices
    kept = getattr(devices, kind)
    own = getattr(device, "alias", None)
    marked = device if kind == "leases" or own is not None else replaced(device, alias=_MARK)
    value = (*kept, marked) if isinstance(kept, tuple) else marked
    changed = completed(
        replaced(definition, devices=replaced(devices, **{kind: value})), random=random
    )
    found = marked
    for other, place, each in everyDevice(changed):
        if other == kind and getattr(each, "alias", None) == _MARK:
            found = replaced(each, alias=None)
            changed = withDevice(changed, kind, place, found)
            break
        if other == kind and own is not None and each.alias == own:
            found = each
    check(changed)
    return changed, found


def withoutDevice(definition: DomainDefinition, kind: str, place: int) -> DomainDefinition:
    """Take a device away."""
    return withDevice(definition, kind, place, None)


def _busy(definition: DomainDefinition, kind: str, device: Any) -> bool:
    """Whether other devices sit on a controller."""
    if kind != "controllers" or device.type != "scsi":
        return False
    index = device.index or 0
    devices = definition.devices
    for each in (*devices.disks, *devices.hostdevs):
        bus = getattr(getattr(each, "target", None), "bus", None) or getattr(each, "type", None)
        if bus == "scsi" and getattr(each.address, "controller", None) == index:
            return True
    return False


class AttachableDevices(DomainDevices):
    """Devices of domains: their threads and memory, and that they come and go."""

    @staticmethod
    def _parse(xml: str) -> tuple[str, Any]:
        kind, device = parseDevice(xml)
        checkDevice = _CHECKS.get(kind)
        if checkDevice is not None:
            checkDevice(device)
        return kind, device

    def domainAttachDeviceFlags(self, dom: DomainRef, xml: str, flags: int) -> None:
        """Give a domain one more device."""
        checkFlags("testDomainAttachDeviceFlags", flags, IMPACT)
        domain = self._find(dom)
        live, config = domain.impact(flags)
        kind, device = self._parse(xml)
        pending = self._addedConfig(domain, kind, device) if config else None
        if live:
            self._plug(domain, kind, device)
        if pending is not None:
            self._keep(domain, pending)

    @staticmethod
    def _keep(domain: Domain, pending: DomainDefinition) -> None:
        if domain.pending is None:
            domain.definition = pending
        else:
            domain.pending = pending

    def _addedConfig(self, domain: Domain, kind: str, device: Any) -> DomainDefinition:
        if kind not in _CONFIG:
            raise operationUnsupported(
                f"persistent attach of device '{label(kind)}' is not supported"
            )
        definition = domain.persistentDefinition
        devices = definition.devices
        if kind == "disks" and _there(devices, kind, device):
            raise operationInvalid(f"target {device.target.dev} already exists")
        if kind == "filesystems" and _there(devices, kind, device):
            raise operationInvalid("Target already exists")
        if kind == "controllers" and device.index is not None and _there(devices, kind, device):
            raise operationInvalid(f"controller index='{device.index}' already exists")
        if kind in ("serials", "parallels", "channels", "consoles"):
            _checkPort(devices, kind, device)
        if kind == "leases" and _there(devices, kind, device):
            raise operationInvalid(
                f"Lease {device.key} in lockspace {device.lockspace or '(null)'} already exists"
            )
        if kind == "watchdogs" and devices.watchdogs:
            raise operationInvalid("domain already has a watchdog")
        if kind == "vsock" and devices.vsock is not None:
            raise operationInvalid("domain already has a vsock device")
        if kind in ("hostdevs", "shmems") and _there(devices, kind, device):
            raise operationInvalid("device is already in the domain configuration")
        return addedDevice(definition, kind, device, self._world.random)[0]

    def _plug(self, domain: Domain, kind: str, device: Any) -> None:
        """Plug a device into a running guest."""
        definition = domain.definition
        devices = definition.devices
        if kind not in _LIVE:
            raise operationUnsupported(f"live attach of device '{label(kind)}' is not supported")
        if kind == "disks":
            if device.device in ("cdrom", "floppy") and _there(devices, kind, device):
                changeMedia(self._world, domain, device, False)
                return
            if device.device == "floppy":
                raise operationUnsupported("floppy device hotplug isn't supported")
            bus = device.target.bus
            if bus is not None and bus not in _HOTPLUG_BUSES:
                raise operationUnsupported(f"disk bus '{bus}' cannot be hotplugged.")
        elif kind == "controllers":
            if device.type != "scsi":
                raise operationUnsupported(f"'{device.type}' controller cannot be hot plugged.")
            if device.index is not None and _there(devices, kind, device):
                raise failed(f"target {device.type}:{device.index} already exists")
        elif kind == "inputs" and device.bus not in ("usb", "virtio"):
            raise operationUnsupported(f"input device on bus '{device.bus}' cannot be hot plugged.")
        elif kind == "filesystems":
            if getattr(device.driver, "type", None) != "virtiofs":
                raise operationUnsupported("only virtiofs filesystems can be hotplugged")
            if _there(devices, kind, device):
                raise operationInvalid("Target already exists")
        elif kind in ("serials", "parallels", "channels", "consoles"):
            _checkPort(devices, kind, device)
        elif kind == "watchdogs" and devices.watchdogs:
            raise operationInvalid("domain already has a watchdog")
        elif kind == "vsock" and devices.vsock is not None:
            raise operationInvalid("the domain already has a vsock device")
        elif kind == "hostdevs" and _there(devices, kind, device):
            raise operationInvalid(f"target {device.type} device already exists")
        elif kind == "leases" and _there(devices, kind, device):
            raise operationInvalid(
                f"Lease {device.key} in lockspace {device.lockspace or '(null)'} already exists"
            )
        changed, added = addedDevice(definition, kind, device, self._world.random)
        if kind == "leases":
            domain.definition = changed
            return
        alias = added.alias or newAlias(changed, kind, added)
        for other, place, each in everyDevice(changed):
            if other == kind and each is added:
                changed = withDevice(changed, kind, place, replaced(added, alias=alias))
        domain.definition = changed
        self._world.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED, alias)

    def domainDetachDeviceFlags(self, dom: DomainRef, xml: str, flags: int) -> None:
        """Take a device away, which the guest gives up at once."""
        checkFlags("testDomainDetachDeviceFlags", flags, IMPACT)
        domain = self._find(dom)
        live, config = domain.impact(flags)
        kind, device = parseDevice(xml)
        pending = None
        if config:
            if kind not in _CONFIG:
                raise operationUnsupported(
                    f"persistent detach of device '{label(kind)}' is not supported"
                )
            definition = domain.persistentDefinition
            place, _ = findDevice(definition.devices, kind, device, False)
            pending = withoutDevice(definition, kind, place)
        if live:
            self._checkDetachable(kind)
            place, found = findDevice(domain.definition.devices, kind, device, True)
            self._unplug(domain, kind, place, found)
        if pending is not None:
            self._keep(domain, pending)

    @staticmethod
    def _checkDetachable(kind: str) -> None:
        if kind not in _LIVE:
            raise operationUnsupported(f"live detach of device '{label(kind)}' is not supported")

    def _unplug(self, domain: Domain, kind: str, place: int, device: Any) -> None:
        definition = domain.definition
        if kind == "disks" and device.device in ("cdrom", "floppy"):
            bus = device.target.bus if device.target is not None else None
            if device.device == "floppy" or bus not in _HOTPLUG_BUSES:
                raise operationUnsupported(f"disk device type '{device.device}' cannot be detached")
        if kind == "controllers":
            if device.type != "scsi":
                raise operationUnsupported(f"'{device.type}' controller cannot be hot unplugged.")
            if _busy(definition, kind, device):
                raise failed("device cannot be detached: device is busy")
        if kind == "disks":
            checkIdle(domain, device.target.dev)
        alias = aliasOf(kind, place, device)
        domain.definition = withoutDevice(definition, kind, place)
        if kind != "leases":
            self._world.tellDomain(domain, c.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, alias)

    def domainBlockResize(self, dom: DomainRef, disk: str, size: int, flags: int) -> None:
        """Give the disk of a running guest another size."""
        checkFlags("testDomainBlockResize", flags, c.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
        if not flags & c.VIR_DOMAIN_BLOCK_RESIZE_BYTES:
            if size > _LONGEST // 1024:
                raise virtError(
                    ErrorCode.OVERFLOW,
                    f"size must be less than {_LONGEST // 1024}",
                    ErrorDomain.TEST,
                )
            size *= 1024
        domain = self._find(dom)
        domain.checkActive()
        found = diskOf(domain.definition, disk)
        if found is None:
            raise invalidArgument(f"disk '{disk}' was not found in the domain config")
        if found.source is None or found.source.isEmpty or found.readonly:
            raise operationUnsupported(f"can't resize empty or readonly disk '{disk}'")
        checkIdle(domain, found.target.dev)
        domain.extra.sizes[found.target.dev] = size

    def domainBlockPeek(
        self, dom: DomainRef, path: str, offset: int, size: int, flags: int
    ) -> bytes:
        """Look into a disk: it holds zeros, or what its volume does."""
        checkFlags("testDomainBlockPeek", flags)
        domain = self._find(dom)
        disk = diskOf(domain.definition, path)
        if disk is None:
            raise invalidArgument(f"disk '{path}' not found in domain")
        where = pathOf(disk)
        if where is None:
            raise invalidArgument(f"disk '{path}' does not currently have a source assigned")
        data = self._world.volumeData(where)
        return bytes(size) if data is None else data.read(offset, size)

    def domainDetachDeviceAlias(self, dom: DomainRef, alias: str, flags: int) -> None:
        """As L{domainDetachDeviceFlags}, of the device of that name."""
        checkFlags("testDomainDetachDeviceAlias", flags, IMPACT)
        domain = self._find(dom)
        live, config = domain.impact(flags)
        pending = None
        if config:
            definition = domain.persistentDefinition
            kind, place, _ = _named(definition, alias, own=True)
            if kind not in _CONFIG:
                raise operationUnsupported(
                    f"persistent detach of device '{label(kind)}' is not supported"
                )
            pending = withoutDevice(definition, kind, place)
        if live:
            kind, place, found = _named(domain.definition, alias, own=False)
            self._checkDetachable(kind)
            self._unplug(domain, kind, place, found)
        if pending is not None:
            self._keep(domain, pending)

    def domainUpdateDeviceFlags(self, dom: DomainRef, xml: str, flags: int) -> None:
        """Change what can be changed of a device."""
        checkFlags("testDomainUpdateDeviceFlags", flags, IMPACT | c.VIR_DOMAIN_DEVICE_MODIFY_FORCE)
        domain = self._find(dom)
        live, config = domain.impact(flags)
        kind, device = self._parse(xml)
        pending = None
        if config:
            pending = updatedConfig(domain.persistentDefinition, kind, device, ErrorDomain.TEST)
            pending = completed(pending, random=self._world.random)
            check(pending)
        if live:
            updatedLive(
                self._world,
                domain,
                kind,
                device,
                bool(flags & c.VIR_DOMAIN_DEVICE_MODIFY_FORCE),
            )
        if pending is not None:
            self._keep(domain, pending)


def _there(devices: Any, kind: str, device: Any) -> bool:
    try:
        findDevice(devices, kind, device, True)
    except VirtError:
        return False
    return True


def _checkPort(devices: Any, kind: str, device: Any) -> None:
    """Refuse a character device whose end in the guest is taken."""
    for each in getattr(devices, kind):
        one, other = device.target, each.target
        if kind == "channels":
            same = one.name is not None and (one.type, one.name) == (other.type, other.name)
        else:
            same = one.port is not None and one.port == other.port and one.type == other.type
        if same:
            raise operationInvalid("chardev already exists")


def _named(definition: DomainDefinition, alias: str, own: bool) -> tuple[str, int, Any]:
    """
    Find the device of a name.

    @param own: only by a name in its XML.
    @raise VirtError: there is none.
    """
    for kind, place, device in everyDevice(definition):
        name = getattr(device, "alias", None) if own else aliasOf(kind, place, device)
        if name == alias:
            return kind, place, device
    raise internal(f"no device found with alias {alias}", ErrorDomain.DOMAIN)
