"""
Commands that read and print the definitions of domains.
"""

from __future__ import annotations

from pyvirt.errors import VirtError
from pyvirt.shell.command import Command, CommandError, DomainCommand
from pyvirt.shell.options import DOMAIN, FILE, flag, string

__all__ = ["COMMANDS"]

VALIDATE = 1


class Define(Command):
    """C{define}: define a domain, or change its definition."""

    name = "define"
    brief = "define (but don't start) a domain from an XML file"
    description = "Define a domain."
    options = (
        FILE("file containing an XML domain description"),
        flag("validate", "validate the XML against the schema"),
    )

    async def run(self) -> None:
        path = self.requiredText("file")
        text = self.readFile(path)
        try:
            if self.given("validate"):
                domain = await self.connection.defineXMLFlags(text, VALIDATE)
            else:
                domain = await self.connection.defineXML(text)
        except VirtError as error:
            raise CommandError(f"Failed to define domain from {path}") from error
        self.tell(f"Domain '{domain.name()}' defined from {path}")


class DumpXML(DomainCommand):
    """C{dumpxml}: print the definition of a domain."""

    name = "dumpxml"
    brief = "domain information in XML"
    description = "Output the domain information as an XML dump to stdout."
    options = (
        DOMAIN,
        flag("inactive", "show inactive defined XML"),
        flag("security-info", "include security sensitive information in XML dump"),
        flag("update-cpu", "update guest CPU according to host CPU"),
        flag("migratable", "provide XML suitable for migrations"),
        string("xpath", "xpath expression to filter the XML document", named=True),
        flag("wrap", "wrap xpath results in an common root element"),
    )

    async def run(self) -> None:
        expression = self.quietText("xpath")
        flags = self.flags(security_info=1, inactive=2, update_cpu=4, migratable=8)
        domain = await self.domain()
        text = await domain.XMLDesc(flags)
        if expression is None:
            self.session.output(text)
            return
        from pyvirt.shell.xmltext import printXML

        printXML(self, text, expression, self.given("wrap"))


COMMANDS: tuple[type[Command], ...] = (Define, DumpXML)
