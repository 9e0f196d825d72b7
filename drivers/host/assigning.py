"""
PCI devices for guests: taken from the host's drivers for C{vfio-pci}, given back, and reset.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pyvirt.drivers.host.running import found, run
from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.process import systemError

if TYPE_CHECKING:
    from pyvirt.drivers.host.host import Host

__all__ = ["checkDriver", "detach", "reattach", "reset"]

_PCI = "/sys/bus/pci"
_STUB = "vfio-pci"


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


def _driver(address: str) -> str | None:
    try:
        return os.path.basename(os.readlink(f"{_PCI}/devices/{address}/driver"))
    except OSError:
        return None


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w") as file:
            file.write(text)
    except OSError as problem:
        raise systemError(problem, f"Failed to write to '{path}'", ErrorDomain.NONE) from None


def _move(address: str, driver: str) -> None:
    """Have another driver take a device, empty: the one that is meant for it."""
    _write(f"{_PCI}/devices/{address}/driver_override", f"{driver}\n")
    if _driver(address) is not None:
        _write(f"{_PCI}/devices/{address}/driver/unbind", address)
    _write(f"{_PCI}/drivers_probe", address)


async def detach(host: Host, address: str) -> None:
    """
    Take a device from its driver.

    @raise VirtError: it does not let go of it.
    """
    if _driver(address) == _STUB:
        return
    if not os.path.isdir(f"{_PCI}/drivers/{_STUB}"):
        await run(host, found("/sbin/modprobe", "/usr/sbin/modprobe"), _STUB)
    await host.thread(_move, address, _STUB)


async def reattach(host: Host, address: str) -> None:
    """
    Give a device back to its driver; one that was not taken stays where it is.

    @raise VirtError: it cannot be given back.
    """
    if _driver(address) == _STUB:
        await host.thread(_move, address, "")


async def reset(host: Host, address: str) -> None:
    """
    Reset a device.

    @raise VirtError: it cannot be reset.
    """
    path = f"{_PCI}/devices/{address}/reset"
    if not os.path.exists(path):
        raise internal(
            f"Unable to reset PCI device {address}: no FLR, PM reset or bus reset available",
            ErrorDomain.NONE,
        )
    await host.thread(_write, path, "1")
