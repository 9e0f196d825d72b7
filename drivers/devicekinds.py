"""
The kinds of devices that domains have: where definitions keep them, and what messages call them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyvirt.definitions.domain import DomainDefinition

__all__ = ["KINDS", "everyDevice", "label"]

#: For each attribute of the devices: what XML calls such a device, and how its name begins.
KINDS: dict[str, tuple[str, str]] = {
    "disks": ("disk", "disk"),
    "controllers": ("controller", ""),
    "leases": ("lease", ""),
    "filesystems": ("filesystem", "fs"),
    "interfaces": ("interface", "net"),
    "smartcards": ("smartcard", "smartcard"),
    "serials": ("serial", "serial"),
    "parallels": ("parallel", "parallel"),
    "consoles": ("console", "console"),
    "channels": ("channel", "channel"),
    "inputs": ("input", "input"),
    "tpms": ("tpm", "tpm"),
    "graphics": ("graphics", "graphics"),
    "sounds": ("sound", "sound"),
    "audios": ("audio", "audio"),
    "videos": ("video", "video"),
    "hostdevs": ("hostdev", "hostdev"),
    "redirdevs": ("redirdev", "redir"),
    "hubs": ("hub", "hub"),
    "watchdogs": ("watchdog", "watchdog"),
    "memballoon": ("memballoon", "balloon"),
    "rngs": ("rng", "rng"),
    "nvram": ("nvram", "nvram"),
    "panics": ("panic", "panic"),
    "shmems": ("shmem", "shmem"),
    "memories": ("memory", "dimm"),
    "iommu": ("iommu", "iommu"),
    "vsock": ("vsock", "vsock"),
}


def label(kind: str) -> str:
    """Return what messages call a device, by the attribute that keeps it."""
    return "chr" if kind in ("serials", "parallels", "consoles", "channels") else KINDS[kind][0]


def everyDevice(definition: DomainDefinition) -> Iterator[tuple[str, int, Any]]:
    """Go through all devices: the attribute that keeps them, their place there, the device."""
    devices = definition.devices
    for kind in KINDS:
        kept = getattr(devices, kind)
        if isinstance(kept, tuple):
            for place, device in enumerate(kept):
                yield kind, place, device
        elif kept is not None:
            yield kind, 0, kept
