"""
Processors of hosts: XML to frozen values and back, as capabilities show them and comparisons take them.
"""

from __future__ import annotations

from typing import ClassVar

import attrs

from pyvirt.definitions.domain._cpu import CPU, MaxPhysAddr, Topology
from pyvirt.definitions.kinds import BOOLEAN, FILLED, UINT, ULONG, choice, xmlError
from pyvirt.definitions.reader import Node, parseDocument
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    present,
    reader,
    replaced,
    writer,
)
from pyvirt.errors import ErrorDomain

__all__ = ["HostCPU", "HostFeature", "formatHostCPU", "parseCPU"]

_DOMAIN = ErrorDomain.CPU


@attrs.frozen(kw_only=True)
class Signature:
    """The numbers by which processors of one make are told apart."""

    family: int | None = attribute(UINT, required=True)
    model: int | None = attribute(UINT, required=True)
    stepping: int | None = attribute(UINT, required=True)


@attrs.frozen(kw_only=True)
class Counter:
    """A counter that runs at a known frequency, in Hz; guests may see it scaled."""

    name: str = attribute(choice("tsc"), required=True)
    frequency: int | None = attribute(ULONG, required=True)
    scaling: bool | None = attribute(BOOLEAN)


@attrs.frozen(kw_only=True)
class HostFeature:
    """Something that the processor can do beyond what its model can."""

    name: str | None = attribute()


@attrs.frozen(kw_only=True)
class Pages:
    """A size that pages of memory have, in KiB, and how many of them there are."""

    unit: str = attribute(default="KiB")
    size: int | None = attribute(ULONG)


@attrs.frozen(kw_only=True)
class CPUModes:
    """Modes of addressing of 32-bit processors."""

    xmlOmitEmpty: ClassVar[bool] = True

    pae: bool = present()
    nonpae: bool = present()


@attrs.frozen(kw_only=True)
class HostCPU:
    """
    The processors of a host.

    @ivar microcode: the version of what was loaded into them.
    @ivar features: what they can do beyond the model.
    @ivar modes: of some hosts, as C{features}.
    """

    xmlOrder: ClassVar[str] = (
        "arch modes model vendor microcode signature counters topology maxphysaddr features pages"
    )

    arch: str | None = element(FILLED)
    modes: CPUModes | None = element(CPUModes, "features")
    model: str | None = element(FILLED)
    vendor: str | None = element(FILLED)
    microcode: int | None = elementAttribute("microcode", "version", UINT)
    signature: Signature | None = element(Signature)
    counters: tuple[Counter, ...] = elements(Counter, "counter")
    topology: Topology | None = element(Topology)
    maxphysaddr: MaxPhysAddr | None = element(MaxPhysAddr)
    features: tuple[HostFeature, ...] = elements(HostFeature, "feature")
    pages: tuple[Pages, ...] = elements(Pages, "pages")

    def settle(self, node: Node, context: Context) -> HostCPU:
        """Features are those of a model, and each has a name, once."""
        names: set[str] = set()
        for feature in self.features:
            if not feature.name:
                raise xmlError("Invalid CPU feature name", _DOMAIN)
            if feature.name in names:
                raise xmlError(f"CPU feature '{feature.name}' specified more than once", _DOMAIN)
            names.add(feature.name)
        return replaced(self, features=self.features)


def parseCPU(xml: str) -> HostCPU | CPU:
    """
    Parse a processor that is to be compared with others: of a host, if it names an architecture, or of a guest.

    @raise VirtError: as libvirt says it.
    """
    node = parseDocument("cpu", xml)
    host = any(child.tag == "arch" for child in node)
    found: HostCPU | CPU = reader(HostCPU if host else CPU)(node, Context())
    return found


def formatHostCPU(cpu: HostCPU) -> str:
    """Write a processor in libvirt's canonical form."""
    out: list[str] = []
    writer(HostCPU)(cpu, out, "", "cpu", Context())
    return "".join(out)
