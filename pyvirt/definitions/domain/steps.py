"""
The steps of completing a definition, for drivers that take some of them and have others of their own.
"""

from __future__ import annotations

from collections.abc import Iterable

from pyvirt.definitions.domain._address import DriveAddress
from pyvirt.definitions.domain._check import checkTimers
from pyvirt.definitions.domain._complete import (
    bootsByDevice,
    checkBootOrder,
    checkInit,
    checkPanics,
    memory,
    processors,
    threads,
)
from pyvirt.definitions.domain._completedevices import (
    consoles,
    diskIndex,
    hostdevs,
    namedControllers,
    nextPower,
    numbered,
    onBus,
    placed,
    randomMAC,
    smartcards,
    sortedDisks,
    virtualPort,
)
from pyvirt.definitions.domain._controller import Controller, indexed, insertController
from pyvirt.definitions.domain._hostdev import HostDev
from pyvirt.definitions.uuids import Random, randomUUID

__all__ = [
    "Random",
    "bootsByDevice",
    "checkBootOrder",
    "checkInit",
    "checkPanics",
    "checkTimers",
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
