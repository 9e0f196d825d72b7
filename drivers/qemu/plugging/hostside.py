"""
What devices are made of on the host, looked for before a running guest gets them.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from pyvirt.drivers.qemu.blocks.chain import LAYERED, chain
from pyvirt.drivers.qemu.hostends import checkAccess
from pyvirt.drivers.qemu.plugging.kinds import CHARDEVS
from pyvirt.drivers.qemu.refusals import (
    internal,
    systemFailure,
)
from pyvirt.errors import ErrorDomain

__all__ = ["checkHost", "checkSource"]


def checkHost(kind: str, device: Any) -> None:
    """
    Look whether what a device is made of is there.

    @raise VirtError: it is not.
    """
    path = None
    if kind == "rngs" and device.backend.model == "random":
        path = device.backend.path
    elif kind == "memories" and device.model in ("nvdimm", "virtio-pmem"):
        path = device.source.path if device.source is not None else None
    elif kind == "inputs":
        path = getattr(device.source, "evdev", None) or getattr(device.source, "dev", None)
        if device.source is None and device.type == "passthrough":
            raise systemFailure(
                OSError(errno.EFAULT, os.strerror(errno.EFAULT)),
                "Path '(null)' is not accessible",
                ErrorDomain.CGROUP,
            )
    if path is not None:
        checkAccess(path)
    if kind in CHARDEVS:
        source = device.source
        client = source.type == "unix" and source.mode == "connect"
        if source.path is not None and (source.type in ("dev", "pipe") or client):
            try:
                os.stat(source.path)
            except OSError as problem:
                raise systemFailure(
                    problem, f"unable to stat: {source.path}", ErrorDomain.SECURITY
                ) from None
    if kind == "disks":
        checkSource(device)


def checkSource(disk: Any) -> None:
    """
    Look whether the image of a disk is there.

    @raise VirtError: it is not, or there is none.
    """
    source = disk.source
    if source is None or source.isEmpty:
        raise internal("argument key 'filename' must not have null value", ErrorDomain.NONE)
    path = getattr(source, "file", None) or getattr(source, "dev", None)
    if path and path.startswith("/") and getattr(source, "fdgroup", None) is None:
        try:
            os.stat(path)
        except OSError as problem:
            if chain(disk)[0].format in LAYERED:
                # Whoever looks into it says that it is not there.
                return
            detail = f"Cannot access storage file '{path}'"
            raise systemFailure(problem, detail, ErrorDomain.STORAGE) from None
