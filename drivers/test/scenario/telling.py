"""
The events that a scenario can have told, by name, with details that make sense where none are given.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pyvirt import constants as c
from pyvirt.drivers.interfaces.events import EventKind
from pyvirt.drivers.interfaces.values import TypedParam
from pyvirt.drivers.test.scenario.values import wrong

__all__ = ["Told", "told"]


class Told(NamedTuple):
    """An event without its object: what kind of object it is about, which one it is, its details."""

    kind: EventKind
    id: int
    details: tuple[Any, ...]


#: The events of domains: what they are called here, the constant's name, details in wire order.
_DOMAIN: dict[str, tuple[str, tuple[Any, ...]]] = {
    "reboot": ("REBOOT", ()),
    "rtc-change": ("RTC_CHANGE", (0,)),
    "watchdog": ("WATCHDOG", (c.VIR_DOMAIN_EVENT_WATCHDOG_RESET,)),
    "io-error": ("IO_ERROR", ("/guest/disk", "virtio-disk0", c.VIR_DOMAIN_EVENT_IO_ERROR_REPORT)),
    "io-error-reason": (
        "IO_ERROR_REASON",
        ("/guest/disk", "virtio-disk0", c.VIR_DOMAIN_EVENT_IO_ERROR_REPORT, "enospc"),
    ),
    "control-error": ("CONTROL_ERROR", ()),
    "block-job": ("BLOCK_JOB", ("/guest/disk", c.VIR_DOMAIN_BLOCK_JOB_TYPE_PULL, 0)),
    "block-job-2": ("BLOCK_JOB_2", ("vda", c.VIR_DOMAIN_BLOCK_JOB_TYPE_PULL, 0)),
    "disk-change": ("DISK_CHANGE", ("/guest/disk", None, "virtio-disk0", 0)),
    "tray-change": ("TRAY_CHANGE", ("ide0-1-0", c.VIR_DOMAIN_EVENT_TRAY_CHANGE_OPEN)),
    "pmwakeup": ("PMWAKEUP", (0,)),
    "pmsuspend": ("PMSUSPEND", (0,)),
    "pmsuspend-disk": ("PMSUSPEND_DISK", (0,)),
    "balloon-change": ("BALLOON_CHANGE", (524288,)),
    "device-removed": ("DEVICE_REMOVED", ("net0",)),
    "device-added": ("DEVICE_ADDED", ("net0",)),
    "device-removal-failed": ("DEVICE_REMOVAL_FAILED", ("net0",)),
    "tunable": ("TUNABLE", ([TypedParam("cputune.vcpupin0", c.VIR_TYPED_PARAM_STRING, "0-1")],)),
    "agent-lifecycle": ("AGENT_LIFECYCLE", (1, 1)),
    "migration-iteration": ("MIGRATION_ITERATION", (1,)),
    "metadata-change": ("METADATA_CHANGE", (c.VIR_DOMAIN_METADATA_TITLE, None)),
    "block-threshold": ("BLOCK_THRESHOLD", ("vda", "/guest/disk", 1 << 30, 1 << 20)),
    "memory-failure": ("MEMORY_FAILURE", (0, 0, 0)),
    "memory-device-size-change": ("MEMORY_DEVICE_SIZE_CHANGE", ("ua-memory0", 524288)),
}

#: The events of others: name, kind, number, what the constants of its lifecycle begin with.
_OTHER: dict[str, tuple[EventKind, int, str | None]] = {
    "lifecycle": (EventKind.DOMAIN, c.VIR_DOMAIN_EVENT_ID_LIFECYCLE, "VIR_DOMAIN_EVENT_"),
    "network-lifecycle": (
        EventKind.NETWORK,
        c.VIR_NETWORK_EVENT_ID_LIFECYCLE,
        "VIR_NETWORK_EVENT_",
    ),
    "pool-lifecycle": (
        EventKind.STORAGE_POOL,
        c.VIR_STORAGE_POOL_EVENT_ID_LIFECYCLE,
        "VIR_STORAGE_POOL_EVENT_",
    ),
    "pool-refresh": (EventKind.STORAGE_POOL, c.VIR_STORAGE_POOL_EVENT_ID_REFRESH, None),
    "device-lifecycle": (
        EventKind.NODE_DEVICE,
        c.VIR_NODE_DEVICE_EVENT_ID_LIFECYCLE,
        "VIR_NODE_DEVICE_EVENT_",
    ),
    "device-update": (EventKind.NODE_DEVICE, c.VIR_NODE_DEVICE_EVENT_ID_UPDATE, None),
}

_LIFECYCLE = ("defined", "undefined", "started", "suspended", "resumed", "stopped", "shutdown")
_DOMAIN_LIFECYCLE = (*_LIFECYCLE, "pmsuspended", "crashed")
_STAGES = {
    "lifecycle": _DOMAIN_LIFECYCLE,
    "network-lifecycle": ("defined", "undefined", "started", "stopped"),
    "pool-lifecycle": ("defined", "undefined", "started", "stopped", "created", "deleted"),
    "device-lifecycle": ("created", "deleted", "defined", "undefined"),
}


def told(where: str, text: str) -> Told:
    """
    Read an event: C{NAME}, C{lifecycle:STAGE} or C{lifecycle:STAGE:DETAIL}, in the words of the constants.

    @raise VirtError: there is no such event.
    """
    name, *parts = text.lower().replace("_", "-").split(":")
    if name in _DOMAIN:
        if parts:
            raise wrong(where, f"'{name}' takes no further words")
        constant, details = _DOMAIN[name]
        return Told(EventKind.DOMAIN, getattr(c, f"VIR_DOMAIN_EVENT_ID_{constant}"), details)
    if name not in _OTHER:
        known = ", ".join(sorted([*_DOMAIN, *_OTHER]))
        raise wrong(where, f"there is no event '{name}'; there are {known}")
    kind, number, prefix = _OTHER[name]
    if prefix is None:
        if parts:
            raise wrong(where, f"'{name}' takes no further words")
        return Told(kind, number, ())
    stages = _STAGES[name]
    if not 1 <= len(parts) <= 2 or parts[0] not in stages:
        raise wrong(where, f"'{text}': write {name}:STAGE with one of {', '.join(stages)}")
    stage = prefix + parts[0].upper()
    detail = 0
    if len(parts) == 2:
        wanted = f"{stage}_{parts[1].upper().replace('-', '_')}"
        found = getattr(c, wanted, None)
        if name != "lifecycle" or found is None:
            raise wrong(where, f"'{text}': there is no {wanted}")
        detail = found
    return Told(kind, number, (getattr(c, stage), detail))
