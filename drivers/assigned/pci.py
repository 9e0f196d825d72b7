"""
PCI devices as the kernel shows them: what drives them, which belong together, and moving them between drivers.

Everything here waits for the kernel, so it is done in a thread.

Source: the kernel's documentation, "sysfs-bus-pci" and "VFIO"; the PCI and PCI Express base specifications.
"""

from __future__ import annotations

import os
import time

from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorDomain, VirtError
from pyvirt.process import systemError

__all__ = ["PCIBus", "pciName"]

_DOMAIN = ErrorDomain.NONE

#: Where things lie in the space that a device is configured by.
_COMMAND, _STATUS, _CLASS, _HEADER, _CAPABILITIES = 0x04, 0x06, 0x0A, 0x0E, 0x34
_SECONDARY, _SUBORDINATE, _BRIDGE_CONTROL = 0x19, 0x1A, 0x3E
_STATUS_LISTS, _BRIDGE_RESET, _BRIDGE_CLASS = 0x10, 0x40, 0x0604
_POWER, _EXPRESS, _ADVANCED = 0x01, 0x10, 0x13
_STATE, _KEEPS, _D3 = 0x3, 0x8, 0x3
_FUNCTION_RESET = 1 << 28
#: Seconds that a device has to come back.
_D3_PAUSE, _BUS_PAUSE = 0.01, 0.2


def pciName(address: object) -> str:
    """Return what the kernel calls a device: C{0000:06:10.2}."""
    domain, bus, slot, function = (
        getattr(address, part, None) or 0 for part in ("domain", "bus", "slot", "function")
    )
    return f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}"


class PCIBus:
    """
    The devices of one host.

    @ivar sys: where C{/sys} is.
    """

    def __init__(self, sys: str = "/sys") -> None:
        self.sys = sys

    def _path(self, name: str, *parts: str) -> str:
        return os.path.join(self.sys, "bus/pci/devices", name, *parts)

    def exists(self, name: str) -> bool:
        """Whether there is such a device."""
        return os.path.isdir(self._path(name))

    def check(self, name: str) -> None:
        """
        Complain of a device that there is not.

        @raise VirtError: SYSTEM_ERROR.
        """
        path = self._path(name, "config")
        try:
            os.stat(path)
        except OSError as problem:
            detail = f"Device {name} not found: could not access {path}"
            raise systemError(problem, detail, _DOMAIN) from None

    # What belongs together

    def group(self, name: str) -> str | None:
        """
        Return the number of the group in which a device is isolated from others; None: it is not.

        @raise VirtError: the kernel says something else.
        """
        path = self._path(name, "iommu_group")
        try:
            return os.path.basename(os.readlink(path))
        except FileNotFoundError:
            return None
        except OSError:
            raise internal(
                f"Invalid device {name} iommu_group file {path} is not a symlink", _DOMAIN
            ) from None

    def members(self, name: str) -> list[str]:
        """Return the devices of a device's group, itself included."""
        try:
            return sorted(os.listdir(self._path(name, "iommu_group", "devices")))
        except OSError:
            return [name]

    def groupNode(self, name: str) -> str:
        """
        Return the file by which a guest gets at a device's group.

        @raise VirtError: it is in none.
        """
        found = self.group(name)
        if found is None:
            path = self._path(name, "iommu_group")
            raise internal(
                f"Invalid device {name} iommu_group file {path} is not a symlink", _DOMAIN
            )
        return f"/dev/vfio/{found}"

    # Functions of one device

    def physicalFunction(self, name: str) -> str | None:
        """Return the device of which this is a virtual function; None: it is none."""
        try:
            return os.path.basename(os.readlink(self._path(name, "physfn")))
        except OSError:
            return None

    def functionNumber(self, physical: str, name: str) -> int:
        """
        Return which of a device's virtual functions this is.

        @raise VirtError: it is none of them.
        """
        try:
            for each in os.listdir(self._path(physical)):
                if each.startswith("virtfn") and each[6:].isdigit():
                    link = os.readlink(self._path(physical, each))
                    if os.path.basename(link) == name:
                        return int(each[6:])
        except OSError:
            pass  # all of them are just going
        raise internal(f"{name} is no virtual function of {physical}", _DOMAIN)

    def netName(self, name: str) -> str | None:
        """Return what the network device is called that a device is; None: it is none now."""
        try:
            names = sorted(os.listdir(self._path(name, "net")))
        except OSError:
            return None
        return names[0] if names else None

    # Drivers

    def hasDriver(self, driver: str) -> bool:
        """Whether the kernel has a driver."""
        return os.path.isdir(os.path.join(self.sys, "bus/pci/drivers", driver))

    def driver(self, name: str) -> str | None:
        """Return what drives a device, None: nothing does."""
        try:
            return os.path.basename(os.readlink(self._path(name, "driver")))
        except OSError:
            return None

    def override(self, name: str, driver: str) -> None:
        """
        Have a driver take a device.

        @param driver: its name; a newline: the one that is meant for it.
        @raise VirtError: the kernel does not let us.
        """
        detail = (
            f"Failed to add driver '{driver}' to driver_override  interface of PCI device '{name}'"
        )
        self._write(self._path(name, "driver_override"), driver, detail)
        now = self.driver(name)
        unbind = self._path(name, "driver", "unbind")
        if now is not None and os.path.exists(unbind):
            self._write(unbind, name, f"Failed to unbind PCI device '{name}' from {now}")
        self._write(
            os.path.join(self.sys, "bus/pci/drivers_probe"),
            name,
            f"Failed to trigger a probe for PCI device '{name}'",
        )

    def _write(self, path: str, text: str, detail: str) -> None:
        try:
            with open(path, "r+b", buffering=0) as file:
                file.truncate(0)
                file.write(text.encode())
        except OSError as problem:
            raise systemError(problem, detail, _DOMAIN) from None

    # Configuration

    def headerType(self, name: str) -> int:
        """
        Return what kind of device it is: 0 for what ends a bus.

        @raise VirtError: it cannot be read.
        """
        return self._read(name, _HEADER, 1)[0] & 0x7F

    def _read(self, name: str, offset: int, size: int) -> bytes:
        path = self._path(name, "config")
        try:
            with open(path, "rb", buffering=0) as file:
                file.seek(offset)
                found = file.read(size)
        except OSError as problem:
            raise systemError(
                problem, f"Failed to open config space file '{path}'", _DOMAIN
            ) from None
        if len(found) < size:
            raise internal(f"Failed to read PCI config space for {name}", _DOMAIN)
        return found

    def _number(self, name: str, offset: int, size: int) -> int:
        return int.from_bytes(self._read(name, offset, size), "little")

    def _put(self, name: str, offset: int, data: bytes) -> None:
        path = self._path(name, "config")
        try:
            with open(path, "r+b", buffering=0) as file:
                file.seek(offset)
                file.write(data)
        except OSError as problem:
            raise systemError(
                problem, f"Failed to open config space file '{path}'", _DOMAIN
            ) from None

    def _capability(self, name: str, wanted: int) -> int | None:
        """Return where a device tells of one thing that it can do; None: it cannot."""
        if not self._number(name, _STATUS, 2) & _STATUS_LISTS:
            return None
        place = self._number(name, _CAPABILITIES, 1) & 0xFC
        # As many as there is room for: a list may bite its tail.
        for _ in range(48):
            if place < 0x40:
                return None
            kind, following = self._read(name, place, 2)
            if kind == wanted:
                return place
            place = following & 0xFC
        return None

    def _resetsItself(self, name: str) -> bool:
        """Whether a device is reset, as one function, by who opens it."""
        place = self._capability(name, _EXPRESS)
        if place is not None and self._number(name, place + 4, 4) & _FUNCTION_RESET:
            return True
        place = self._capability(name, _ADVANCED)
        if place is not None and self._number(name, place + 3, 1) & 0x2:
            return True
        # Every virtual function can, though some do not say so.
        return self.physicalFunction(name) is not None

    def reset(self, name: str, unused: frozenset[str]) -> None:
        """
        Reset a device that no guest has.

        @param unused: devices that are kept for guests; a bus of which others are used is not reset.
        @raise VirtError: it cannot be reset.
        """
        if self.driver(name) == "vfio-pci":
            # Whoever opens it resets it.
            return
        self.check(name)
        if self._resetsItself(name):
            return
        power = self._capability(name, _POWER)
        if power is not None and not self._number(name, power + 4, 2) & _KEEPS:
            self._powerCycle(name, power + 4)
            return
        why = "no FLR, PM reset or bus reset available"
        if not name[5:].startswith("00:"):
            try:
                self._resetBus(name, unused)
                return
            except VirtError as error:
                why = str(error)
        raise internal(f"Unable to reset PCI device {name}: {why}", _DOMAIN)

    def _powerCycle(self, name: str, place: int) -> None:
        kept = self._read(name, 0, 64)
        control = self._number(name, place, 2) & ~_STATE
        self._put(name, place, (control | _D3).to_bytes(2, "little"))
        time.sleep(_D3_PAUSE)
        self._put(name, place, control.to_bytes(2, "little"))
        time.sleep(_D3_PAUSE)
        self._put(name, 0, kept)

    def _resetBus(self, name: str, unused: frozenset[str]) -> None:
        bus = name[:7]
        for each in sorted(os.listdir(os.path.dirname(self._path(name)))):
            if each[:7] == bus and each != name and each not in unused:
                raise internal(
                    f"Active {each} devices on bus with {name}, not doing bus reset", _DOMAIN
                )
        parent = self._parent(name)
        if parent is None:
            raise internal(f"Failed to find parent device for {name}", _DOMAIN)
        kept = self._read(name, 0, 64)
        control = self._number(parent, _BRIDGE_CONTROL, 2)
        self._put(parent, _BRIDGE_CONTROL, (control | _BRIDGE_RESET).to_bytes(2, "little"))
        time.sleep(_BUS_PAUSE)
        self._put(parent, _BRIDGE_CONTROL, control.to_bytes(2, "little"))
        time.sleep(_BUS_PAUSE)
        self._put(name, 0, kept)

    def _parent(self, name: str) -> str | None:
        """Return the bridge that a device is behind, the nearest one if there are several."""
        found: tuple[int, str] | None = None
        bus = int(name[5:7], 16)
        for each in sorted(os.listdir(os.path.dirname(self._path(name)))):
            try:
                if each[:5] != name[:5] or self._number(each, _CLASS, 2) != _BRIDGE_CLASS:
                    continue
                first, last = self._read(each, _SECONDARY, 2)
            except VirtError:
                continue
            if first == bus:
                return each
            if first < bus <= last and (found is None or first > found[0]):
                found = (first, each)
        return None if found is None else found[1]
