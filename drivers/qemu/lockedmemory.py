"""
How much memory QEMU may lock, so that none of it is swapped out: what devices of the host reach by themselves has to be.

Source: errors of libvirtd 9.0.0 where it may not set the limit; vfio(4) in the kernel's documentation.
"""

from __future__ import annotations

import os
import resource

from pyvirt.definitions.domain import DomainDefinition
from pyvirt.drivers.qemu.cgrouplimits import UNLIMITED
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.passed import nvmeSources, passedDevices, usesVFIO
from pyvirt.drivers.qemu.refusals import internal, systemFailure
from pyvirt.errors import ErrorDomain

__all__ = ["checkLockLimit", "lockLimit", "moveLockLimit", "setLockLimit"]

#: What devices map beside the guest's memory, in KiB.
_MORE = 1 << 20


def lockLimit(definition: DomainDefinition) -> int | None:
    """Return how much a guest's QEMU may lock, in bytes; None: as much as any process of its user."""
    hard = definition.memtune.hardLimit if definition.memtune is not None else None
    if hard is not None and hard != UNLIMITED:
        return hard << 10
    if definition.memoryBacking is not None and definition.memoryBacking.locked:
        return UNLIMITED
    ways = sum(nic.type == "vdpa" for nic in definition.devices.interfaces)
    handed = sum(map(usesVFIO, passedDevices(definition))) + len(nvmeSources(definition))
    # Behind a unit that translates addresses each device has a view of its own.
    ways += handed if definition.devices.iommu is not None else bool(handed)
    return (int(definition.memory.amount) * ways + _MORE) << 10 if ways else None


def checkLockLimit(definition: DomainDefinition) -> None:
    """
    See to it that a guest can be started with its limit.

    @raise VirtError: the system does not let us.
    """
    size = lockLimit(definition)
    if size is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if hard != resource.RLIM_INFINITY and size > hard:
        # Whoever may not do that for itself may not do it for the guest.
        try:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (soft, size))
        except (OSError, OverflowError, ValueError):
            raise internal(
                "Process exited prior to exec: libvirt:  error : cannot limit locked memory of "
                f"process {os.getpid()} to {size}: Operation not permitted"
            ) from None
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (soft, hard))


def setLockLimit(pid: int, size: int) -> tuple[int, int]:
    """
    Let a process lock so many bytes.

    @return: what the limits were.
    @raise VirtError: the system does not allow that.
    """
    limit = resource.RLIM_INFINITY if size == UNLIMITED else size
    try:
        return resource.prlimit(pid, resource.RLIMIT_MEMLOCK, (limit, limit))
    except OSError as problem:
        detail = f"cannot limit locked memory of process {pid} to {size}"
        raise systemFailure(problem, detail, ErrorDomain.NONE) from None


def moveLockLimit(guest: Guest, definition: DomainDefinition) -> None:
    """
    Let a guest that runs lock what it may once it is as defined.

    @raise VirtError: the system does not allow that.
    """
    size = lockLimit(definition)
    if size is None:
        size, guest.lockedBefore = guest.lockedBefore, None
        if size is not None:
            setLockLimit(guest.pid, size)
        return
    try:
        soft, _ = resource.prlimit(guest.pid, resource.RLIMIT_MEMLOCK)
    except OSError:
        return  # it is gone
    if soft != size:
        setLockLimit(guest.pid, size)
        if guest.lockedBefore is None:
            guest.lockedBefore = soft
