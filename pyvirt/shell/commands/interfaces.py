"""
Commands about the network interfaces of the host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyvirt.errors import VirtError
from pyvirt.shell.command import Command, CommandError
from pyvirt.shell.options import data, flag, string
from pyvirt.shell.table import Table
from pyvirt.shell.xmltext import printXML

if TYPE_CHECKING:
    from pyvirt.client.interface import Interface

__all__ = ["COMMANDS"]


class Destroy(Command):
    """C{iface-destroy}: disable an interface."""

    name = "iface-destroy"
    brief = 'destroy a physical host interface (disable it / "if-down")'
    description = "forcefully stop a physical host interface."
    options = (data("interface", "interface name or MAC address"),)

    async def run(self) -> None:
        interface = await findInterface(self)
        try:
            await interface.destroy(0)
        except VirtError as error:
            raise CommandError(f"Failed to destroy interface {interface.name()}") from error
        self.tell(f"Interface {interface.name()} destroyed")


class DumpXML(Command):
    """C{iface-dumpxml}: print the definition of an interface."""

    name = "iface-dumpxml"
    brief = "interface information in XML"
    description = "Output the physical host interface information as an XML dump to stdout."
    options = (
        data("interface", "interface name or MAC address"),
        flag("inactive", "show inactive defined XML"),
        string("xpath", "xpath expression to filter the XML document", named=True),
        flag("wrap", "wrap xpath results in an common root element"),
    )

    async def run(self) -> None:
        expression = self.quietText("xpath")
        interface = await findInterface(self)
        text = await interface.XMLDesc(self.flags(inactive=1))
        printXML(self, text, expression, self.given("wrap"))


class ListInterfaces(Command):
    """C{iface-list}: interfaces, all or the active ones."""

    name = "iface-list"
    brief = "list physical host interfaces"
    description = "Returns list of physical host interfaces."
    options = (
        flag("inactive", "list inactive interfaces"),
        flag("all", "list inactive & active interfaces"),
    )

    async def run(self) -> None:
        flags = 1 if self.given("inactive") else 2
        if self.given("all"):
            flags = 3
        try:
            interfaces = await self.connection.listAllInterfaces(flags)
        except VirtError as error:
            raise CommandError("Failed to list interfaces") from error
        interfaces.sort(key=lambda interface: (interface.name().lower(), interface.name()))
        table = Table("Name", "State", "MAC Address")
        for interface in interfaces:
            state = "active" if await interface.isActive() else "inactive"
            table.add(interface.name(), state, interface.MACString())
        self.session.output(table.text(header=not self.session.settings.quiet))


class HardwareAddress(Command):
    """C{iface-mac}: the MAC address of an interface."""

    name = "iface-mac"
    brief = "convert an interface name to interface MAC address"
    options = (data("interface", "interface name"),)

    async def run(self) -> None:
        interface = await findInterface(self, byAddress=False)
        self.print(interface.MACString())


class Name(Command):
    """C{iface-name}: the name of an interface."""

    name = "iface-name"
    brief = "convert an interface MAC address to interface name"
    options = (data("interface", "interface mac"),)

    async def run(self) -> None:
        interface = await findInterface(self, byName=False)
        self.print(interface.name())


class Start(Command):
    """C{iface-start}: enable an interface."""

    name = "iface-start"
    brief = 'start a physical host interface (enable it / "if-up")'
    description = "start a physical host interface."
    options = (data("interface", "interface name or MAC address"),)

    async def run(self) -> None:
        interface = await findInterface(self)
        try:
            await interface.create(0)
        except VirtError as error:
            raise CommandError(f"Failed to start interface {interface.name()}") from error
        self.tell(f"Interface {interface.name()} started")


class Undefine(Command):
    """C{iface-undefine}: forget an interface."""

    name = "iface-undefine"
    brief = "undefine a physical host interface (remove it from configuration)"
    description = "undefine an interface."
    options = (data("interface", "interface name or MAC address"),)

    async def run(self) -> None:
        interface = await findInterface(self)
        try:
            await interface.undefine()
        except VirtError as error:
            raise CommandError(f"Failed to undefine interface {interface.name()}") from error
        self.tell(f"Interface {interface.name()} undefined")


#: The length of a MAC address as text.
ADDRESS_LENGTH = 17


async def findInterface(command: Command, byName: bool = True, byAddress: bool = True) -> Interface:
    """
    Find the interface that C{interface} names, by name or by MAC address.

    @raise CommandError: there is none.
    """
    word = command.requiredText("interface")
    command.session.trace(1, f"{command.name}: found option <interface>: {word}\n")
    failure: VirtError | None = None
    connection = command.connection
    if byName:
        command.session.trace(0, f"{command.name}: <interface> trying as interface NAME\n")
        try:
            found: Interface = await connection.interfaceLookupByName(word)
            return found
        except VirtError as error:
            failure = error
    if byAddress and len(word) == ADDRESS_LENGTH:
        command.session.trace(0, f"{command.name}: <interface> trying as interface MAC\n")
        try:
            found = await connection.interfaceLookupByMACString(word)
            return found
        except VirtError as error:
            failure = error
    raise CommandError(f"failed to get interface '{word}'") from failure


COMMANDS: tuple[type[Command], ...] = (
    Destroy,
    DumpXML,
    ListInterfaces,
    HardwareAddress,
    Name,
    Start,
    Undefine,
)
