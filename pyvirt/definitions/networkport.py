"""
Ports of networks: how one interface of a guest is plugged into a network.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from pyvirt.definitions.domain._address import PCIAddress
from pyvirt.definitions.kinds import BOOLEAN, Kind, choice, custom, escape, xmlError
from pyvirt.definitions.netbits import Bandwidth, VirtualPort, Vlan, parseMAC
from pyvirt.definitions.nodepci import writeAddress
from pyvirt.definitions.reader import Node, parseDocument, xmlText
from pyvirt.definitions.schema import (
    Context,
    attribute,
    element,
    elementAttribute,
    plainReader,
    reader,
    special,
    writer,
)
from pyvirt.definitions.uuids import formatUUID, parseUUID
from pyvirt.definitions.values import definition
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["NetworkPortDefinition", "Owner", "Plug", "formatNetworkPort", "parseNetworkPort"]

_DOMAIN = ErrorDomain.NETWORK


@definition
class Owner:
    """
    The domain that something of the network belongs to.

    @ivar uuid: 16 bytes.
    """

    name: str
    uuid: bytes

    @staticmethod
    def writeElement(value: Owner, out: list[str], indent: str, tag: str, context: Context) -> None:
        """Write the element."""
        out.append(
            f"{indent}<{tag}>\n{indent}  <name>{escape(value.name)}</name>\n"
            f"{indent}  <uuid>{formatUUID(value.uuid)}</uuid>\n{indent}</{tag}>\n"
        )


def readUUID(node: Node | None, absent: VirtError, domain: int) -> bytes:
    """
    Read a UUID that must be there.

    @param absent: what is raised if it is not.
    """
    text = "" if node is None else xmlText(node)
    if not text:
        raise absent
    value = parseUUID(text)
    if value is None:
        raise virtError(ErrorCode.INTERNAL_ERROR, f"Unable to parse UUID '{text}'", domain)
    return value


def readOwner(node: Node, what: str, domain: int) -> Owner:
    """Read the owner that something must have."""

    def absent(part: str) -> VirtError:
        return virtError(ErrorCode.INTERNAL_ERROR, f"{what} has no owner {part}", domain)

    found = node.find("owner/name")
    name = "" if found is None else xmlText(found)
    if not name:
        raise absent("name")
    return Owner(name=name, uuid=readUUID(node.find("owner/uuid"), absent("UUID"), domain))


def readMAC(node: Node, absent: VirtError, domain: int) -> str:
    """Read a hardware address that must be there."""
    found = node.find("mac")
    text = "" if found is None else found.get("address") or ""
    if not text:
        raise absent
    value = parseMAC(text)
    if value is None:
        raise virtError(ErrorCode.INTERNAL_ERROR, f"Unable to parse MAC '{text}'", domain)
    return value


def internal(detail: str) -> VirtError:
    """Make an internal error about networks."""
    return virtError(ErrorCode.INTERNAL_ERROR, detail, _DOMAIN)


def bad(detail: str) -> VirtError:
    """Make the error of a port that says something impossible."""
    return xmlError(detail, _DOMAIN)


def _setting(name: str, words: str) -> Kind:
    return choice(
        words,
        error=custom(
            f"Invalid {name} setting '{{text}}' in network port", ErrorCode.XML_ERROR, _DOMAIN
        ),
    )


_TYPES = choice("none network bridge direct hostdev-pci", absent="none")
_MANAGER = _setting("macTableManager", "kernel libvirt")
_MODE = _setting("mode", "vepa private bridge passthrough")
_DRIVERS = choice(
    "default vfio kvm",
    error=lambda text, node, name: bad("Missing network port driver name"),
    absent="default",
)


@definition
class Plug:
    """What the interface is plugged into, by type; what a type does not have is None."""

    xmlOrder: ClassVar[str] = "type bridge macTableManager dev mode managed driver address"

    type: str | None = attribute(_TYPES)
    bridge: str | None = attribute()
    macTableManager: str | None = attribute(_MANAGER)
    dev: str | None = attribute()
    mode: str | None = attribute(_MODE)
    managed: bool | None = attribute(BOOLEAN)
    driver: str | None = elementAttribute("driver", "name", _DRIVERS)
    address: PCIAddress | None = special(
        write=lambda value, out, indent, context: writeAddress(value, out, indent)
    )

    @classmethod
    def readElement(cls, node: Node, context: Context) -> Plug | None:
        """Read what the type has; a plug into nothing is none."""
        text = node.get("type")
        kind = None if text is None else _TYPES.read(text, node, "type")
        if kind is None:
            return None

        def read(name: str, how: Kind) -> Any:
            word = node.get(name)
            return how.read(word, node, name) if word else None

        if kind in ("network", "bridge"):
            bridge = node.get("bridge")
            if bridge is None:
                raise bad("Missing network port bridge name")
            return cls(type=kind, bridge=bridge, macTableManager=read("macTableManager", _MANAGER))
        if kind == "direct":
            dev = node.get("dev")
            if dev is None:
                raise bad("Missing network port link device name")
            return cls(type=kind, dev=dev, mode=read("mode", _MODE) or "vepa")
        word = node.get("managed")
        managed = None if word is None else BOOLEAN.read(word, node, "managed")
        driver = node.find("driver")
        name = None if driver is None else driver.get("name")
        known = None if name is None else _DRIVERS.read(name, driver, "name")
        address = node.find("address")
        if address is None:
            raise bad("Missing network port PCI address")
        found: PCIAddress = plainReader(PCIAddress)(address, context)
        return cls(type=kind, managed=managed, driver=known, address=found)


def _special(read: Callable[[Node], Any], write: Any, tags: str) -> Any:
    return special(tags=tags, read=lambda node, kids, context: read(node), write=write)


def _writeUUID(value: bytes, out: list[str], indent: str, context: Context) -> None:
    out.append(f"{indent}<uuid>{formatUUID(value)}</uuid>\n")


def _writeOwner(value: Owner, out: list[str], indent: str, context: Context) -> None:
    writer(Owner)(value, out, indent, "owner", context)


def _writeMAC(value: str, out: list[str], indent: str, context: Context) -> None:
    out.append(f"{indent}<mac address='{value}'/>\n")


@definition
class NetworkPortDefinition:
    """
    A port of a network.

    @ivar uuid: 16 bytes, not those of the owner.
    """

    xmlReadOrder: ClassVar[str] = "uuid owner group virtualport mac bandwidth vlan"

    uuid: bytes = _special(
        lambda node: readUUID(node.find("uuid"), internal("network port has no uuid"), _DOMAIN),
        _writeUUID,
        "uuid",
    )
    owner: Owner = _special(
        lambda node: readOwner(node, "network port", _DOMAIN), _writeOwner, "owner"
    )
    group: str | None = element(Kind(lambda text, node, name: text or None, escape))
    mac: str = _special(
        lambda node: readMAC(node, internal("network port has no mac"), _DOMAIN), _writeMAC, "mac"
    )
    virtualport: VirtualPort | None = element(VirtualPort)
    bandwidth: Bandwidth | None = element(Bandwidth)
    vlan: Vlan | None = element(Vlan)
    isolated: bool | None = elementAttribute("port", "isolated", BOOLEAN)
    trustGuestRxFilters: bool | None = elementAttribute("rxfilters", "trustGuest", BOOLEAN)
    plug: Plug | None = element(Plug)


def parseNetworkPort(xml: str) -> NetworkPortDefinition:
    """
    Parse a definition.

    @raise VirtError: as libvirt says it.
    """
    found: NetworkPortDefinition = reader(NetworkPortDefinition)(
        parseDocument("networkport", xml), Context()
    )
    return found


def formatNetworkPort(definition: NetworkPortDefinition) -> str:
    """Write a definition in libvirt's canonical form."""
    out: list[str] = []
    writer(NetworkPortDefinition)(definition, out, "", "networkport", Context())
    return "".join(out)
