"""
What domains of one type can have, and what pools can: XML to frozen values and back.

Both are trees of one shape: something is supported or not, and has lists of the values that some attribute of a
definition may take.
"""

from __future__ import annotations

from pyvirt.definitions.kinds import BOOLEAN, FILLED, TEXT, UINT, choice, escape
from pyvirt.definitions.reader import Node, parseDocument, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elements,
    reader,
    special,
    text,
    writer,
)
from pyvirt.definitions.values import definition

__all__ = [
    "CPUCapabilities",
    "CPUMode",
    "DomainCapabilitiesDefinition",
    "PoolCapabilitiesDefinition",
    "PoolCapability",
    "Support",
    "UsableModel",
    "formatDomainCapabilities",
    "formatPoolCapabilities",
    "parseDomainCapabilities",
    "parsePoolCapabilities",
]


@definition
class Support:
    """
    Whether something is supported, and how.

    @ivar name: the element.
    @ivar supported: None where it is a group of others.
    @ivar attributes: what else stands in the element.
    @ivar values: texts, such as paths of firmware.
    @ivar enums: names of attributes with the values that they may have.
    @ivar inside: parts of it.
    @ivar text: what stands in an element that has only text.
    """

    name: str
    supported: bool | None = None
    attributes: tuple[tuple[str, str], ...] = ()
    values: tuple[str, ...] = ()
    enums: tuple[tuple[str, tuple[str, ...]], ...] = ()
    inside: tuple[Support, ...] = ()
    text: str | None = None


def _values(node: Node) -> tuple[str, ...]:
    return tuple(xmlText(child) for child in node if child.tag == "value")


def readSupport(node: Node) -> Support:
    """Read an element of what is supported."""
    word = node.get("supported")
    inside = tuple(
        readSupport(child)
        for child in node
        if isinstance(child.tag, str) and child.tag not in ("enum", "value")
    )
    enums = tuple(
        (child.get("name") or "", _values(child)) for child in node if child.tag == "enum"
    )
    values = _values(node)
    content = (node.text or "").strip()
    return Support(
        name=str(node.tag),
        supported=None if word is None else BOOLEAN.read(word, node, "supported"),
        attributes=tuple(
            (str(name), str(value)) for name, value in node.attrib.items() if name != "supported"
        ),
        values=values,
        enums=enums,
        inside=inside,
        text=content if content and not (inside or enums or values) else None,
    )


def writeSupport(value: Support, out: list[str], indent: str) -> None:
    """Write an element of what is supported."""
    head = f"{indent}<{value.name}"
    if value.supported is not None:
        head += f" supported='{'yes' if value.supported else 'no'}'"
    for name, each in value.attributes:
        head += f" {name}='{escape(each)}'"
    if value.text is not None:
        out.append(f"{head}>{escape(value.text)}</{value.name}>\n")
        return
    if not (value.values or value.enums or value.inside):
        out.append(f"{head}/>\n")
        return
    out.append(f"{head}>\n")
    inner = indent + "  "
    out.extend(f"{inner}<value>{escape(each)}</value>\n" for each in value.values)
    for name, values in value.enums:
        if not values:
            out.append(f"{inner}<enum name='{escape(name)}'/>\n")
            continue
        out.append(f"{inner}<enum name='{escape(name)}'>\n")
        out.extend(f"{inner}  <value>{escape(each)}</value>\n" for each in values)
        out.append(f"{inner}</enum>\n")
    for part in value.inside:
        writeSupport(part, out, inner)
    out.append(f"{indent}</{value.name}>\n")


def _supports(tag: str) -> object:
    return special(
        tags=tag,
        read=lambda node, kids, context: readSupport(kids[tag][0]) if tag in kids else None,
        write=lambda value, out, indent, context: writeSupport(value, out, indent),
    )


@definition
class UsableModel:
    """A model of processors, and whether guests can have it here."""

    usable: str | None = attribute(choice("yes no unknown"))
    deprecated: bool | None = attribute(BOOLEAN)
    fallback: str | None = attribute()
    vendor: str | None = attribute()
    name: str | None = text()


@definition
class ModeFeature:
    """Something that processors like the host's have or lack."""

    policy: str | None = attribute()
    name: str | None = attribute()


@definition
class ModeEnum:
    """The values that an attribute of a mode may have."""

    name: str | None = attribute()
    values: tuple[str, ...] = elements(TEXT, "value")


@definition
class CPUMode:
    """A way of choosing the processors of a guest."""

    name: str | None = attribute()
    supported: bool | None = attribute(BOOLEAN)
    enums: tuple[ModeEnum, ...] = elements(ModeEnum, "enum")
    models: tuple[UsableModel, ...] = elements(UsableModel, "model")
    vendor: str | None = element(FILLED)
    features: tuple[ModeFeature, ...] = elements(ModeFeature, "feature")


@definition
class CPUCapabilities:
    """The processors that guests can have."""

    modes: tuple[CPUMode, ...] = elements(CPUMode, "mode")


@definition
class MaxVCPUs:
    """How many processors a guest can have."""

    max: int | None = attribute(UINT)


@definition
class DomainCapabilitiesDefinition:
    """
    What domains of a type can have.

    @ivar path: the emulator.
    @ivar domain: the type.
    """

    path: str | None = element(FILLED)
    domain: str | None = element(FILLED)
    machine: str | None = element(FILLED)
    arch: str | None = element(FILLED)
    vcpu: MaxVCPUs | None = element(MaxVCPUs)
    iothreads: Support | None = _supports("iothreads")  # type: ignore[assignment]
    os: Support | None = _supports("os")  # type: ignore[assignment]
    cpu: CPUCapabilities | None = element(CPUCapabilities)
    memoryBacking: Support | None = _supports("memoryBacking")  # type: ignore[assignment]
    devices: Support | None = _supports("devices")  # type: ignore[assignment]
    features: Support | None = _supports("features")  # type: ignore[assignment]


def parseDomainCapabilities(xml: str) -> DomainCapabilitiesDefinition:
    """
    Parse what domains can have.

    @raise VirtError: the document is wrong.
    """
    node = parseDocument("domaincaps", xml)
    found: DomainCapabilitiesDefinition = reader(DomainCapabilitiesDefinition)(node, Context())
    return found


def formatDomainCapabilities(definition: DomainCapabilitiesDefinition) -> str:
    """Write what domains can have in libvirt's canonical form."""
    out: list[str] = []
    writer(DomainCapabilitiesDefinition)(definition, out, "", "domainCapabilities", Context())
    return "".join(out)


@definition
class PoolCapability:
    """What pools of one type, and their volumes, can be; C{supported}: whether they can be here."""

    type: str | None = attribute()
    supported: bool | None = attribute(BOOLEAN)
    poolOptions: Support | None = _supports("poolOptions")  # type: ignore[assignment]
    volOptions: Support | None = _supports("volOptions")  # type: ignore[assignment]


@definition
class PoolCapabilitiesDefinition:
    """What storage pools can be."""

    pools: tuple[PoolCapability, ...] = elements(PoolCapability, "pool")


def parsePoolCapabilities(xml: str) -> PoolCapabilitiesDefinition:
    """
    Parse what pools can be.

    @raise VirtError: the document is wrong.
    """
    node = parseDocument("poolcaps", xml)
    found: PoolCapabilitiesDefinition = reader(PoolCapabilitiesDefinition)(node, Context())
    return found


def formatPoolCapabilities(definition: PoolCapabilitiesDefinition) -> str:
    """Write what pools can be in libvirt's canonical form."""
    out: list[str] = []
    writer(PoolCapabilitiesDefinition)(definition, out, "", "storagepoolCapabilities", Context())
    return "".join(out)
