"""
Devices of the host: looking at them, hearing of them as they come and go, and taking PCI devices from their drivers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvirt import constants as c
from pyvirt.definitions.nodecaps import Mdev, SCSIHost
from pyvirt.definitions.nodedev import (
    NodeDeviceDefinition,
    formatNodeDevice,
    parseNodeDevice,
)
from pyvirt.definitions.validation import validate
from pyvirt.drivers.host import assigning
from pyvirt.drivers.host.sysfs import Devices
from pyvirt.drivers.host.uevents import DeviceWatcher
from pyvirt.drivers.interfaces.events import EventKind
from pyvirt.drivers.interfaces.values import NodeDeviceRef
from pyvirt.drivers.refusals import checkFlags, internal
from pyvirt.drivers.refusals import operationInvalid as invalid
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["NodeDevices"]

_DOMAIN = ErrorDomain.NODEDEV

_KINDS = {
    "system": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_SYSTEM,
    "pci": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_PCI_DEV,
    "usb_device": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_DEV,
    "usb": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_USB_INTERFACE,
    "net": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_NET,
    "storage": c.VIR_CONNECT_LIST_NODE_DEVICES_CAP_STORAGE,
}
_LIST_FLAGS = 0x3FFFFF | 1 << 30 | 1 << 31
_INACTIVE, _ACTIVE = 1 << 30, 1 << 31
#: Seconds for which what was seen is taken for what is there.
_FRESH = 1.0


class NodeDevices:
    """Looks at devices."""

    def __init__(self, host: Host, devices: Devices | None = None) -> None:
        self._host = host
        self._devices = devices or Devices()
        self._seen: dict[str, NodeDeviceDefinition] = {}
        self._when: float | None = None
        self._watcher: DeviceWatcher | None = None

    # As they come and go

    def watch(self) -> None:
        """Somebody wants to hear of devices: begin to watch, if nobody did before."""
        if self._watcher is None:
            self._watcher = DeviceWatcher(self._host.clock, self._changed)
            self._host.later(self._begin(self._watcher))

    async def _begin(self, watcher: DeviceWatcher) -> None:
        # What is there when somebody begins to listen is no news.
        await self._all()
        watcher.start()

    async def unload(self) -> None:
        """Watch no more."""
        if self._watcher is not None:
            self._watcher.stop()

    async def _changed(self, paths: frozenset[str]) -> None:
        """Something has happened to devices: look which are new, which are gone, and which are others."""
        before = self._seen
        self._when = None
        now = await self._all()
        told = [(name, c.VIR_NODE_DEVICE_EVENT_DELETED) for name in before if name not in now]
        told += [(name, c.VIR_NODE_DEVICE_EVENT_CREATED) for name in now if name not in before]
        for name, event in told:
            kind = c.VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE
            ref = NodeDeviceRef(name)
            self._host.tell(EventKind.NODE_DEVICE, kind, ref, name, event, 0)
        for name, device in now.items():
            if name in before and device.path in paths:
                kind = c.VIR_NODE_DEVICE_EVENT_ID_UPDATE
                self._host.tell(EventKind.NODE_DEVICE, kind, NodeDeviceRef(name), name)

    # Looking

    async def _all(self) -> dict[str, NodeDeviceDefinition]:
        now = self._host.clock.seconds()
        if self._when is None or not 0 <= now - self._when < _FRESH:
            self._seen = await self._host.thread(self._devices.scan)
            self._when = self._host.clock.seconds()
        return self._seen

    async def _named(self, name: str) -> NodeDeviceDefinition:
        found = (await self._all()).get(name)
        if found is None:
            raise virtError(
                ErrorCode.NO_NODE_DEVICE, f"no node device with matching name '{name}'", _DOMAIN
            )
        return found

    async def connectListAllNodeDevices(self, flags: int) -> list[NodeDeviceRef]:
        """List the devices that pass the filters; all that are there are active."""
        checkFlags("nodeConnectListAllNodeDevices", flags, _LIST_FLAGS, _DOMAIN)
        if flags & _INACTIVE and not flags & _ACTIVE:
            return []
        wanted = flags & 0x3FFFFF
        return [
            NodeDeviceRef(name)
            for name, device in (await self._all()).items()
            if not wanted or any(_KINDS[each.kind] & wanted for each in device.capabilities)
        ]

    async def nodeDeviceLookupByName(self, name: str) -> NodeDeviceRef:
        """Find a device."""
        return NodeDeviceRef((await self._named(name)).name)

    async def nodeDeviceGetXMLDesc(self, name: str, flags: int) -> str:
        """Describe a device."""
        checkFlags("nodeDeviceGetXMLDesc", flags, 1, _DOMAIN)
        return formatNodeDevice(await self._named(name))

    async def nodeDeviceGetParent(self, name: str) -> str | None:
        """Tell what a device is plugged into."""
        return (await self._named(name)).parent

    async def nodeDeviceListCaps(self, name: str) -> list[str]:
        """Tell what a device is."""
        return [each.kind for each in (await self._named(name)).capabilities]

    async def nodeDeviceIsActive(self, name: str) -> bool:
        """What is there is active."""
        return (await self._named(name)) is not None

    async def nodeDeviceIsPersistent(self, name: str) -> bool:
        """The computer stays; what is plugged in may go."""
        return (await self._named(name)).name == "computer"

    async def nodeDeviceGetAutostart(self, name: str) -> bool:
        """The computer starts with itself."""
        return (await self._named(name)).name == "computer"

    async def nodeDeviceLookupSCSIHostByWWN(
        self, wwnn: str, wwpn: str, flags: int
    ) -> NodeDeviceRef:
        """No adapter of the host has such names."""
        checkFlags("nodeDeviceLookupSCSIHostByWWN", flags, 0, _DOMAIN)
        raise VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)

    # Making

    async def _parsed(self, xml: str, checked: bool) -> NodeDeviceDefinition:
        if checked:
            validate("nodedev", xml)
        return parseNodeDevice(xml, new=True)

    async def nodeDeviceCreateXML(self, xmlDesc: str, flags: int) -> NodeDeviceRef:
        """Make a device; nothing on a host without virtual ports and mediated devices can have one."""
        checkFlags("nodeDeviceCreateXML", flags, c.VIR_NODE_DEVICE_CREATE_XML_VALIDATE, _DOMAIN)
        device = await self._parsed(xmlDesc, bool(flags))
        first = device.capabilities[0]
        if isinstance(first, SCSIHost):
            raise await self._portless(device, first)
        raise await self._unmade(device)

    async def _portless(self, device: NodeDeviceDefinition, host: SCSIHost) -> VirtError:
        """Make the error of a virtual port where no adapter can have any."""
        if host.fc is None:
            return internal("Device is not a fibre channel HBA", _DOMAIN)
        if device.parent is None and not any(device.parentNames):
            return internal("Could not find any vport capable device", _DOMAIN)
        if device.parent is not None and device.parent in await self._all():
            return internal(
                f"Parent device {device.parent} is not capable of vport operations", _DOMAIN
            )
        return internal("Could not find parent device for 'new device'", _DOMAIN)

    async def _unmade(self, device: NodeDeviceDefinition) -> VirtError:
        """Make the error of a device that is not made here."""
        if not isinstance(device.capabilities[0], Mdev):
            return virtError(ErrorCode.CONFIG_UNSUPPORTED, "Unsupported device type", _DOMAIN)
        parent = (await self._all()).get(device.parent or "")
        if parent is None:
            return virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                f"invalid parent device '{device.parent or '(null)'}'",
                _DOMAIN,
            )
        if not any(each.kind in ("pci", "css", "ap_matrix") for each in parent.capabilities):
            return virtError(
                ErrorCode.PARSE_FAILED,
                f"Unable to find address for parent device '{parent.name}'",
                _DOMAIN,
            )
        return assigning.mdevctlMissing()

    async def nodeDeviceDefineXML(self, xmlDesc: str, flags: int) -> NodeDeviceRef:
        """Define a mediated device, which needs what is not there."""
        checkFlags("nodeDeviceDefineXML", flags, c.VIR_NODE_DEVICE_DEFINE_XML_VALIDATE, _DOMAIN)
        raise await self._unmade(await self._parsed(xmlDesc, bool(flags)))

    async def nodeDeviceDestroy(self, name: str) -> None:
        """No device that is shown can be removed."""
        await self._named(name)
        raise virtError(ErrorCode.CONFIG_UNSUPPORTED, "Unsupported device type", _DOMAIN)

    async def nodeDeviceUndefine(self, name: str, flags: int) -> None:
        """No device that is shown was defined."""
        checkFlags("nodeDeviceUndefine", flags, 0, _DOMAIN)
        if not await self.nodeDeviceIsPersistent(name):
            raise invalid(f"Node device '{name}' is not defined", _DOMAIN)
        raise virtError(ErrorCode.CONFIG_UNSUPPORTED, "Unsupported device type", _DOMAIN)

    async def nodeDeviceCreate(self, name: str, flags: int) -> None:
        """Start a device; all that are shown are active."""
        checkFlags("nodeDeviceCreate", flags, 0, _DOMAIN)
        await self._named(name)
        raise invalid("Device is already active", _DOMAIN)

    async def nodeDeviceSetAutostart(self, name: str, autostart: bool) -> None:
        """Only mediated devices start with the host."""
        await self._named(name)
        raise virtError(ErrorCode.OPERATION_UNSUPPORTED, "Unsupported device type", _DOMAIN)

    # Assigning

    async def _address(self, name: str) -> str:
        """
        Return the address of a PCI device.

        @raise VirtError: INVALID_ARG: it is none.
        """
        device = await self._named(name)
        if not any(each.kind == "pci" for each in device.capabilities) or device.path is None:
            raise virtError(
                ErrorCode.INVALID_ARG, f"device {name} is not a PCI device", ErrorDomain.DOMAIN
            )
        return device.path.rsplit("/", 1)[-1]

    async def nodeDeviceDetachFlags(self, name: str, driverName: str | None, flags: int) -> None:
        """Take a PCI device from its driver, so that a guest can have it."""
        checkFlags("qemuNodeDeviceDetachFlags", flags, 0, ErrorDomain.QEMU)
        await self._named(name)
        assigning.checkDriver(driverName)
        await assigning.detach(self._host, await self._address(name))

    async def nodeDeviceReAttach(self, name: str) -> None:
        """Give a PCI device back to its driver."""
        await assigning.reattach(self._host, await self._address(name))

    async def nodeDeviceReset(self, name: str) -> None:
        """Reset a PCI device."""
        await assigning.reset(self._host, await self._address(name))
