"""
Devices of few words: hubs, memory of firmwares, leases.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain._address import Device, writeInfo
from pyvirt.definitions.kinds import choice, integer, internal, unsupported, xmlError
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import Context, attribute, element
from pyvirt.definitions.values import definition
from pyvirt.errors import VirtError

__all__ = ["NVRAM", "Hub", "Lease", "LeaseTarget"]


@definition
class Hub(Device):
    """A USB hub."""

    type: str = attribute(
        choice("usb", error=unsupported("unknown hub device type '{text}'")),
        required=True,
        missing=lambda node: internal("missing hub device type")("", node, ""),
    )


@definition
class NVRAM(Device):
    """Memory that POWER guests keep."""

    @staticmethod
    def writeElement(value: Any, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the element, which has two tags even where it is empty."""
        body: list[str] = []
        writeInfo(value, body, indent + "  ", context)
        out.append(f"{indent}<{tag}>\n")
        out += body
        out.append(f"{indent}</{tag}>\n")


@definition
class LeaseTarget:
    """The file of a lease."""

    path: str | None = attribute()
    offset: int | None = attribute(integer(bits=64, keepZero=False))


@definition
class Lease:
    """A lease that the lock manager holds for the guest."""

    lockspace: str | None = element()
    key: str | None = element()
    target: LeaseTarget | None = element(LeaseTarget)

    def settle(self, node: Node, context: Context) -> Lease:
        """A lease has a space, a key and a file."""
        if self.key is None:
            raise xmlError("Missing 'key' element for lease")
        if self.target is None:
            raise xmlError("Missing 'target' element for lease")
        if self.target.path is None:
            raise xmlError("Missing 'path' attribute to 'target' element for lease")
        if not self.lockspace:
            raise VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)
        return self
