"""
Virtual ports of fibre channel adapters: SCSI hosts that are made by writing two names into C{/sys}.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from pyvirt.definitions.nodecaps import SCSIHost
from pyvirt.definitions.nodedev import NodeDeviceDefinition, hostOf
from pyvirt.drivers.refusals import internal
from pyvirt.errors import ErrorCode, ErrorDomain, virtError
from pyvirt.process import systemError

__all__ = ["create", "delete", "named", "parentOf", "portOf"]

_DOMAIN = ErrorDomain.NODEDEV
_Found = Mapping[str, NodeDeviceDefinition]


def named(devices: _Found, wwnn: str, wwpn: str) -> str | None:
    """Return the name of the SCSI host whose port has these names, None: there is none."""
    for name, device in devices.items():
        host = hostOf(device)
        fc = None if host is None else host.fc
        if fc is not None and (fc.wwnn, fc.wwpn) == (wwnn, wwpn):
            return name
    return None


def portOf(device: NodeDeviceDefinition, host: SCSIHost, devices: _Found) -> tuple[int, str, str]:
    """
    Return the number of the SCSI host on which a virtual port is to be made, and the names of the port.

    @raise VirtError: it is no virtual port, or there is no host that can have it.
    """
    if host.fc is None:
        raise internal("Device is not a fibre channel HBA", _DOMAIN)
    wwnn, wwpn = host.fc.wwnn or "", host.fc.wwpn or ""
    if device.parent is not None:
        parent = devices.get(device.parent)
        if parent is None:
            raise internal("Could not find parent device for 'new device'", _DOMAIN)
        able = hostOf(parent)
        if able is None or able.ports is None:
            raise internal(
                f"Parent device {device.parent} is not capable of vport operations", _DOMAIN
            )
        return able.host, wwnn, wwpn
    for each in devices.values():
        able = hostOf(each)
        if able is None or able.ports is None or able.fc is None:
            continue
        own = able.fc.wwnn, able.fc.wwpn, able.fc.fabric
        if all(
            wanted is None or wanted == value
            for wanted, value in zip(device.parentNames, own, strict=True)
        ):
            return able.host, wwnn, wwpn
    if any(device.parentNames):
        raise internal("Could not find parent device for 'new device'", _DOMAIN)
    raise internal("Could not find any vport capable device", _DOMAIN)


def parentOf(device: NodeDeviceDefinition, host: SCSIHost, devices: _Found) -> tuple[int, str, str]:
    """
    Return the number of the SCSI host that a virtual port is on, and the names of the port.

    @raise VirtError: it is no virtual port.
    """
    if host.fc is None:
        raise internal("Device is not a fibre channel HBA", _DOMAIN)
    parent = devices.get(device.parent or "")
    able = None if parent is None else hostOf(parent)
    if able is None:
        raise internal(f"Invalid adapter name '{device.parent}' for SCSI pool", ErrorDomain.NONE)
    return able.host, host.fc.wwnn or "", host.fc.wwpn or ""


def create(host: int, wwnn: str, wwpn: str) -> None:
    """Make a virtual port on a SCSI host; for a thread."""
    _write(host, "vport_create", wwnn, wwpn)


def delete(host: int, wwnn: str, wwpn: str) -> None:
    """Remove a virtual port from a SCSI host; for a thread."""
    _write(host, "vport_delete", wwnn, wwpn)


def _write(host: int, operation: str, wwnn: str, wwpn: str) -> None:
    for kind in ("fc_host", "scsi_host"):
        path = f"/sys/class/{kind}/host{host}/{operation}"
        if os.path.exists(path):
            break
    else:
        raise virtError(
            ErrorCode.OPERATION_INVALID,
            f"vport operation '{operation}' is not supported for host{host}",
            ErrorDomain.NONE,
        )
    try:
        with open(path, "w") as file:
            file.write(f"{wwpn}:{wwnn}")
    except OSError as problem:
        what = f"Write of '{wwpn}:{wwnn}' to '{path}' during vport create/delete failed"
        raise systemError(problem, what, ErrorDomain.NONE) from None
