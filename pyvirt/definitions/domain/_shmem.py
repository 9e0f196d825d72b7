"""
Memory that guests share.
"""

from __future__ import annotations

from typing import ClassVar

from pyvirt.definitions.domain._address import Device, readInfoLast
from pyvirt.definitions.kinds import SWITCH, Kind, choice, integer, xmlError
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import Context, attribute, element, elementAttribute, special
from pyvirt.definitions.values import definition

__all__ = ["MSI", "Shmem", "ShmemServer"]


@definition
class ShmemServer:
    """The server of shared memory."""

    path: str | None = attribute()


@definition
class MSI:
    """Message interrupts of shared memory."""

    vectors: int | None = attribute(integer(base=0, keepZero=False))
    ioeventfd: bool | None = attribute(SWITCH)


_ROLES = choice("default master peer", absent="default")


def _readRole(text: str, node: Node, name: str) -> str | None:
    """Read a role; the oldest model has none."""
    model = node.find("model")
    if model is None or model.get("type") in (None, "ivshmem"):
        return None
    found: str | None = _ROLES.read(text, node, name)
    return found


@definition
class Shmem(Device):
    """Memory shared with other guests; the size in bytes."""

    xmlOrder: ClassVar[str] = "name role model size server msi"

    name: str = attribute(
        required=True, missing=lambda node: xmlError("shmem element must contain 'name' attribute")
    )
    role: str | None = attribute(Kind(_readRole))
    model: str | None = elementAttribute(
        "model", "type", choice("ivshmem ivshmem-plain ivshmem-doorbell"), default="ivshmem"
    )
    size: int | None = special(
        tags="size",
        read=lambda node, kids, context: _shmemSize(kids),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<size unit='M'>{value >> 20}</size>\n"
        ),
    )
    server: ShmemServer | None = element(ShmemServer)
    msi: MSI | None = element(MSI)

    @classmethod
    def readElement(cls, node: Node, context: Context) -> Shmem:
        """Read its place and its name last."""
        found: Shmem = readInfoLast(cls, Device, node, context)
        return found

    def settle(self, node: Node, context: Context) -> Shmem:
        """Interrupts need a server; the oldest model has no roles."""
        if self.msi is not None and self.server is None:
            raise xmlError("msi option is only supported with a server")
        return self


def _shmemSize(kids: dict[str, list[Node]]) -> int | None:
    from pyvirt.definitions.units import scaled

    if "size" not in kids:
        return None
    value = scaled(kids["size"][0], "./size[1]", default=1)
    return value or None
