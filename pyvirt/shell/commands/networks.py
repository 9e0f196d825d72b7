"""
Commands about virtual networks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt.errors import VirtError
from pyvirt.shell.command import Command, CommandError
from pyvirt.shell.lookup import findByNameOrUUID
from pyvirt.shell.options import data, flag, string
from pyvirt.shell.table import Table
from pyvirt.shell.xmltext import printXML

if TYPE_CHECKING:
    from pyvirt.client.network import Network

__all__ = ["COMMANDS"]


class Autostart(Command):
    """C{net-autostart}: start a network with its host, or not."""

    name = "net-autostart"
    brief = "autostart a network"
    description = "Configure a network to be automatically started at boot."
    options = (
        data("network", "network name or uuid"),
        flag("disable", "disable autostarting"),
    )

    async def run(self) -> None:
        network = await findNetwork(self)
        start = not self.given("disable")
        try:
            await network.setAutostart(int(start))
        except VirtError as error:
            word = "mark" if start else "unmark"
            raise CommandError(
                f"failed to {word} network {network.name()} as autostarted"
            ) from error
        word = "marked" if start else "unmarked"
        self.tell(f"Network {network.name()} {word} as autostarted")


class Create(Command):
    """C{net-create}: start a network that is not defined."""

    name = "net-create"
    brief = "create a network from an XML file"
    description = "Create a network."
    options = (
        data("file", "file containing an XML network description"),
        flag("validate", "validate the XML against the schema"),
    )

    async def run(self) -> None:
        path = self.requiredText("file")
        text = self.readFile(path)
        flags = self.flags(validate=1)
        try:
            made = await (
                self.connection.networkCreateXMLFlags(text, flags)
                if flags
                else self.connection.networkCreateXML(text)
            )
        except VirtError as error:
            raise CommandError(f"Failed to create network from {path}") from error
        self.tell(f"Network {made.name()} created from {path}")


class Define(Command):
    """C{net-define}: define a network."""

    name = "net-define"
    brief = "define an inactive persistent virtual network or modify an existing persistent one from an XML file"
    description = "Define or modify a persistent virtual network."
    options = (
        data("file", "file containing an XML network description"),
        flag("validate", "validate the XML against the schema"),
    )

    async def run(self) -> None:
        path = self.requiredText("file")
        text = self.readFile(path)
        flags = self.flags(validate=1)
        try:
            made = await (
                self.connection.networkDefineXMLFlags(text, flags)
                if flags
                else self.connection.networkDefineXML(text)
            )
        except VirtError as error:
            raise CommandError(f"Failed to define network from {path}") from error
        self.tell(f"Network {made.name()} defined from {path}")


class Destroy(Command):
    """C{net-destroy}: stop a network."""

    name = "net-destroy"
    brief = "destroy (stop) a network"
    description = "Forcefully stop a given network."
    options = (data("network", "network name or uuid"),)

    async def run(self) -> None:
        network = await findNetwork(self)
        try:
            await network.destroy()
        except VirtError as error:
            raise CommandError(f"Failed to destroy network {network.name()}") from error
        self.tell(f"Network {network.name()} destroyed")


class DumpXML(Command):
    """C{net-dumpxml}: print the definition of a network."""

    name = "net-dumpxml"
    brief = "network information in XML"
    description = "Output the network information as an XML dump to stdout."
    options = (
        data("network", "network name or uuid"),
        flag("inactive", "show inactive defined XML"),
        string("xpath", "xpath expression to filter the XML document", named=True),
        flag("wrap", "wrap xpath results in an common root element"),
    )

    async def run(self) -> None:
        expression = self.quietText("xpath")
        network = await findNetwork(self)
        text = await network.XMLDesc(self.flags(inactive=1))
        printXML(self, text, expression, self.given("wrap"))


class Information(Command):
    """C{net-info}: the basics of a network."""

    name = "net-info"
    brief = "network information"
    description = "Returns basic information about the network"
    options = (data("network", "network name or uuid"),)

    async def run(self) -> None:
        network = await findNetwork(self)
        self._field("Name:", network.name())
        self._field("UUID:", network.UUIDString())
        for title, answer in (
            ("Active:", network.isActive()),
            ("Persistent:", network.isPersistent()),
            ("Autostart:", network.autostart()),
        ):
            value = await answerOrNone(answer)
            if value is not None:
                self._field(title, "yes" if value else "no")
            elif title != "Active:":
                self._field(title, "unknown" if title == "Persistent:" else "no autostart")
        bridge = await answerOrNone(network.bridgeName())
        if bridge is not None:
            self._field("Bridge:", bridge)

    def _field(self, title: str, value: str) -> None:
        self.print(f"{title:<15} {value}")


class ListNetworks(Command):
    """C{net-list}: networks, all or those that filters pick."""

    name = "net-list"
    brief = "list networks"
    description = "Returns list of networks."
    options = (
        flag("inactive", "list inactive networks"),
        flag("all", "list inactive & active networks"),
        flag("persistent", "list persistent networks"),
        flag("transient", "list transient networks"),
        flag("autostart", "list networks with autostart enabled"),
        flag("no-autostart", "list networks with autostart disabled"),
        flag("uuid", "list uuid's only"),
        flag("name", "list network names only"),
        flag("table", "list table (default)"),
    )

    async def run(self) -> None:
        if sum(self.given(form) for form in ("table", "name", "uuid")) > 1:
            raise CommandError(
                "Only one argument from --table, --name and --uuid may be specified."
            )
        flags = 1 if self.given("inactive") else 2
        if self.given("all"):
            flags = 3
        flags |= self.flags(persistent=4, transient=8, autostart=16, no_autostart=32)
        try:
            networks = await self.connection.listAllNetworks(flags)
        except VirtError as error:
            raise CommandError("Failed to list networks") from error
        networks.sort(key=lambda network: (network.name().lower(), network.name()))
        if self.given("name") or self.given("uuid"):
            for network in networks:
                self.print(network.name() if self.given("name") else network.UUIDString())
            return
        table = Table("Name", "State", "Autostart", "Persistent")
        for network in networks:
            autostart = await answerOrNone(network.autostart())
            table.add(
                network.name(),
                "active" if await network.isActive() else "inactive",
                "no autostart" if autostart is None else "yes" if autostart else "no",
                "yes" if await network.isPersistent() else "no",
            )
        self.session.output(table.text(header=not self.session.settings.quiet))


class Name(Command):
    """C{net-name}: the name of a network."""

    name = "net-name"
    brief = "convert a network UUID to network name"
    options = (data("network", "network uuid"),)

    async def run(self) -> None:
        network = await findNetwork(self, byName=False)
        self.print(network.name())


class Start(Command):
    """C{net-start}: start a network."""

    name = "net-start"
    brief = "start a (previously defined) inactive network"
    description = "Start a network."
    options = (data("network", "network name or uuid"),)

    async def run(self) -> None:
        network = await findNetwork(self)
        try:
            await network.create()
        except VirtError as error:
            raise CommandError(f"Failed to start network {network.name()}") from error
        self.tell(f"Network {network.name()} started")


class Undefine(Command):
    """C{net-undefine}: forget a network."""

    name = "net-undefine"
    brief = "undefine a persistent network"
    description = "Undefine the configuration for a persistent network."
    options = (data("network", "network name or uuid"),)

    async def run(self) -> None:
        network = await findNetwork(self)
        try:
            await network.undefine()
        except VirtError as error:
            raise CommandError(f"Failed to undefine network {network.name()}") from error
        self.tell(f"Network {network.name()} has been undefined")


class UUID(Command):
    """C{net-uuid}: the UUID of a network."""

    name = "net-uuid"
    brief = "convert a network name to network UUID"
    options = (data("network", "network name"),)

    async def run(self) -> None:
        network = await findNetwork(self, byUUID=False)
        self.print(network.UUIDString())


async def findNetwork(command: Command, byName: bool = True, byUUID: bool = True) -> Network:
    """Find the network that C{network} names."""
    connection = command.connection
    found: Network = await findByNameOrUUID(
        command,
        "network",
        "network",
        connection.networkLookupByUUIDString if byUUID else None,
        connection.networkLookupByName if byName else None,
    )
    return found


async def answerOrNone(answer: Any) -> Any:
    """Wait for an answer; None if it cannot be had."""
    try:
        return await answer
    except VirtError:
        return None


COMMANDS: tuple[type[Command], ...] = (
    Autostart,
    Create,
    Define,
    Destroy,
    DumpXML,
    Information,
    ListNetworks,
    Name,
    Start,
    Undefine,
    UUID,
)
