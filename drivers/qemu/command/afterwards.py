"""
What QEMU is told before a guest's CPUs run, because the command line has no words for it.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain._top import DomainDefinition

__all__ = ["LIMITS", "afterwards", "deviceId", "throttle"]

#: Limits of throughput: as definitions call them, and as the monitor does.
LIMITS = (
    ("total_bytes_sec", "bps"),
    ("read_bytes_sec", "bps_rd"),
    ("write_bytes_sec", "bps_wr"),
    ("total_iops_sec", "iops"),
    ("read_iops_sec", "iops_rd"),
    ("write_iops_sec", "iops_wr"),
)


def throttle(disk: Any, limits: Any) -> dict[str, Any]:
    """
    Return the arguments of C{block_set_io_throttle} for a disk.

    @param limits: an C{IOTune}; what it does not say is no limit.
    """
    found: dict[str, Any] = {"id": deviceId(disk)}
    for name, key in LIMITS:
        found[key] = getattr(limits, name) or 0
    for name, key in LIMITS:
        value = getattr(limits, f"{name}_max")
        if value:
            found[f"{key}_max"] = value
    if limits.size_iops_sec:
        found["iops_size"] = limits.size_iops_sec
    for name, key in LIMITS:
        value = getattr(limits, f"{name}_max_length")
        if value:
            found[f"{key}_max_length"] = value
    if limits.group_name is not None:
        found["group"] = limits.group_name
    return found


def deviceId(disk: Any) -> str:
    """Return what the monitor calls a disk: of virtio disks it is the part that does the work."""
    if disk.target.bus == "virtio":
        return f"/machine/peripheral/{disk.alias}/virtio-backend"
    return str(disk.alias)


def afterwards(definition: DomainDefinition) -> list[tuple[str, dict[str, Any]]]:
    """
    Return the commands of the monitor that make a started guest what its definition says.

    @param definition: of the running guest: devices have their aliases.
    """
    found: list[tuple[str, dict[str, Any]]] = []
    found += [
        ("set_link", {"name": nic.alias, "up": False})
        for nic in definition.devices.interfaces
        if nic.linkState == "down"
    ]
    for disk in definition.devices.disks:
        limits = disk.iotune
        if limits is None or disk.source is None or disk.source.isEmpty:
            continue
        if any(getattr(limits, name) or getattr(limits, f"{name}_max") for name, _ in LIMITS):
            found.append(("block_set_io_throttle", throttle(disk, limits)))
    return found
