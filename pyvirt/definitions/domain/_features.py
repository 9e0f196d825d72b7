"""
Features of the hypervisor that a domain asks for or refuses.
"""

from __future__ import annotations

from typing import Any, ClassVar

import attrs

from pyvirt.definitions.kinds import (
    BOOLEAN,
    SWITCH,
    UINT,
    choice,
    integer,
    missingAttribute,
    unsupported,
    xmlError,
)
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    present,
    special,
)
from pyvirt.definitions.units import scaled

__all__ = ["Features"]


@attrs.frozen(kw_only=True)
class Switched:
    """A feature that is on or off; on where nothing is said."""

    state: bool | None = attribute(SWITCH)


@attrs.frozen(kw_only=True)
class MaybeOn:
    """A feature whose element alone switches it on."""

    state: bool = attribute(SWITCH, default=True)


@attrs.frozen(kw_only=True)
class APIC:
    """The interrupt controller, and whether it signals the end of interrupts without an exit."""

    eoi: bool | None = attribute(SWITCH)


FEATURES = (
    "acpi apic pae hap viridian privnet hyperv kvm pvspinlock capabilities pmu vmport gic smm "
    "ioapic hpt vmcoreinfo htm nested-hv msrs ccf-assist xen cfpc sbbc ibs tcg"
).split()


@attrs.frozen(kw_only=True)
class Features:
    """The features element."""

    acpi: bool = present()
    apic: APIC | None = element(APIC)
    pae: bool = present()
    hap: MaybeOn | None = element(MaybeOn)
    viridian: bool = present()
    privnet: bool = present()
    pvspinlock: MaybeOn | None = element(MaybeOn)
    pmu: MaybeOn | None = element(MaybeOn)
    vmport: MaybeOn | None = element(MaybeOn)

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """Complain of features that nobody knows."""
        for child in node:
            if isinstance(child.tag, str) and child.tag not in FEATURES:
                raise unsupported("unexpected feature '{text}'")(child.tag, child, "")
