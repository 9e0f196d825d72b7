"""
The steps of completing a definition, for drivers that take some of them and have others of their own.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyvirt.definitions.domain._address import DriveAddress
from pyvirt.definitions.domain._complete import (
    Random,
    checkNumbers,
    diskIndex,
    randomMAC,
    randomUUID,
)
from pyvirt.definitions.domain._complete import _bootOrder as checkBootOrder
from pyvirt.definitions.domain._complete import _bootsByDevice as bootsByDevice
from pyvirt.definitions.domain._complete import _consoles as consoles
from pyvirt.definitions.domain._complete import _hostdevs as hostdevs
from pyvirt.definitions.domain._complete import _memory as memory
from pyvirt.definitions.domain._complete import _numbered as numbered
from pyvirt.definitions.domain._complete import _onBus as onBus
from pyvirt.definitions.domain._complete import _placed as placed
from pyvirt.definitions.domain._complete import _port as virtualPort
from pyvirt.definitions.domain._complete import _power as nextPower
from pyvirt.definitions.domain._complete import _processors as processors
from pyvirt.definitions.domain._complete import _smartcards as smartcards
from pyvirt.definitions.domain._complete import _sortedDisks as sortedDisks
from pyvirt.definitions.domain._complete import _threads as threads
from pyvirt.definitions.domain._controller import Controller, insertController
from pyvirt.definitions.domain._hostdev import HostDev
from pyvirt.definitions.schema import replaced

__all__ = [
    "Random",
    "bootsByDevice",
    "checkBootOrder",
    "checkNumbers",
    "consoles",
    "diskIndex",
    "hostdevs",
    "insertController",
    "memory",
    "nextPower",
    "numbered",
    "numberedControllers",
    "onBus",
    "placed",
    "processors",
    "randomMAC",
    "randomUUID",
    "smartcards",
    "sortedDisks",
    "threads",
    "virtualPort",
]


#: The parts of a USB 2 controller that share one number.
_USB2 = ("ich9-ehci1", "ich9-uhci1", "ich9-uhci2", "ich9-uhci3")


def _sharedIndex(controller: Controller, done: list[Controller]) -> int | None:
    """Return the number of the USB 2 controller that a companion belongs to."""
    if controller.type != "usb" or controller.model not in _USB2:
        return None
    for other in reversed(done):
        if other.type == "usb" and other.model in _USB2:
            same = [each.model for each in done if each.type == "usb" and each.index == other.index]
            if controller.model not in same:
                return other.index
            return None
    return None


def numberedControllers(
    given: Iterable[Controller], hosts: Iterable[HostDev] = ()
) -> tuple[Controller, ...]:
    """
    Put controllers of one type into the order of their numbers; give numbers to those without.

    @param hosts: devices of the host, which may need SCSI controllers.
    """
    controllers: list[Controller] = []
    for controller in given:
        insertController(controllers, controller)
    for host in hosts:
        if host.type == "scsi" and isinstance(host.address, DriveAddress):
            there = {each.index for each in controllers if each.type == "scsi"}
            controllers.extend(
                Controller(type="scsi", index=index)
                for index in range(min(host.address.controller, 1024) + 1)
                if index not in there
            )
    used = {(other.type, other.index) for other in controllers}
    done: list[Controller] = []
    for controller in controllers:
        if controller.index is None:
            index = 0
            shared = _sharedIndex(controller, done)
            if shared is not None:
                done.append(replaced(controller, index=shared))
                continue
            while (controller.type, index) in used:
                index += 1
            used.add((controller.type, index))
            controller = replaced(controller, index=index)
        done.append(controller)
    return tuple(done)
