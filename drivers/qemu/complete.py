"""
Filling in what a definition leaves open, as libvirt's QEMU driver does.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from pyvirt.definitions.domain import DomainDefinition, completed

if TYPE_CHECKING:
    from pyvirt.drivers.qemu.capabilities import BinaryCapabilities

__all__ = ["complete"]


def complete(
    definition: DomainDefinition,
    capabilities: BinaryCapabilities,
    random: Callable[[int], bytes] = os.urandom,
) -> DomainDefinition:
    """
    Fill in what a definition leaves open: defaults of the machine, controllers, addresses.

    @param random: the source of UUIDs and hardware addresses.
    @raise VirtError: it asks for what cannot be.
    """
    return completed(definition, random=random)
