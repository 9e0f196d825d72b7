"""
The steps of completing a definition, for drivers that take some of them and have others of their own.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyvirt.definitions.domain._address import DriveAddress
from pyvirt.definitions.domain._check import checkTimers, checkVideos
from pyvirt.definitions.domain._complete import (
    Random,
    checkNumbers,
    checkPanics,
    checkScheduled,
    diskIndex,
    randomMAC,
    randomUUID,
)
from pyvirt.definitions.domain._complete import _bootOrder as checkBootOrder
from pyvirt.definitions.domain._complete import _bootsByDevice as bootsByDevice
from pyvirt.definitions.domain._complete import _consoles as consoles
from pyvirt.definitions.domain._complete import _hostdevs as hostdevs
from pyvirt.definitions.domain._complete import _memory as memory
from pyvirt.definitions.domain._complete import _named as namedControllers
from pyvirt.definitions.domain._complete import _numbered as numbered
from pyvirt.definitions.domain._complete import _onBus as onBus
from pyvirt.definitions.domain._complete import _placed as placed
from pyvirt.definitions.domain._complete import _port as virtualPort
from pyvirt.definitions.domain._complete import _power as nextPower
from pyvirt.definitions.domain._complete import _processors as processors
from pyvirt.definitions.domain._complete import _smartcards as smartcards
from pyvirt.definitions.domain._complete import _sortedDisks as sortedDisks
from pyvirt.definitions.domain._complete import _threads as threads
from pyvirt.definitions.domain._controller import Controller, indexed, insertController
from pyvirt.definitions.domain._hostdev import HostDev

__all__ = [
    "Random",
    "bootsByDevice",
    "checkBootOrder",
    "checkNumbers",
    "checkPanics",
    "checkScheduled",
    "checkTimers",
    "checkVideos",
    "consoles",
    "diskIndex",
    "hostdevs",
    "insertController",
    "memory",
    "namedControllers",
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
    return tuple(indexed(controllers))
