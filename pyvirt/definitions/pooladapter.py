"""
Adapters: the SCSI hosts of the host whose disks a pool is made of.
"""

from __future__ import annotations

import re
from typing import ClassVar

from pyvirt.definitions.domain._address import PCIAddress
from pyvirt.definitions.kinds import BOOLEAN, choice, integer, xmlError
from pyvirt.definitions.reader import Node
from pyvirt.definitions.schema import Context, attribute, element, plainReader, replaced, special
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["Adapter", "ParentAddress"]

_DOMAIN = ErrorDomain.STORAGE


def bad(detail: str) -> VirtError:
    """Make the error of a pool that says something impossible."""
    return xmlError(detail, _DOMAIN)


@definition
class ParentAddress:
    """
    The PCI address of a SCSI host.

    @ivar uniqueID: which of the hosts at that address.
    """

    # Who complains of the address does so first.
    xmlReadOrder: ClassVar[str] = "address uniqueID"

    uniqueID: int | None = attribute(
        integer(signed=True, error=lambda text, node, name: _noUnique(node)),
        "unique_id",
        required=True,
        missing=lambda node: _noUnique(node),
    )
    address: PCIAddress | None = special(
        tags="address",
        read=lambda node, kids, context: (
            plainReader(PCIAddress)(kids["address"][0], context) if "address" in kids else None
        ),
        write=lambda value, out, indent, context: out.append(
            f"{indent}<address domain='{value.domain or 0:#06x}' bus='{value.bus or 0:#04x}' "
            f"slot='{value.slot or 0:#04x}' function='{value.function or 0:#x}'/>\n"
        ),
    )

    def settle(self, node: Node, context: Context) -> ParentAddress:
        """The address must be there."""
        if self.address is None:
            raise bad("Missing scsi_host PCI address element")
        return self


def _noUnique(node: Node) -> VirtError:
    return bad("Missing or invalid scsi adapter 'unique_id' value")


@definition
class Adapter:
    """A SCSI host; of one of a fibre channel its own names, and what tells the host that it is made on."""

    xmlOrder: ClassVar[str] = (
        "type parent parent_wwnn parent_wwpn parent_fabric_wwn managed wwnn wwpn name parentaddr"
    )

    type: str | None = attribute(choice("scsi_host fc_host"), default="scsi_host")
    name: str | None = attribute()
    parent: str | None = attribute()
    parent_wwnn: str | None = attribute()
    parent_wwpn: str | None = attribute()
    parent_fabric_wwn: str | None = attribute()
    managed: bool | None = attribute(BOOLEAN)
    wwnn: str | None = attribute()
    wwpn: str | None = attribute()
    parentaddr: ParentAddress | None = element(ParentAddress)

    @classmethod
    def readElement(cls, node: Node, context: Context) -> Adapter | None:
        """Without a type there is only the name of a host."""
        if node.get("type") is None:
            if any(node.get(name) is not None for name in ("wwnn", "wwpn", "parent")):
                raise bad(
                    "Use of 'wwnn', 'wwpn', and 'parent' attributes requires use of the adapter "
                    "'type'"
                )
            if any(child.tag == "parentaddr" for child in node):
                raise bad("Use of 'parentaddr' element requires use of the adapter 'type'")
            name = node.get("name")
            return None if name is None else cls(name=name)
        found: Adapter = plainReader(cls)(node, context)
        if found.type == "fc_host":
            return replaced(found, name=None, parentaddr=None)
        return cls(name=found.name, parentaddr=found.parentaddr)

    def check(self) -> None:
        """Complain where it does not say which host it is."""
        if self.type == "scsi_host":
            if self.name is None and self.parentaddr is None:
                raise bad("Either 'name' or 'parent' must be specified for the 'scsi_host' adapter")
            return
        if self.wwnn is None or self.wwpn is None:
            raise bad("'wwnn' and 'wwpn' must be specified for adapter type 'fchost'")
        checkWWN(self.wwnn)
        checkWWN(self.wwpn)
        for one, other in (("wwnn", "wwpn"), ("wwpn", "wwnn")):
            value = getattr(self, f"parent_{one}")
            if value is not None and getattr(self, f"parent_{other}") is None:
                raise bad(
                    f"when providing parent_{one}='{value}', the parent_{other} must also be "
                    "provided"
                )
        for name in (self.parent_wwnn, self.parent_wwpn, self.parent_fabric_wwn):
            if name is not None:
                checkWWN(name)


def checkWWN(text: str) -> None:
    """Complain of what is no name of a port."""
    if not _WWN(text):
        raise virtError(ErrorCode.INTERNAL_ERROR, f"Malformed wwn: {text}", ErrorDomain.NONE)


_WWN = re.compile(r"(?:0x)?[0-9a-fA-F]{16}\Z").match
