"""
Processors of hosts: XML to frozen values and back, as capabilities show them and comparisons take them.
"""

from __future__ import annotations

from typing import ClassVar

from pyvirt.definitions.domain._cpu import CPU, CPUCache, MaxPhysAddr, Topology, checkCaches
from pyvirt.definitions.domain._top import ARCHITECTURES
from pyvirt.definitions.kinds import BOOLEAN, FILLED, SWITCH, UINT, ULONG, integer, xmlError
from pyvirt.definitions.reader import Node, localName, parseDocument, parseTree, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    elements,
    present,
    reader,
    special,
    writer,
)
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["HostCPU", "HostFeature", "formatHostCPU", "parseCPU", "parseHostCPU"]

_DOMAIN = ErrorDomain.CPU
#: What the context says of processors that are compared: those have a model; and of those that are a host's without
#: a doubt, so that what only guests have is passed over.
_COMPARED = "compared"
_HOSTS = "hosts"


def _refused(detail: str) -> VirtError:
    return virtError(ErrorCode.CONFIG_UNSUPPORTED, detail, _DOMAIN)


@definition
class Signature:
    """The numbers by which processors of one make are told apart."""

    family: int | None = attribute(integer(zero=False), required=True)
    model: int | None = attribute(UINT, required=True)
    stepping: int | None = attribute(UINT, required=True)


@definition
class Counter:
    """A counter that runs at a known frequency, in Hz; guests may see it scaled."""

    name: str = attribute(required=True)
    frequency: int | None = attribute(ULONG, required=True)
    scaling: bool | None = attribute(BOOLEAN)


@definition
class HostFeature:
    """Something that the processor can do beyond what its model can."""

    name: str | None = attribute()


@definition
class Pages:
    """A size that pages of memory have, in KiB, and how many of them there are."""

    unit: str = attribute(default="KiB")
    size: str | None = attribute()


@definition
class CPUModes:
    """Modes of addressing of 32-bit processors."""

    xmlOmitEmpty: ClassVar[bool] = True

    pae: bool = present()
    nonpae: bool = present()


def _writeCounters(
    value: tuple[Counter, ...], out: list[str], indent: str, context: Context
) -> None:
    for counter in value:
        writer(Counter)(counter, out, indent, "counter", context)


@definition
class HostCPU:
    """
    The processors of a host.

    @ivar microcode: the version of what was loaded into them.
    @ivar features: what they can do beyond the model.
    @ivar modes: of some hosts, as C{features}.
    """

    xmlOrder: ClassVar[str] = (
        "arch modes model vendor microcode signature counters topology cache maxphysaddr features pages"
    )

    arch: str | None = element(FILLED)
    modes: CPUModes | None = element(CPUModes, "features")
    model: str | None = element(FILLED)
    vendor: str | None = element(FILLED)
    microcode: int | None = elementAttribute(
        "microcode",
        "version",
        integer(error=lambda text, node, name: _refused("invalid microcode version")),
    )
    signature: Signature | None = element(Signature)
    counters: tuple[Counter, ...] = special(
        tags="counter",
        read=lambda node, kids, context: tuple(
            reader(Counter)(child, context)
            for child in kids.get("counter", ())
            if child.get("name") == "tsc"
        ),
        write=lambda value, out, indent, context: _writeCounters(value, out, indent, context),
        default=(),
    )
    topology: Topology | None = element(Topology)
    cached: None = special(tags="cache", read=lambda node, kids, context: checkCaches(kids))
    cache: CPUCache | None = element(CPUCache)
    maxphysaddr: MaxPhysAddr | None = element(MaxPhysAddr)
    features: tuple[HostFeature, ...] = elements(HostFeature, "feature")
    pages: tuple[Pages, ...] = elements(Pages, "pages")

    @classmethod
    def prepare(cls, node: Node, context: Context) -> None:
        """What says how a guest's processors are chosen does not belong here."""
        if node.get("match") is not None and context.extra != _HOSTS:
            raise xmlError(
                "'arch' element cannot be used inside 'cpu' element with 'match' attribute'",
                _DOMAIN,
            )
        if node.get("mode") is not None:
            raise _refused("Attribute mode is only allowed for guest CPU")
        if node.get("migratable") is not None:
            SWITCH.read(node.get("migratable", ""), node, "migratable")
            raise _refused(
                "Attribute migratable is only allowed for 'host-passthrough' / 'maximum' CPU mode"
            )
        arch = next((child for child in node if child.tag == "arch"), None)
        if context.extra == _HOSTS and (arch is None or not xmlText(arch)):
            raise xmlError("Missing CPU architecture", _DOMAIN)
        if arch is not None and xmlText(arch) not in ARCHITECTURES:
            raise _refused(f"Unknown architecture {xmlText(arch)}")
        model = next((child for child in node if child.tag == "model"), None)
        if context.extra in (_COMPARED, _HOSTS) and (model is None or not xmlText(model)):
            raise xmlError("Missing CPU model name", _DOMAIN)

    def settle(self, node: Node, context: Context) -> HostCPU:
        """Features are those of a model, and each has a name, once."""
        names: set[str] = set()
        for feature in self.features:
            if not feature.name:
                raise xmlError("Invalid CPU feature name", _DOMAIN)
            if feature.name in names:
                raise xmlError(f"CPU feature '{feature.name}' specified more than once", _DOMAIN)
            names.add(feature.name)
        return self


def parseCPU(xml: str) -> HostCPU | CPU:
    """
    Parse a processor that is to be compared with others: of a host, if it names an architecture, or of a guest.

    @raise VirtError: as libvirt says it.
    """
    node = parseDocument("cpu", xml)
    host = any(child.tag == "arch" for child in node)
    for child in list(node):
        # Which processors are in which cell is no matter of comparing.
        if child.tag == "numa":
            node.remove(child)
    found: HostCPU | CPU = reader(HostCPU if host else CPU)(node, Context(extra=_COMPARED))
    return found


def parseHostCPU(xml: str) -> HostCPU:
    """
    Parse a processor that is a host's, and names its architecture and model.

    @raise VirtError: as libvirt says it.
    """
    node = parseTree(xml, None, label="(CPU_definition)", domain=_DOMAIN)
    if localName(node) != "cpu":
        raise xmlError("XML does not contain expected 'cpu' element", _DOMAIN)
    found: HostCPU = reader(HostCPU)(node, Context(extra=_HOSTS))
    return found


def formatHostCPU(cpu: HostCPU) -> str:
    """Write a processor in libvirt's canonical form."""
    out: list[str] = []
    writer(HostCPU)(cpu, out, "", "cpu", Context())
    return "".join(out)
