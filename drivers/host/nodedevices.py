"""
Devices of the host: looking at them, hearing of them as they come and go, and taking PCI devices from their drivers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from pyvirt import constants as c
from pyvirt.definitions.nodecaps import Mdev
from pyvirt.definitions.nodedev import (
    TYPES,
    NodeDeviceDefinition,
    deviceFlags,
    formatNodeDevice,
    hostOf,
    parseNodeDevice,
)
from pyvirt.definitions.validation import validate
from pyvirt.drivers.host import assigning, virtualports
from pyvirt.drivers.host.mediated import (
    Defined,
    MediatedDevices,
    mdevOf,
    parentAddress,
    unsupportedDevice,
    withSettings,
)
from pyvirt.drivers.host.sysfs import Devices
from pyvirt.drivers.host.sysfsfiles import safe
from pyvirt.drivers.host.uevents import DeviceWatcher
from pyvirt.drivers.interfaces.events import EventKind
from pyvirt.drivers.interfaces.inside import IAssignedDevices
from pyvirt.drivers.interfaces.values import NodeDeviceRef
from pyvirt.drivers.refusals import checkFlags
from pyvirt.drivers.refusals import operationInvalid as invalid
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.assigned.keeper import AssignedDevices
    from pyvirt.drivers.host.host import Host

__all__ = ["NodeDevices"]

_DOMAIN = ErrorDomain.NODEDEV

_LIST_FLAGS = 0x3FFFFF | 1 << 30 | 1 << 31
_INACTIVE, _ACTIVE = 1 << 30, 1 << 31
#: Seconds for which what was seen is taken for what is there.
_FRESH = 1.0
#: Seconds between looks for a device that has been made, and after which it is given up.
_STEP, _DEADLINE = 0.1, 60.0


class NodeDevices:
    """Looks at devices."""

    def __init__(
        self,
        host: Host,
        devices: Devices | None = None,
        mediated: MediatedDevices | None = None,
    ) -> None:
        self._host = host
        self._devices = devices or Devices()
        self._mediated = mediated or MediatedDevices(host)
        self._seen: dict[str, NodeDeviceDefinition] = {}
        self._defined: dict[str, Defined] = {}
        self._when: float | None = None
        self._watcher: DeviceWatcher | None = None
        # What has been told: questions look at devices too, and must not take news away.
        self._told: tuple[dict[str, NodeDeviceDefinition], dict[str, Defined]] = {}, {}

    # As they come and go

    def watch(self) -> None:
        """Somebody wants to hear of devices: begin to watch, if nobody did before."""
        if self._watcher is None:
            self._watcher = DeviceWatcher(self._host.clock, self._changed)
            self._host.later(self._begin(self._watcher))

    async def _begin(self, watcher: DeviceWatcher) -> None:
        # What is there when somebody begins to listen is no news.
        await self._all()
        self._told = self._seen, self._defined
        watcher.start()

    async def unload(self) -> None:
        """Watch no more."""
        if self._watcher is not None:
            self._watcher.stop()

    async def _changed(self, paths: frozenset[str] = frozenset()) -> None:
        """Something has happened to devices: look which are new, which are gone, and which are others."""
        self._when = None
        await self._all()
        if self._watcher is None:
            return
        (before, defined), now, remembered = self._told, self._seen, self._defined
        self._told = now, remembered
        told = [(name, c.VIR_NODE_DEVICE_EVENT_UNDEFINED) for name in defined.keys() - remembered]
        told += [(name, c.VIR_NODE_DEVICE_EVENT_DEFINED) for name in remembered.keys() - defined]
        told += [(name, c.VIR_NODE_DEVICE_EVENT_DELETED) for name in before if name not in now]
        told += [(name, c.VIR_NODE_DEVICE_EVENT_CREATED) for name in now if name not in before]
        for name, event in told:
            kind = c.VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE
            ref = NodeDeviceRef(name)
            self._host.tell(EventKind.NODE_DEVICE, kind, ref, name, event, 0)
        others = [name for name, each in now.items() if name in before and each.path in paths]
        others += [
            name for name in remembered if defined.get(name, remembered[name]) != remembered[name]
        ]
        for name in others:
            kind = c.VIR_NODE_DEVICE_EVENT_ID_UPDATE
            self._host.tell(EventKind.NODE_DEVICE, kind, NodeDeviceRef(name), name)

    # Looking

    async def _active(self) -> dict[str, NodeDeviceDefinition]:
        """Return what there is, by name."""
        now = self._host.clock.seconds()
        if self._when is None or not 0 <= now - self._when < _FRESH:
            self._seen = await self._host.thread(self._devices.scan)
            self._when = self._host.clock.seconds()
        return self._seen

    async def _all(self) -> dict[str, NodeDeviceDefinition]:
        """Return what there is, and what is only remembered, by name."""
        active = await self._active()
        self._defined = defined = await self._mediated.defined(active)
        found = {name: withSettings(device, defined.get(name)) for name, device in active.items()}
        found |= {name: each.device for name, each in defined.items() if name not in active}
        return found

    async def _named(self, name: str) -> NodeDeviceDefinition:
        found = (await self._all()).get(name)
        if found is None:
            raise virtError(
                ErrorCode.NO_NODE_DEVICE, f"no node device with matching name '{name}'", _DOMAIN
            )
        return found

    async def _namedMdev(self, name: str) -> Mdev | None:
        """Return what a device is as a mediated one, None if it is none."""
        return mdevOf(await self._named(name))

    async def connectListAllNodeDevices(self, flags: int) -> list[NodeDeviceRef]:
        """List the devices that pass the filters."""
        checkFlags("nodeConnectListAllNodeDevices", flags, _LIST_FLAGS, _DOMAIN)
        wanted = flags & 0x3FFFFF
        states = flags & (_INACTIVE | _ACTIVE)
        return [
            NodeDeviceRef(name)
            for name, device in (await self._all()).items()
            if (not wanted or deviceFlags(device) & wanted)
            and (not states or states & (_ACTIVE if name in self._seen else _INACTIVE))
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
        """Tell what a device is, and what of its kind it can do."""
        flags = deviceFlags(await self._named(name))
        return [kind for number, kind in enumerate(TYPES) if flags >> number & 1]

    async def nodeDeviceIsActive(self, name: str) -> bool:
        """What is there is active, what is only remembered is not."""
        return (await self._named(name)).name in self._seen

    async def nodeDeviceIsPersistent(self, name: str) -> bool:
        """The computer stays, and what is remembered; what is plugged in may go."""
        return (await self._named(name)).name == "computer" or name in self._defined

    async def nodeDeviceGetAutostart(self, name: str) -> bool:
        """The computer starts with itself."""
        await self._named(name)
        return name == "computer" or (name in self._defined and self._defined[name].autostart)

    async def nodeDeviceLookupSCSIHostByWWN(
        self, wwnn: str, wwpn: str, flags: int
    ) -> NodeDeviceRef:
        """Find a SCSI host by the names of its port."""
        checkFlags("nodeDeviceLookupSCSIHostByWWN", flags, 0, _DOMAIN)
        found = virtualports.named(await self._all(), wwnn, wwpn)
        if found is None:
            raise VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)
        return NodeDeviceRef(found)

    # Making

    async def _parsed(self, xml: str, checked: bool) -> NodeDeviceDefinition:
        if checked:
            validate("nodedev", xml)
        return parseNodeDevice(xml, new=True, worldWideName=self._worldWideName)

    def _worldWideName(self) -> str:
        """Make up a name of a port, of those that guests' ports have."""
        return f"5001a4a{int.from_bytes(self._host.random(5), 'big') >> 4:09x}"

    async def nodeDeviceCreateXML(self, xmlDesc: str, flags: int) -> NodeDeviceRef:
        """Make a virtual port, or a mediated device that is forgotten when it is gone."""
        checkFlags("nodeDeviceCreateXML", flags, c.VIR_NODE_DEVICE_CREATE_XML_VALIDATE, _DOMAIN)
        device = await self._parsed(xmlDesc, bool(flags))
        host = hostOf(device)
        if host is not None:
            place, wwnn, wwpn = virtualports.portOf(device, host, await self._all())
            await self._host.thread(virtualports.create, place, wwnn, wwpn)
            return await self._appeared(
                lambda found: virtualports.named(found, wwnn, wwpn),
                f"no node device for 'new device' with matching wwnn '{wwnn}' and wwpn '{wwpn}'",
            )
        mdev, address = await self._placed(device)
        name = f"mdev_{safe(await self._mediated.create(mdev, address))}_{safe(address)}"
        return await self._appeared(
            lambda found: name if name in self._seen else None,
            f"no node device with matching name '{name}'",
        )

    async def _appeared(
        self, look: Callable[[dict[str, NodeDeviceDefinition]], str | None], missing: str
    ) -> NodeDeviceRef:
        """
        Wait until a device is there that has been made.

        @param look: finds its name among all devices, None: it is not there yet.
        @param missing: what is said of one that never comes.
        """
        end = self._host.clock.seconds() + _DEADLINE
        while True:
            await self._changed()
            name = look(await self._all())
            if name is not None:
                return NodeDeviceRef(name)
            if self._host.clock.seconds() > end:
                raise virtError(ErrorCode.NO_NODE_DEVICE, missing, _DOMAIN)
            waiting: Deferred[None] = deferLater(self._host.clock, _STEP)
            await waiting

    async def _placed(self, device: NodeDeviceDefinition) -> tuple[Mdev, str]:
        """
        Find the device that a mediated device is to be a part of.

        @return: the mediated device, and what C{mdevctl} calls the other.
        @raise VirtError: it is something else, or nothing can be a part of that.
        """
        mdev = mdevOf(device)
        if mdev is None:
            raise unsupportedDevice()
        parent = (await self._all()).get(device.parent or "")
        if parent is None:
            raise virtError(
                ErrorCode.CONFIG_UNSUPPORTED,
                f"invalid parent device '{device.parent or '(null)'}'",
                _DOMAIN,
            )
        address = parentAddress(parent)
        if address is None:
            raise virtError(
                ErrorCode.PARSE_FAILED,
                f"Unable to find address for parent device '{parent.name}'",
                _DOMAIN,
            )
        return mdev, address

    async def nodeDeviceDefineXML(self, xmlDesc: str, flags: int) -> NodeDeviceRef:
        """Have a mediated device remembered."""
        checkFlags("nodeDeviceDefineXML", flags, c.VIR_NODE_DEVICE_DEFINE_XML_VALIDATE, _DOMAIN)
        mdev, address = await self._placed(await self._parsed(xmlDesc, bool(flags)))
        uuid = await self._mediated.define(mdev, address)
        await self._changed()
        return NodeDeviceRef(f"mdev_{safe(uuid)}_{safe(address)}")

    async def nodeDeviceDestroy(self, name: str) -> None:
        """Remove a virtual port or a mediated device."""
        device = await self._named(name)
        mdev, host = mdevOf(device), hostOf(device)
        if name not in self._seen:
            raise invalid(f"Device '{name}' is not active", _DOMAIN)
        if mdev is not None:
            await self._mediated.stop(mdev)
        elif host is not None:
            place = virtualports.parentOf(device, host, await self._all())
            await self._host.thread(virtualports.delete, *place)
        else:
            raise unsupportedDevice()
        await self._changed()

    async def nodeDeviceUndefine(self, name: str, flags: int) -> None:
        """Have a mediated device forgotten."""
        checkFlags("nodeDeviceUndefine", flags, 0, _DOMAIN)
        if not await self.nodeDeviceIsPersistent(name):
            raise invalid(f"Node device '{name}' is not defined", _DOMAIN)
        mdev = await self._namedMdev(name)
        if mdev is None:
            raise unsupportedDevice()
        await self._mediated.undefine(mdev)
        await self._changed()

    async def nodeDeviceCreate(self, name: str, flags: int) -> None:
        """Make a mediated device that is remembered."""
        checkFlags("nodeDeviceCreate", flags, 0, _DOMAIN)
        mdev = await self._namedMdev(name)
        if name in self._seen or mdev is None:
            raise invalid("Device is already active", _DOMAIN)
        await self._mediated.start(mdev)
        await self._changed()

    async def nodeDeviceSetAutostart(self, name: str, autostart: bool) -> None:
        """Have a mediated device made when the host starts, or not."""
        mdev = await self._namedMdev(name)
        if mdev is None:
            raise virtError(ErrorCode.OPERATION_UNSUPPORTED, "Unsupported device type", _DOMAIN)
        kept = self._defined.get(name)
        if kept is None:
            raise invalid("cannot set autostart for transient device", _DOMAIN)
        if kept.autostart != autostart:
            await self._mediated.setAutostart(mdev, autostart)
            await self._changed()

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
        await self._assigned().detach(await self._address(name))

    async def nodeDeviceReAttach(self, name: str) -> None:
        """Give a PCI device back to its driver."""
        await self._assigned().reattach(await self._address(name))

    async def nodeDeviceReset(self, name: str) -> None:
        """Reset a PCI device."""
        await self._assigned().reset(await self._address(name))

    def _assigned(self) -> AssignedDevices:
        return cast("AssignedDevices", self._host.component(IAssignedDevices))
