"""
Small elements that several devices share: virtio options, security labels of one device.
"""

from __future__ import annotations

from typing import ClassVar

from pyvirt.definitions.kinds import BOOLEAN, SWITCH, choice, xmlError
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import Context, attribute, element, plainWriter, replaced
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["DeviceLabel", "VirtioDriver", "VirtioOptions"]


@definition
class VirtioOptions:
    """Options of the driver element that every virtio device knows."""

    iommu: bool | None = attribute(SWITCH)
    ats: bool | None = attribute(SWITCH)
    packed: bool | None = attribute(SWITCH)
    page_per_vq: bool | None = attribute(SWITCH)


@definition
class VirtioDriver(VirtioOptions):
    """The driver element of a device that has only the virtio options."""

    xmlOmitEmpty: ClassVar[bool] = True


@definition
class DeviceLabel:
    """The security label of one device, overriding that of the domain."""

    model: str | None = attribute()
    labelskip: bool | None = attribute(BOOLEAN)
    relabel: bool | None = attribute(BOOLEAN)
    label: str | None = element()

    def settle(self, node: Node, context: Context) -> DeviceLabel:
        """A skipped label is nothing else; a label that is not applied is refused."""
        for other in node.itersiblings("seclabel", preceding=True):
            if self.model is not None and other.get("model") == self.model:
                raise virtError(
                    ErrorCode.XML_DETAIL,
                    f"seclabel for model {self.model} is already provided",
                    ErrorDomain.DOMAIN,
                )
        if self.labelskip and not context.inactive:
            return replaced(self, relabel=None)
        label = replaced(self, labelskip=None)
        if label.relabel is None:
            label = replaced(label, relabel=True)
        if label.label is not None and not label.relabel:
            model = label.model or "<null>"
            raise xmlError(f"Cannot specify a label if relabelling is turned off. model={model}")
        return label

    @staticmethod
    def writeElement(
        value: DeviceLabel, out: list[str], indent: str, tag: str, context: Context
    ) -> None:
        """Write it; in a definition, where the host chooses the label nothing is said."""
        if context.inactive and value.label is None and value.relabel:
            return
        plainWriter(DeviceLabel)(value, out, indent, tag, context)


DEVICE_LABEL_MODES = choice("static dynamic none")
