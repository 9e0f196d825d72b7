"""
Memory that a guest gives back to its host.
"""

from __future__ import annotations

from typing import ClassVar

from lxml import etree

from pyvirt.definitions.domain._address import Device
from pyvirt.definitions.domain._common import VirtioDriver
from pyvirt.definitions.kinds import SWITCH, choice, integer
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import Context, attribute, element, elementAttribute, plainReader
from pyvirt.definitions.values import definition

__all__ = ["MemBalloon"]


@definition
class MemBalloon(Device):
    """A device that gives memory back to the host."""

    xmlOrder: ClassVar[str] = (
        "model autodeflate freePageReporting stats alias acpiIndex address driver"
    )

    model: str | None = attribute(
        choice("virtio xen none virtio-transitional virtio-non-transitional"), required=True
    )
    autodeflate: bool | None = attribute(SWITCH)
    freePageReporting: bool | None = attribute(SWITCH)
    stats: int | None = elementAttribute(
        "stats", "period", integer(signed=True, base=0, keepZero=False)
    )
    driver: VirtioDriver | None = element(VirtioDriver)

    @classmethod
    def readElement(cls, node: Node, context: Context) -> MemBalloon:
        """Of a balloon that is none, only that counts."""
        if node.get("model") == "none":
            kept = etree.Element(node.tag, dict(node.items()))
            kept.extend(
                etree.fromstring(etree.tostring(child, with_tail=False))
                for child in node
                if child.tag in ("stats", "driver")
            )
            node = kept
        found: MemBalloon = plainReader(cls)(node, context)
        return found
