"""
The unit that lets devices see memory by addresses of their own.
"""

from __future__ import annotations

from typing import ClassVar

from pyvirt.definitions.domain._address import Device
from pyvirt.definitions.kinds import SWITCH, UINT_NZ, choice
from pyvirt.definitions.schema import attribute, element
from pyvirt.definitions.values import definition

__all__ = ["IOMMU", "IOMMUDriver"]


@definition
class IOMMUDriver:
    """Options of the IOMMU."""

    xmlOmitEmpty: ClassVar[bool] = True

    intremap: bool | None = attribute(SWITCH)
    caching_mode: bool | None = attribute(SWITCH)
    eim: bool | None = attribute(SWITCH)
    iotlb: bool | None = attribute(SWITCH)
    aw_bits: int | None = attribute(UINT_NZ)


@definition
class IOMMU(Device):
    """The guest's IOMMU."""

    xmlOrder: ClassVar[str] = "model driver"

    model: str = attribute(choice("intel smmuv3 virtio"), required=True)
    driver: IOMMUDriver | None = element(IOMMUDriver)
