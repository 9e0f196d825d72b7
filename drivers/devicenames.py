"""
Finding devices of a domain by what callers name them with.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain import DomainDefinition, diskOf, pathOf
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["diskOf", "interfaceOf", "pathOf"]


def interfaceOf(definition: DomainDefinition, device: str) -> Any:
    """
    Find the interface that a hardware address or a name means.

    @raise VirtError: there is none, or there are several.
    """
    interfaces = definition.devices.interfaces
    wanted = device.lower()
    found = [
        interface
        for interface in interfaces
        if interface.mac is not None and (interface.mac.address or "").lower() == wanted
    ]
    if not found:
        found = [
            interface
            for interface in interfaces
            if interface.target is not None and interface.target.dev == device
        ]
    if not found:
        raise _refused(f"'{device}' is not a known interface")
    if len(found) > 1:
        raise _refused(f"multiple interfaces matching '{device}' found")
    return found[0]


def _refused(detail: str) -> VirtError:
    return virtError(ErrorCode.INVALID_ARG, detail, ErrorDomain.DOMAIN)
