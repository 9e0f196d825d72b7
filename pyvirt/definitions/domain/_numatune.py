"""
Which nodes of the host a guest's memory is on.
"""

from __future__ import annotations

from typing import ClassVar

from pyvirt.definitions.domain._cpu import someKind
from pyvirt.definitions.kinds import (
    UINT,
    choice,
    unsupported,
    xmlError,
)
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elements,
    replaced,
    special,
)
from pyvirt.definitions.values import definition

__all__ = ["MemNode", "NUMAMemory", "NUMATune"]

_NUMA_MODE = choice(
    "strict preferred interleave restrictive",
    error=unsupported("Unsupported NUMA memory tuning mode '{text}'"),
)


@definition
class NUMAMemory:
    """Which nodes of the host the guest's memory comes from."""

    mode: str | None = attribute(_NUMA_MODE, default="strict")
    nodeset: frozenset[int] | None = attribute(someKind("nodeset"))
    placement: str | None = attribute(
        choice(
            "static auto",
            error=unsupported("Unsupported NUMA memory placement mode '{text}'"),
        )
    )

    def settle(self, node: Node, context: Context) -> NUMAMemory | None:
        """A set of nodes makes the placement static, and the other way round."""
        if not node.attrib:
            return None
        placement = self.placement or "static"
        if placement == "static":
            if self.nodeset is None:
                raise unsupported(
                    "nodeset for NUMA memory tuning must be set if 'placement' is 'static'"
                )("", node, "")
            return replaced(self, placement=None)
        return replaced(self, placement="auto", nodeset=None)


@definition
class MemNode:
    """The same for one cell of the guest."""

    cellid: int | None = attribute(UINT, required=True)
    mode: str | None = attribute(
        choice("strict preferred interleave restrictive"), default="strict"
    )
    nodeset: frozenset[int] | None = attribute(
        someKind("nodeset"),
        required=True,
        missing=lambda node: xmlError("Missing required nodeset attribute in memnode element"),
    )


@definition
class NUMATune:
    """Which nodes of the host are used."""

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """There is one."""
        if sum(child.tag == "numatune" for child in node.getparent()) > 1:
            raise xmlError("only one numatune is supported")

    xmlOmitEmpty: ClassVar[bool] = True

    memory: NUMAMemory | None = element(NUMAMemory)
    celled: None = special(read=lambda node, kids, context: _checkCells(node))
    memnodes: tuple[MemNode, ...] = elements(MemNode, "memnode")


_RESTRICTIVE = (
    "'restrictive' mode is required in memnode element when mode is 'restrictive' in memory element"
)


def _checkCells(node: Node) -> None:
    """Cells of the guest are spoken of only where there are any."""
    if node.find("memnode") is None:
        return
    memory, vcpu = node.find("memory"), node.getparent().find("vcpu")
    if memory is not None and memory.get("nodeset") is None:
        usual = None if vcpu is None else vcpu.get("placement")
        if (memory.get("placement") or usual) == "auto":
            raise unsupported("Per-node binding is not compatible with automatic NUMA placement.")(
                "", node, ""
            )
    if node.getparent().find("cpu/numa/cell") is None:
        raise xmlError("Element 'memnode' is invalid without any guest NUMA cells")
    count = len(node.getparent().findall("cpu/numa/cell"))
    for child in node.iterfind("memnode"):
        cell = child.get("cellid") or ""
        if cell.isdigit() and int(cell) >= count:
            raise xmlError(
                "Argument 'cellid' in memnode element must correspond to existing guest's NUMA cell"
            )
        strict = node.find("memory[@mode='restrictive']") is not None
        if strict and child.get("mode") != "restrictive":
            raise xmlError(_RESTRICTIVE)
