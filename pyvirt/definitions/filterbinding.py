"""
Bindings of network filters: which filter guards which interface of which guest.
"""

from __future__ import annotations

from typing import Any

from pyvirt.definitions.domain._net import FilterRef, Parameter
from pyvirt.definitions.networkport import Owner, readMAC, readOwner
from pyvirt.definitions.reader import Node, parseDocument
from pyvirt.definitions.schema import Context, element, elementAttribute, reader, replaced, writer
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["FilterBindingDefinition", "completed", "formatFilterBinding", "parseFilterBinding"]

_DOMAIN = ErrorDomain.NWFILTER


def internal(detail: str) -> VirtError:
    """Make an internal error about filters."""
    return virtError(ErrorCode.INTERNAL_ERROR, detail, _DOMAIN)


@definition
class FilterBindingDefinition:
    """
    A binding.

    @ivar port: the interface of the host that the guest is behind.
    @ivar link: the interface below it, where the port is made of one.
    """

    owner: Owner = element(Owner)
    port: str = elementAttribute("portdev", "name")
    link: str | None = elementAttribute("linkdev", "name")
    mac: str = elementAttribute("mac", "address")
    filterref: FilterRef = element(FilterRef)

    @classmethod
    def readElement(cls, node: Node, context: Context) -> FilterBindingDefinition:
        """Read the binding; nearly all of it must be there."""

        def name(tag: str, attribute: str, what: str) -> Any:
            text = node.find(tag).get(attribute) if node.find(tag) is not None else None
            if not text:
                raise internal(f"filter binding has no {what}")
            return text

        port = name("portdev", "name", "port dev name")
        link = None if node.find("linkdev") is None else name("linkdev", "name", "link dev name")
        owner = readOwner(node, "filter binding", _DOMAIN)
        mac = readMAC(node, internal("filter binding has no MAC address"), _DOMAIN)
        name("filterref", "filter", "filter reference")
        return cls(
            owner=owner,
            port=port,
            link=link,
            mac=mac,
            filterref=reader(FilterRef)(node.find("filterref"), context),
        )


def parseFilterBinding(xml: str) -> FilterBindingDefinition:
    """
    Parse a definition.

    @raise VirtError: as libvirt says it.
    """
    found: FilterBindingDefinition = reader(FilterBindingDefinition)(
        parseDocument("nwfilterbinding", xml), Context()
    )
    return found


def completed(definition: FilterBindingDefinition) -> FilterBindingDefinition:
    """Let the filter know the hardware address, as it is told when the binding begins."""
    found = definition.filterref
    if any(each.name == "MAC" for each in found.parameters):
        return definition
    told = (*found.parameters, Parameter(name="MAC", value=definition.mac))
    parameters = tuple(sorted(told, key=lambda each: each.name or ""))
    return replaced(definition, filterref=replaced(found, parameters=parameters))


def formatFilterBinding(definition: FilterBindingDefinition) -> str:
    """Write a definition in libvirt's canonical form."""
    out: list[str] = []
    writer(FilterBindingDefinition)(definition, out, "", "filterbinding", Context())
    return "".join(out)
