"""
Modules of memory.
"""

from __future__ import annotations

from typing import Any, ClassVar

from pyvirt.definitions.domain._address import Device, readInfoLast
from pyvirt.definitions.domain._cpu import someKind
from pyvirt.definitions.kinds import BOOLEAN, choice, custom, integer, internal, xmlError
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    present,
    reader,
    replaced,
    special,
    writer,
)
from pyvirt.definitions.units import scaledKiB
from pyvirt.definitions.uuids import parseUUID
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorDomain

__all__ = ["MEMORY_SOURCES", "Label", "MemoryDevice", "MemorySource", "MemoryTarget"]


@definition
class MemorySource:
    """What a memory module is made of."""

    xmlOmitEmpty: ClassVar[bool] = True

    nodemask: frozenset[int] | None = element(someKind("nodemask"))
    pagesize: int | None = special(
        tags="pagesize",
        read=lambda node, kids, context: (
            scaledKiB(kids["pagesize"][0], "./pagesize") if "pagesize" in kids else None
        ),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<pagesize unit='KiB'>{value}</pagesize>\n"
        ),
    )
    path: str | None = element()
    alignsize: int | None = special(
        tags="alignsize",
        read=lambda node, kids, context: (
            scaledKiB(kids["alignsize"][0], "./alignsize") if "alignsize" in kids else None
        ),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<alignsize unit='KiB'>{value}</alignsize>\n"
        ),
    )
    pmem: bool = present()


def _size(tag: str, path: str, required: bool = False, model: str = "") -> Any:
    def read(node: Node, kids: dict[str, list[Node]], context: Context) -> int | None:
        if model and node.getparent().get("model") != model:
            return None
        value = scaledKiB(kids[tag][0], path) if tag in kids else None
        if value is None and required:
            raise xmlError(
                f"missing element or attribute '{path.removesuffix('[1]')}'", ErrorDomain.XML
            )
        return value if required else value or None

    return special(
        tags=tag,
        read=read,
        write=lambda value, out, indent, context: out.append(
            f"{indent}<{tag} unit='KiB'>{value}</{tag}>\n"
        ),
    )


@definition
class Label:
    """The part of an NVDIMM that holds its label, in KiB."""

    xmlOmitEmpty: ClassVar[bool] = True

    size: int | None = _size("size", "./label/size")


@definition
class MemoryTarget:
    """
    What the guest sees of a memory module; sizes in KiB.

    @ivar current: how much of it a running guest has taken.
    """

    size: int | None = _size("size", "./size", True)
    node: int | None = element(integer(error=custom("invalid value of memory device node")))
    label: Label | None = special(
        tags="label",
        read=lambda node, kids, context: (
            reader(Label)(kids["label"][0], context)
            if "label" in kids and node.getparent().get("model") == "nvdimm"
            else None
        ),
        write=lambda value, out, indent, context: writer(Label)(
            value, out, indent, "label", context
        ),
    )
    readonly: bool = present()
    block: int | None = _size("block", "./block", model="virtio-mem")
    requested: int | None = _size("requested", "./requested", model="virtio-mem")
    current: int | None = special(
        tags="current",
        read=lambda node, kids, context: (
            scaledKiB(kids["current"][0], "./current")
            if "current" in kids and node.getparent().get("model") == "virtio-mem"
            else None
        ),
        write=lambda value, out, indent, context: (
            None
            if context.inactive
            else out.append(f"{indent}<current unit='KiB'>{value}</current>\n")
        ),
    )


#: What a module of each model is made of.
MEMORY_SOURCES: dict[str, tuple[str, ...]] = {
    "dimm": ("nodemask", "pagesize"),
    "nvdimm": ("path", "alignsize", "pmem"),
    "virtio-pmem": ("path",),
    "virtio-mem": ("nodemask", "pagesize"),
    "sgx-epc": ("nodemask",),
}


@definition
class MemoryDevice(Device):
    """A memory module."""

    xmlOrder: ClassVar[str] = "model access discard uuid source target"

    model: str = attribute(choice("dimm nvdimm virtio-pmem virtio-mem sgx-epc"), required=True)
    access: str | None = attribute(choice("default shared private", absent="default"))
    discard: bool | None = attribute(BOOLEAN)
    uuid: str | None = element()
    source: MemorySource | None = element(MemorySource)
    target: MemoryTarget | None = element(MemoryTarget)

    @classmethod
    def readElement(cls, node: Node, context: Context) -> MemoryDevice:
        """Read its place and its name last."""
        found: MemoryDevice = readInfoLast(cls, Device, node, context)
        return found

    def settle(self, node: Node, context: Context) -> MemoryDevice:
        """A module has a target."""
        target = self.target
        if target is None:
            raise xmlError("missing <target> element for <memory> device")
        label = target.label.size if target.label is not None else None
        if self.model == "nvdimm":
            if self.uuid is not None and parseUUID(self.uuid) is None:
                raise internal("malformed uuid element")("", node, "")
            if label is not None and label < 128:
                raise xmlError("nvdimm label must be at least 128KiB")
            if (label or 0) >= (target.size or 0):
                raise xmlError("label size must be smaller than NVDIMM size")
        if self.model != "nvdimm":
            target = replaced(target, label=None, readonly=False)
        if self.model == "virtio-mem":
            target = replaced(target, requested=target.requested or 0)
        else:
            target = replaced(target, block=None, requested=None)
        source = self.source
        if source is not None:
            kept = MEMORY_SOURCES[self.model]
            source = MemorySource(**{name: getattr(source, name) for name in kept})
        access = "shared" if self.model == "virtio-pmem" and self.access is None else self.access
        uuid = self.uuid if self.model == "nvdimm" else None
        return replaced(self, access=access, uuid=uuid, source=source, target=target)
