"""
Commands that change whether and how a domain runs.
"""

from __future__ import annotations

from pyvirt.errors import VirtError
from pyvirt.shell.command import Command, CommandError, DomainCommand
from pyvirt.shell.commands.builtin import splitList
from pyvirt.shell.commands.starting import attachConsole, passedFiles
from pyvirt.shell.options import DOMAIN, data, flag, string

__all__ = ["COMMANDS"]


class Create(Command):
    """C{create}: start a domain that is not defined."""

    name = "create"
    brief = "create a domain from an XML file"
    description = "Create a domain."
    options = (
        data("file", "file containing an XML domain description"),
        flag("console", "attach to console after creation"),
        flag("paused", "leave the guest paused after creation"),
        flag("autodestroy", "automatically destroy the guest when virsh disconnects"),
        string("pass-fds", "pass file descriptors N,M,... to the guest"),
        flag("validate", "validate the XML against the schema"),
        flag("reset-nvram", "re-initialize NVRAM from its pristine template"),
    )

    async def run(self) -> None:
        path = self.requiredText("file")
        text = self.readFile(path)
        files = passedFiles(self)
        flags = self.flags(paused=1, autodestroy=2, validate=16)
        try:
            domain = await (
                self.connection.createXMLWithFiles(text, files, flags)
                if files
                else self.connection.createXML(text, flags)
            )
        except VirtError as error:
            raise CommandError(f"Failed to create domain from {path}") from error
        self.tell(f"Domain '{domain.name()}' created from {path}")
        if self.given("console"):
            attachConsole(self)


class Destroy(DomainCommand):
    """C{destroy}: stop a domain at once."""

    name = "destroy"
    brief = "destroy (stop) a domain"
    description = "Forcefully stop a given domain, but leave its resources intact."
    options = (
        DOMAIN,
        flag("graceful", "terminate gracefully"),
        flag("remove-logs", "remove domain logs"),
    )

    async def run(self) -> None:
        domain = await self.domain()
        flags = self.flags(graceful=1, remove_logs=2)
        try:
            await (domain.destroyFlags(flags) if flags else domain.destroy())
        except VirtError as error:
            raise CommandError(f"Failed to destroy domain '{self.typed}'") from error
        self.tell(f"Domain '{self.typed}' destroyed")


class Reboot(DomainCommand):
    """C{reboot}: have the guest start again."""

    name = "reboot"
    brief = "reboot a domain"
    description = "Run a reboot command in the target domain."
    options = (
        DOMAIN,
        string("mode", "shutdown mode: acpi|agent|initctl|signal|paravirt"),
    )

    async def run(self) -> None:
        flags = stopMode(self, "'signal' or")
        domain = await self.domain()
        try:
            await domain.reboot(flags)
        except VirtError as error:
            raise CommandError(f"Failed to reboot domain '{self.typed}'") from error
        self.tell(f"Domain '{self.typed}' is being rebooted")


class Reset(DomainCommand):
    """C{reset}: press the reset button."""

    name = "reset"
    brief = "reset a domain"
    description = "Reset the target domain as if by power button"
    options = (DOMAIN,)

    async def run(self) -> None:
        domain = await self.domain()
        try:
            await domain.reset(0)
        except VirtError as error:
            raise CommandError(f"Failed to reset domain '{self.typed}'") from error
        self.tell(f"Domain '{self.typed}' was reset")


class Resume(DomainCommand):
    """C{resume}: continue a suspended domain."""

    name = "resume"
    brief = "resume a domain"
    description = "Resume a previously suspended domain."
    options = (DOMAIN,)

    async def run(self) -> None:
        domain = await self.domain()
        try:
            await domain.resume()
        except VirtError as error:
            raise CommandError(f"Failed to resume domain '{self.typed}'") from error
        self.tell(f"Domain '{self.typed}' resumed")


class Shutdown(DomainCommand):
    """C{shutdown}: ask the guest to stop."""

    name = "shutdown"
    brief = "gracefully shutdown a domain"
    description = "Run shutdown in the target domain."
    options = (
        DOMAIN,
        string("mode", "shutdown mode: acpi|agent|initctl|signal|paravirt"),
    )

    async def run(self) -> None:
        flags = stopMode(self, "'signal', or")
        domain = await self.domain()
        try:
            await (domain.shutdownFlags(flags) if flags else domain.shutdown())
        except VirtError as error:
            raise CommandError(f"Failed to shutdown domain '{self.typed}'") from error
        self.tell(f"Domain '{self.typed}' is being shutdown")


class Suspend(DomainCommand):
    """C{suspend}: stop the processors of a domain."""

    name = "suspend"
    brief = "suspend a domain"
    description = "Suspend a running domain."
    options = (DOMAIN,)

    async def run(self) -> None:
        domain = await self.domain()
        try:
            await domain.suspend()
        except VirtError as error:
            raise CommandError(f"Failed to suspend domain '{self.typed}'") from error
        self.tell(f"Domain '{self.typed}' suspended")


_MODES = {"acpi": 1, "agent": 2, "initctl": 4, "signal": 8, "paravirt": 16}


def stopMode(command: Command, ending: str) -> int:
    """
    Read the ways of stopping that C{--mode} allows.

    @param ending: the last words of the list of modes in the report.
    @raise CommandError: one is unknown.
    """
    text = command.text("mode")
    flags = 0
    for word in splitList(text or ""):
        if word not in _MODES:
            raise CommandError(
                f"Unknown mode {word} value, expecting 'acpi', 'agent', 'initctl', {ending} 'paravirt'"
            )
        flags |= _MODES[word]
    return flags


COMMANDS: tuple[type[Command], ...] = (
    Create,
    Destroy,
    Reboot,
    Reset,
    Resume,
    Shutdown,
    Suspend,
)
