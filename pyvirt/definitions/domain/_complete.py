"""
What libvirt's test driver adds to a definition when it is defined.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from pyvirt.definitions.domain._chardev import CharSource, Console, Target
from pyvirt.definitions.domain._controller import Controller
from pyvirt.definitions.domain._net import MAC
from pyvirt.definitions.domain._top import DomainDefinition
from pyvirt.definitions.kinds import unsupported, xmlError
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["completed"]


def completed(definition: DomainDefinition, *, random: Callable[[int], bytes]) -> DomainDefinition:
    """
    Fill in what the definition leaves open, as the test driver does.

    @param random: C{(count)} to that many random bytes, for UUIDs and MAC addresses.
    """
    changes: dict[str, Any] = {}
    if definition.uuid is None:
        value = bytearray(random(16))
        value[6] = value[6] & 0x0F | 0x40
        value[8] = value[8] & 0x3F | 0x80
        changes["uuid"] = bytes(value)
    if definition.memory.amount == 0:
        raise xmlError("Memory size must be specified via <memory> or in the <numa> configuration")
    if definition.currentMemory is None or definition.currentMemory > definition.memory.amount:
        changes["currentMemory"] = definition.memory.amount
    os = definition.os
    if os.type.arch is None:
        os = attrs.evolve(os, type=attrs.evolve(os.type, arch="i686"))
    if os.type.name == "hvm" and not os.boot:
        os = attrs.evolve(os, boot=("hd",))
    changes["os"] = os
    devices = definition.devices
    interfaces = tuple(
        attrs.evolve(
            nic,
            mac=MAC(address="52:54:00:" + ":".join(f"{byte:02x}" for byte in random(3))),
        )
        if nic.mac is None
        else nic
        for nic in devices.interfaces
    )
    changes["devices"] = attrs.evolve(devices, interfaces=interfaces)
    return attrs.evolve(definition, **changes)
