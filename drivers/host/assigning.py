"""
PCI devices for guests, as the administrator sees them: which drivers there are for them; and who keeps them on this host.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pyvirt.drivers.assigned.keeper import AssignedDevices
from pyvirt.drivers.assigned.netconfig import FunctionKeeper
from pyvirt.drivers.assigned.pci import PCIBus
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["HostAssignedDevices", "checkDriver"]


class HostAssignedDevices(AssignedDevices):
    """The devices of this host that guests have, or that are kept for them."""

    def __init__(self, host: Host) -> None:
        bus = PCIBus()
        folder = os.path.join(host.layout.run, "hostdevmgr")
        super().__init__(
            processes=host.processes,
            thread=host.thread,
            functions=FunctionKeeper(bus, folder),
            bus=bus,
        )


def checkDriver(name: str | None) -> None:
    """
    Refuse drivers that there are not.

    @param name: the driver for guests' devices, None: any.
    @raise VirtError: it is not there, or is none.
    """
    if name == "kvm":
        raise virtError(
            ErrorCode.ARGUMENT_UNSUPPORTED,
            "KVM device assignment is no longer supported on this system",
            ErrorDomain.QEMU,
        )
    if name not in (None, "vfio"):
        raise virtError(ErrorCode.INVALID_ARG, f"unknown driver name '{name}'", ErrorDomain.QEMU)
    try:
        groups = os.listdir("/sys/kernel/iommu_groups")
    except OSError:
        groups = []
    if not groups or not os.path.exists("/dev/vfio/vfio"):
        raise virtError(
            ErrorCode.ARGUMENT_UNSUPPORTED,
            "VFIO device assignment is currently not supported on this system",
            ErrorDomain.QEMU,
        )
