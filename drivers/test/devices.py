"""
Finding devices of a domain by what callers name them with.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain import DomainDefinition, diskOf, pathOf
from pyvirt.drivers.test.refusals import invalidArgument
from pyvirt.errors import ErrorDomain

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
        raise invalidArgument(f"'{device}' is not a known interface", ErrorDomain.DOMAIN)
    if len(found) > 1:
        raise invalidArgument(f"multiple interfaces matching '{device}' found", ErrorDomain.DOMAIN)
    return found[0]
