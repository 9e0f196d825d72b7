"""
A device by itself, as XML describes it: what it leaves open is filled in, and it is looked at, before anything is asked
about the domain that it is for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pyvirt.definitions.domain import DomainDefinition, parseDevice, steps
from pyvirt.definitions.domain._checkdevices import checkDevice
from pyvirt.definitions.domain._top import Devices
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.qemu.defaults import completeDevices
from pyvirt.drivers.qemu.validatedevices import deviceCheck

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.capabilities import BinaryCapabilities

__all__ = ["checkAlone", "completedAlone", "parsed"]

Random = Callable[[int], bytes]


def parsed(xml: str) -> tuple[str, Any]:
    """
    Read a device.

    @return: the attribute that keeps such devices, and the device.
    @raise VirtError: it cannot be read.
    """
    kind, device = parseDevice(xml)
    return kind, steps.onBus(device) if kind == "disks" and device.target is not None else device


def completedAlone(
    definition: DomainDefinition,
    kind: str,
    device: Any,
    capabilities: BinaryCapabilities,
    random: Random,
) -> Any:
    """
    Fill in what a device leaves open, by what kind of machine it is for.

    @param definition: the domain that it is for, of which no device matters.
    @raise VirtError: such a device cannot be.
    """
    if kind == "smartcards":
        # libvirt looks at the address before it gives one.
        return device
    tuples = isinstance(getattr(definition.devices, kind), tuple)
    devices = replaced(Devices(), **{kind: (device,) if tuples else device})
    completed = completeDevices(replaced(definition, devices=devices), capabilities, random)
    kept = getattr(completed.devices, kind)
    found = kept[0] if tuples else kept
    if kind == "videos":
        # It is the first of a domain only there.
        found = replaced(found, model=replaced(found.model, primary=device.model.primary))
    return found


def checkAlone(
    definition: DomainDefinition,
    kind: str,
    device: Any,
    capabilities: BinaryCapabilities,
    random: Random,
    settings: Any,
) -> None:
    """
    Check a device as one is checked that is defined.

    @param definition: the domain that it is for, without it.
    @param settings: keys of qemu.conf.
    @raise VirtError: it makes no sense.
    """
    device = completedAlone(definition, kind, device, capabilities, random)
    checkDevice(kind, device, definition, deviceCheck(definition, capabilities, settings))
