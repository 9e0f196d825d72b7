"""
One part of a network that is added, changed or taken away: reading it, and the parts that are not names.
"""

from __future__ import annotations

from typing import Any, TypeVar

from lxml import etree

from pyvirt import constants as c
from pyvirt.definitions.kinds import xmlError
from pyvirt.definitions.netbits import familyOf, parseMAC
from pyvirt.definitions.netnames import checkWord, srvNumber
from pyvirt.definitions.network import (
    DHCP,
    IP,
    DHCPHost,
    DHCPRange,
    DNSHost,
    Forward,
    ForwardInterface,
    NetworkDefinition,
    PortGroup,
)
from pyvirt.definitions.reader import localName, parseTree
from pyvirt.definitions.schema import Context, reader, replaced
from pyvirt.drivers.refusals import operationInvalid
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError, virtError

__all__ = ["ADD", "DELETE", "MODIFY", "Update", "placed", "refused", "unsupported", "without"]

_DOMAIN = ErrorDomain.NETWORK
_T = TypeVar("_T")

ADD = (c.VIR_NETWORK_UPDATE_COMMAND_ADD_FIRST, c.VIR_NETWORK_UPDATE_COMMAND_ADD_LAST)
MODIFY = c.VIR_NETWORK_UPDATE_COMMAND_MODIFY
DELETE = c.VIR_NETWORK_UPDATE_COMMAND_DELETE


def unsupported(detail: str) -> VirtError:
    """Make the error of a change that is never made."""
    return virtError(ErrorCode.OPERATION_UNSUPPORTED, detail, _DOMAIN)


def refused(detail: str) -> VirtError:
    """Make the error of a change that does not fit what is there."""
    return operationInvalid(detail, _DOMAIN)


def placed(items: tuple[_T, ...], item: _T, command: int) -> tuple[_T, ...]:
    """Put an item first or last."""
    if command == c.VIR_NETWORK_UPDATE_COMMAND_ADD_FIRST:
        return (item, *items)
    return (*items, item)


def without(items: tuple[_T, ...], item: _T) -> tuple[_T, ...]:
    return tuple(each for each in items if each is not item)


class Update:
    """
    One change.

    @ivar name: the name of the network, for the texts.
    @ivar node: the element that is given.
    """

    def __init__(self, definition: NetworkDefinition, command: int, index: int, xml: str) -> None:
        self.definition = definition
        self.name = definition.name
        self.command = command
        self.index = index
        self.node = parseTree(xml, None, label="network_update_xml", domain=_DOMAIN)

    def expect(self, tag: str) -> None:
        """Refuse an element of another name."""
        if localName(self.node) != tag:
            raise xmlError(
                f"unexpected element <{localName(self.node)}>, expecting <{tag}>, while updating network "
                f"'{self.name}'",
                _DOMAIN,
            )

    def fixed(self, what: str) -> None:
        """Refuse to change what can only come and go."""
        if self.command == MODIFY:
            raise unsupported(f"{what} cannot be modified, only added or deleted")

    def unknown(self) -> VirtError:
        """Make the error of a command that is none."""
        return unsupported(f"unrecognized network update command code {self.command}")

    def read(self, cls: Any, *parents: tuple[str, dict[str, str]], partial: bool = False) -> Any:
        """
        Read the element as what it would be in the network.

        @param parents: the elements it would be in.
        @param partial: whether it only says what to look for.
        """
        root = etree.Element("network")
        etree.SubElement(root, "name").text = self.name
        place = root
        for tag, attributes in parents:
            place = etree.SubElement(place, tag, attributes)
        place.append(self.node)
        return self.partly(cls) if partial else reader(cls)(self.node, Context())

    def partly(self, cls: Any) -> Any:
        """Read the fields that are there, without asking for those that are not."""
        values = {
            name: value for name, value in self.node.attrib.items() if name in cls.__annotations__
        }
        for name in ("service", "protocol"):
            if name in values:
                checkWord(name, self.node, self.name)
        for name in ("port", "priority", "weight"):
            if name in values:
                kind = srvNumber("Invalid" if name == "priority" else "invalid")
                values[name] = kind.read(values[name], self.node, name)
        found = object.__new__(cls)
        for field in cls.__attrs_attrs__:
            default = () if field.name == "hostnames" else None
            object.__setattr__(found, field.name, values.get(field.name, default))
        if cls is DNSHost:
            names = tuple(child.text or "" for child in self.node.findall("hostname"))
            object.__setattr__(found, "hostnames", names)
        return found

    # DHCP

    def address(self) -> IP:
        """Find the address whose guests are meant: by its place, or the first that serves any."""
        ips = self.definition.ips
        if self.index >= 0:
            if self.index < len(ips):
                return ips[self.index]
            raise refused(
                "couldn't update dhcp host entry - no <ip> element found at index "
                f"{self.index} in network '{self.name}'"
            )
        for ip in ips:
            if ip.dhcp is not None and (ip.dhcp.ranges or ip.dhcp.hosts):
                return ip
        for family in ((None, "ipv4"), ("ipv6",)):
            for ip in ips:
                if ip.family in family:
                    return ip
        raise refused(
            f"couldn't update dhcp host entry - no <ip> element found in network '{self.name}'"
        )

    def serving(self, ip: IP, **changes: Any) -> NetworkDefinition:
        """Return the network with another service of one address."""
        dhcp = replaced(ip.dhcp or DHCP(), **changes)
        fixed = replaced(ip, dhcp=dhcp)
        ips = tuple(fixed if each is ip else each for each in self.definition.ips)
        return replaced(self.definition, ips=ips)

    def within(self, ip: IP) -> tuple[tuple[str, dict[str, str]], tuple[str, dict[str, str]]]:
        """Return the elements that a range or a host of an address is in."""
        attributes = {
            name: str(value)
            for name in ("family", "address", "netmask", "prefix")
            if (value := getattr(ip, name)) is not None
        }
        return ("ip", attributes), ("dhcp", {})

    def host(self) -> NetworkDefinition:
        """Change an address that is kept for a guest."""
        self.expect("host")
        ip = self.address()
        hosts = ip.dhcp.hosts if ip.dhcp is not None else ()
        host: DHCPHost
        if self.command == DELETE:
            host = self._someHost()

            def fits(own: str | None, wanted: str | None) -> bool:
                return wanted is None or own == wanted

            for each in hosts:
                if (
                    fits(_lower(each.mac), _lower(host.mac))
                    and fits(each.name, host.name)
                    and fits(each.ip, host.ip)
                    and fits(each.id, host.id)
                ):
                    return self.serving(ip, hosts=without(hosts, each))
            raise refused(f"couldn't locate a matching dhcp host entry in network '{self.name}'")
        host = self.read(DHCPHost, *self.within(ip))
        if familyOf(host.ip or "") != familyOf(ip.address or ""):
            raise refused(
                "the address family of a host entry IP must match the address family of the dhcp "
                "element's parent"
            )
        known = [
            each
            for each in hosts
            if (host.mac is not None and _lower(each.mac) == _lower(host.mac))
            or (host.ip is not None and each.ip == host.ip)
            or (host.name is not None and each.name == host.name)
            or (host.id is not None and each.id == host.id)
        ]
        if self.command == MODIFY:
            if not known:
                raise refused(
                    "couldn't locate an existing dhcp host entry with "
                    f"\"mac='{host.mac or 'unknown'}'\" \"name='{host.name or '(null)'}'\" "
                    f"\"ip='{host.ip or 'unknown'}'\" in network '{self.name}'"
                )
            changed = tuple(host if each is known[0] else each for each in hosts)
            return self.serving(ip, hosts=changed)
        if self.command not in ADD:
            raise self.unknown()
        if known:
            raise refused(
                f"there is an existing dhcp host entry in network '{self.name}' that matches "
                f"\"<host mac='{host.mac or 'unknown'}' name='{host.name or '(null)'}' "
                f"ip='{host.ip or 'unknown'}'/>\""
            )
        return self.serving(ip, hosts=placed(hosts, host, self.command))

    def _someHost(self) -> DHCPHost:
        """Read what says which host is meant."""
        host: DHCPHost = self.partly(DHCPHost)
        if host.mac is not None and parseMAC(host.mac) is None:
            raise xmlError(
                f"Cannot parse MAC address '{host.mac}' in network '{self.name}'", _DOMAIN
            )
        if host.mac is None and host.name is None and host.ip is None:
            raise xmlError(
                "At least one of name, mac, or ip attribute must be specified for static host "
                f"definition in network '{self.name}' ",
                _DOMAIN,
            )
        if host.ip is not None and familyOf(host.ip) is None:
            raise xmlError(
                f"Invalid IP address in static host definition for network '{self.name}'", _DOMAIN
            )
        return host

    def range(self) -> NetworkDefinition:
        """Change the addresses that are given to guests."""
        self.expect("range")
        ip = self.address()
        self.fixed("dhcp ranges")
        found: DHCPRange = self.read(DHCPRange, *self.within(ip))
        ranges = ip.dhcp.ranges if ip.dhcp is not None else ()
        known = [each for each in ranges if (each.start, each.end) == (found.start, found.end)]
        if self.command in ADD:
            if known:
                raise refused(
                    f"there is an existing dhcp range entry in network '{self.name}' that matches "
                    f"\"<range start='{found.start}' end='{found.end}'/>\""
                )
            return self.serving(ip, ranges=placed(ranges, found, self.command))
        if self.command != DELETE:
            raise self.unknown()
        if not known:
            raise refused(f"couldn't locate a matching dhcp range entry in network '{self.name}'")
        return self.serving(ip, ranges=without(ranges, known[0]))

    # Ways out, and groups of ports

    def interface(self) -> NetworkDefinition:
        """Change the interfaces that traffic goes through."""
        self.expect("interface")
        self.fixed("forward interface entries")
        dev = self.node.get("dev")
        if dev is None:
            raise xmlError("missing dev attribute in <interface> element", _DOMAIN)
        forward = self.definition.forward
        interfaces = forward.interfaces if forward is not None else ()
        known = [each for each in interfaces if each.dev == dev]
        if self.command in ADD:
            if known:
                raise refused(
                    f"there is an existing interface entry in network '{self.name}' that matches "
                    f"\"<interface dev='{dev}'>\""
                )
            kept = placed(interfaces, ForwardInterface(dev=dev), self.command)
        elif self.command == DELETE:
            if not known:
                raise refused(
                    f"couldn't find an interface entry in network '{self.name}' matching "
                    f"<interface dev='{dev}'>"
                )
            kept = without(interfaces, known[0])
        else:
            raise self.unknown()
        if forward is None:
            return self.definition
        changed: Forward = replaced(forward, interfaces=kept, dev=kept[0].dev if kept else None)
        return replaced(self.definition, forward=changed)

    def portgroup(self) -> NetworkDefinition:
        """Change a group of ports."""
        self.expect("portgroup")
        group: PortGroup = self.read(PortGroup)
        groups = self.definition.portgroups
        known = [each for each in groups if each.name == group.name]
        if not known and self.command in (MODIFY, DELETE):
            raise refused(
                f"couldn't find a portgroup entry in network '{self.name}' matching "
                f"<portgroup name='{group.name}'>"
            )
        if known and self.command in ADD:
            raise refused(
                f"there is an existing portgroup entry in network '{self.name}' that matches "
                f"\"<portgroup name='{group.name}'>\""
            )
        if group.default and self.command != DELETE:
            for each in groups:
                if each.default and each.name != group.name:
                    raise refused(
                        f"a different portgroup entry in network '{self.name}' is already set as "
                        "the default. Only one default is allowed."
                    )
        if self.command == MODIFY:
            kept = tuple(group if each is known[0] else each for each in groups)
        elif self.command in ADD:
            kept = placed(groups, group, self.command)
        elif self.command == DELETE:
            kept = without(groups, known[0])
        else:
            raise self.unknown()
        return replaced(self.definition, portgroups=kept)


def _lower(text: str | None) -> str | None:
    return None if text is None else text.lower()
