"""
Mediated devices: parts of a device of the host that guests share, made and remembered by C{mdevctl}.

What is defined lies in C{mdevctl}'s folder, which others write to as well: it is asked again whenever something there
is newer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from pyvirt.definitions.nodecaps import CSS, Mdev, MdevAttribute
from pyvirt.definitions.nodedev import NodeDeviceDefinition
from pyvirt.definitions.nodepci import PCI
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.uuids import parseUUID
from pyvirt.drivers.assigned.pci import pciName
from pyvirt.drivers.host.running import run
from pyvirt.drivers.host.sysfsfiles import safe
from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError
from pyvirt.process import Finished

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = [
    "Defined",
    "MediatedDevices",
    "mdevOf",
    "parentAddress",
    "unsupportedDevice",
    "withSettings",
]

_DOMAIN = ErrorDomain.NODEDEV
_FOLDER = "/etc/mdevctl.d"


@attrs.frozen(kw_only=True)
class Defined:
    """
    A mediated device that is remembered.

    @ivar autostart: whether it is made when the host starts.
    """

    device: NodeDeviceDefinition
    autostart: bool


def mdevOf(device: NodeDeviceDefinition) -> Mdev | None:
    """Return what a device is as a mediated one, None if it is none."""
    first = device.capabilities[0]
    return first if isinstance(first, Mdev) else None


def parentAddress(parent: NodeDeviceDefinition) -> str | None:
    """Return what C{mdevctl} calls a device that can be shared, None: it cannot."""
    for each in parent.capabilities:
        if isinstance(each, PCI):
            return pciName(each)
        if isinstance(each, CSS):
            return f"{each.cssid:x}.{each.ssid:x}.{each.devno:04x}"
        if each.kind == "ap_matrix":
            return "matrix"
    return None


class MediatedDevices:
    """Asks C{mdevctl} and has it do things."""

    def __init__(self, host: Host, folder: str = _FOLDER) -> None:
        self._host = host
        self._folder = folder
        self._state: Any = ()
        self._defined: dict[str, Defined] = {}

    async def defined(self, active: Mapping[str, NodeDeviceDefinition]) -> dict[str, Defined]:
        """
        Return what is remembered, by name.

        @param active: all devices that there are, by name: parents are among them.
        """
        state = await self._host.thread(_stateOf, self._folder)
        if state != self._state:
            self._defined = {} if state is None else await self._list(active)
            self._state = state
        return self._defined

    async def _list(self, active: Mapping[str, NodeDeviceDefinition]) -> dict[str, Defined]:
        try:
            listed = await run(self._host, "mdevctl", "list", "--dumpjson", "--defined")
            said = json.loads(listed.output or b"[]")
            parents = {
                address: device.name
                for device in active.values()
                if (address := parentAddress(device)) is not None
            }
            found = {}
            for group in said:
                for address, devices in group.items():
                    for each in devices:
                        for uuid, config in each.items():
                            one = _read(uuid, address, parents.get(address, "computer"), config)
                            found[one.device.name] = one
            return found
        except (VirtError, ValueError, AttributeError, TypeError, KeyError):
            return {}

    async def define(self, device: Mdev, address: str) -> str:
        """
        Have a device remembered.

        @return: its UUID.
        @raise VirtError: C{mdevctl} does not want it.
        """
        done = await self._tell("define", *_newOf(device, address), input=_configOf(device))
        return device.uuid or done.output.decode(errors="replace").strip()

    async def create(self, device: Mdev, address: str) -> str:
        """
        Have a device made that is forgotten when it is gone.

        @return: its UUID.
        @raise VirtError: C{mdevctl} cannot make it.
        """
        done = await self._tell("start", *_newOf(device, address), input=_configOf(device))
        return device.uuid or done.output.decode(errors="replace").strip()

    async def start(self, device: Mdev) -> None:
        """Have a device made that is remembered."""
        await self._tell("start", f"--uuid={device.uuid}", what="create")

    async def stop(self, device: Mdev) -> None:
        """Have a device removed; what is remembered stays."""
        await self._tell("stop", f"--uuid={device.uuid}", what="destroy")

    async def undefine(self, device: Mdev) -> None:
        """Have a device forgotten."""
        await self._tell("undefine", f"--uuid={device.uuid}")

    async def setAutostart(self, device: Mdev, autostart: bool) -> None:
        """Have a remembered device made when the host starts, or not."""
        how = "--auto" if autostart else "--manual"
        await self._tell("modify", "--uuid", device.uuid or "", how, what="set autostart on")

    async def _tell(
        self, verb: str, *arguments: str, input: bytes = b"", what: str | None = None
    ) -> Finished:
        done = await run(self._host, "mdevctl", verb, *arguments, failing=False, input=input)
        if done.status:
            said = done.errors.decode(errors="replace")
            raise internal(f"Unable to {what or verb} mediated device: {said}", _DOMAIN)
        self._state = ()
        return done


def _stateOf(folder: str) -> tuple[tuple[str, int, int], ...] | None:
    """Return what changes with everything that happens in C{mdevctl}'s folder; None: there is none."""
    if not os.path.isdir(folder):
        return None
    found = []
    for place, _, names in os.walk(folder):
        for name in (".", *names):
            path = os.path.join(place, name)
            try:
                status = os.stat(path)
            except OSError:
                continue
            found.append((path, status.st_mtime_ns, status.st_size))
    return tuple(sorted(found))


def _read(uuid: str, address: str, parent: str, config: Mapping[str, Any]) -> Defined:
    if parseUUID(uuid) is None:
        raise ValueError(uuid)
    attributes = [
        MdevAttribute(name=str(name), value=str(value))
        for each in config.get("attrs") or ()
        for name, value in each.items()
    ]
    mdev = Mdev(
        type="mdev",
        typeID=str(config["mdev_type"]),
        uuid=uuid,
        parentAddress=address,
        iommuGroup=0,
        attributes=tuple(attributes),
    )
    name = f"mdev_{safe(uuid)}_{safe(address)}"
    device = NodeDeviceDefinition(name=name, parent=parent, capabilities=(mdev,))
    return Defined(device=device, autostart=config.get("start") == "auto")


def withSettings(device: NodeDeviceDefinition, defined: Defined | None) -> NodeDeviceDefinition:
    """Add what is remembered of the settings of a device, which the system does not tell."""
    mdev = mdevOf(device)
    kept = None if defined is None else mdevOf(defined.device)
    if mdev is None or kept is None or not kept.attributes:
        return device
    return replaced(device, capabilities=(replaced(mdev, attributes=kept.attributes),))


def _newOf(device: Mdev, address: str) -> list[str]:
    arguments = [f"--parent={address}", "--jsonfile=/dev/stdin"]
    if device.uuid is not None:
        arguments.append(f"--uuid={device.uuid}")
    return arguments


def _configOf(device: Mdev) -> bytes:
    config: dict[str, Any] = {"mdev_type": device.typeID, "start": "manual"}
    if device.attributes:
        config["attrs"] = [{each.name: each.value} for each in device.attributes]
    return json.dumps(config, separators=(",", ":"), ensure_ascii=False).encode()


def unsupportedDevice() -> VirtError:
    """Make the error of a device that is neither made nor removed."""
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, "Unsupported device type", _DOMAIN)
