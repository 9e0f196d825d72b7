"""
Sockets between a guest and its host.
"""

from __future__ import annotations

from typing import ClassVar

from pyvirt.definitions.domain._address import Device
from pyvirt.definitions.domain._common import VirtioDriver
from pyvirt.definitions.kinds import BOOLEAN, choice, integer
from pyvirt.definitions.schema import attribute, element
from pyvirt.definitions.values import definition

__all__ = ["CID", "Vsock"]


@definition
class CID:
    """The number by which host and guest reach each other."""

    xmlOmitEmpty: ClassVar[bool] = True

    auto: bool | None = attribute(BOOLEAN)
    address: int | None = attribute(integer(zero=False))


@definition
class Vsock(Device):
    """A socket between host and guest."""

    xmlOrder: ClassVar[str] = "model cid alias acpiIndex address driver"

    model: str | None = attribute(
        choice("default virtio virtio-transitional virtio-non-transitional", absent="default")
    )
    cid: CID | None = element(CID)
    driver: VirtioDriver | None = element(VirtioDriver)
