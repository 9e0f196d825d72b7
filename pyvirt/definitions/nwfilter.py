"""
Network filters: XML to frozen values and back.  Their rules are in L{pyvirt.definitions.filterrules}.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pyvirt.definitions.domain._net import FilterRef
from pyvirt.definitions.filterrules import FilterRule, internal, readRule, writeRule
from pyvirt.definitions.kinds import escape, number, xmlError
from pyvirt.definitions.reader import Node, parseDocument, xmlText
from pyvirt.definitions.schema import Context, reader, replaced, writer
from pyvirt.definitions.uuids import formatUUID, parseUUID, randomUUID
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = [
    "CHAINS",
    "FilterDefinition",
    "completed",
    "formatFilter",
    "parseFilter",
    "readFilter",
]

_DOMAIN = ErrorDomain.NWFILTER

#: What names of chains begin with, and the priority of such a chain where none is given.
CHAINS = {
    "mac": -800,
    "vlan": -750,
    "stp": 0,
    "arp": -500,
    "rarp": -400,
    "ipv4": -700,
    "ipv6": -600,
}
_MAX_CHAIN = 12
_CHAIN = re.compile("[A-Za-z0-9_.:-]*").fullmatch


def invalid(detail: str) -> VirtError:
    """Make the error of an argument."""
    return virtError(ErrorCode.INVALID_ARG, detail, _DOMAIN)


@definition
class FilterDefinition:
    """
    A filter.

    @ivar uuid: None where none is given; L{completed} makes one up.
    @ivar chain: the name of the chain that its rules are in.
    @ivar priority: which chain comes first, the lower ones do.
    @ivar entries: rules, and other filters with what their variables are.
    """

    name: str
    uuid: bytes | None = None
    chain: str = "root"
    priority: int = 0
    entries: tuple[FilterRule | FilterRef, ...] = ()


def _readChain(name: str) -> int:
    """
    Check the name of a chain.

    @return: its priority where none is given.
    """
    if name == "root":
        return 0
    if len(name.encode("utf-8", "surrogateescape")) > _MAX_CHAIN:
        raise invalid(f"Name of chain is longer than {_MAX_CHAIN} characters")
    if not _CHAIN(name):
        raise invalid("Chain name contains invalid characters")
    for prefix, priority in CHAINS.items():
        if name.startswith(prefix):
            return priority
    if name.startswith("root"):
        raise VirtError("An error occurred, but the cause is unknown", int1=0, int2=0)
    raise invalid(
        f"Invalid chain name '{name}'. Please use a chain name called 'root' or any of the "
        f"following prefixes: {', '.join(CHAINS)}"
    )


def readFilter(node: Node) -> FilterDefinition:
    """
    Read an element that describes a filter.

    @raise VirtError: as libvirt says it.
    """
    name = node.get("name")
    if not name:
        raise internal("filter has no name")
    text = node.get("priority")
    given = None
    if text:
        given = number(text, signed=True)
        if given is None:
            raise invalid(f"Could not parse chain priority '{text}'")
        if not -1000 <= given <= 1000:
            raise invalid(f"Priority '{given}' is outside valid range of [-1000,1000]")
    chain = node.get("chain")
    priority = 0
    if chain:
        priority = _readChain(chain)
        if given is not None:
            priority = given
    uuid = None
    found = next((child for child in node if child.tag == "uuid"), None)
    if found is not None and (text := xmlText(found)):
        uuid = parseUUID(text)
        if uuid is None:
            raise xmlError("malformed uuid element", _DOMAIN)
    entries: list[FilterRule | FilterRef] = []
    for child in node:
        if child.tag == "rule":
            entries.append(readRule(child))
        elif child.tag == "filterref":
            if child.get("filter") is None:
                raise internal("rule node requires action attribute")
            entries.append(reader(FilterRef)(child, Context()))
    return FilterDefinition(
        name=name, uuid=uuid, chain=chain or "root", priority=priority, entries=tuple(entries)
    )


def parseFilter(xml: str) -> FilterDefinition:
    """
    Parse a definition.

    @raise VirtError: as libvirt says it.
    """
    return readFilter(parseDocument("nwfilter", xml))


def completed(definition: FilterDefinition, *, random: Callable[[int], bytes]) -> FilterDefinition:
    """Give a filter a UUID if it has none."""
    if definition.uuid is not None:
        return definition
    return replaced(definition, uuid=randomUUID(random))


def formatFilter(definition: FilterDefinition) -> str:
    """Write a definition in libvirt's canonical form."""
    out = [f"<filter name='{escape(definition.name)}' chain='{escape(definition.chain)}'"]
    if definition.priority:
        out.append(f" priority='{definition.priority}'")
    out.append(">\n")
    if definition.uuid is not None:
        out.append(f"  <uuid>{formatUUID(definition.uuid)}</uuid>\n")
    for entry in definition.entries:
        if isinstance(entry, FilterRule):
            writeRule(entry, out, "  ")
        else:
            writer(FilterRef)(entry, out, "  ", "filterref", Context())
    out.append("</filter>\n")
    return "".join(out)
