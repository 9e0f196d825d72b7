"""
Devices of the host: looking at them.  What changes them, and hearing of them as they come and go, is not here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvirt import constants as c
from pyvirt.definitions.nodedev import NodeDeviceDefinition, formatNodeDevice
from pyvirt.drivers.host.sysfs import Devices
from pyvirt.drivers.interfaces.values import NodeDeviceRef
from pyvirt.drivers.refusals import checkFlags
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

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
