"""
Finding devices of a domain by what callers name them with.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain._top import DomainDefinition

__all__ = ["diskOf", "pathOf"]


def diskOf(definition: DomainDefinition, path: str) -> Any | None:
    """Find the disk that a name such as C{vda} or the path of an image means, None if there is none."""
    disks = definition.devices.disks
    for disk in disks:
        if disk.target is not None and disk.target.dev == path:
            return disk
    if path.startswith("/"):
        for disk in disks:
            if pathOf(disk) == path:
                return disk
    return None


def pathOf(disk: Any) -> str | None:
    """Return where on the host the image of a disk is, if it is a file, a device or a folder."""
    source = disk.source
    for name in ("file", "dev", "dir"):
        path: str | None = getattr(source, name, None)
        if path is not None:
            return path
    return None
