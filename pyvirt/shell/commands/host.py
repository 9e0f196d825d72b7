"""
Commands about the host and its hypervisor.
"""

from __future__ import annotations

from pyvirt.errors import VirtError
from pyvirt.shell.command import Command, CommandError
from pyvirt.shell.help import LIBRARY_VERSION
from pyvirt.shell.options import flag

__all__ = ["COMMANDS"]


class Hostname(Command):
    """C{hostname}: the name of the host."""

    name = "hostname"
    brief = "print the hypervisor hostname"

    async def run(self) -> None:
        try:
            self.print(await self.connection.getHostname())
        except VirtError as error:
            raise CommandError("failed to get hostname") from error


class CanonicalURI(Command):
    """C{uri}: the URI of the connection."""

    name = "uri"
    brief = "print the hypervisor canonical URI"

    async def run(self) -> None:
        try:
            self.print(await self.connection.getURI())
        except VirtError as error:
            raise CommandError("failed to get URI") from error


class Version(Command):
    """C{version}: the versions of everything that takes part."""

    name = "version"
    brief = "show version"
    description = "Display the system version information."
    options = (flag("daemon", "report daemon version too"),)

    async def run(self) -> None:
        try:
            kind = await self.connection.getType()
        except VirtError as error:
            raise CommandError("failed to get hypervisor type") from error
        self.print(f"Compiled against library: libvirt {LIBRARY_VERSION}")
        self.print(f"Using library: libvirt {LIBRARY_VERSION}")
        self.print(f"Using API: {kind} {LIBRARY_VERSION}")
        try:
            version = await self.connection.getVersion()
        except VirtError as error:
            raise CommandError("failed to get the hypervisor version") from error
        if version == 0:
            self.print(f"Cannot extract running {kind} hypervisor version")
        else:
            self.print(f"Running hypervisor: {kind} {dotted(version)}")
        if self.given("daemon"):
            try:
                daemon = await self.connection.getLibVersion()
            except VirtError as error:
                raise CommandError("failed to get the daemon version") from error
            self.print(f"Running against daemon: {dotted(daemon)}")


def dotted(version: int) -> str:
    """Write a version number: millions, thousands, rest."""
    return f"{version // 1000000}.{version // 1000 % 1000}.{version % 1000}"


COMMANDS: tuple[type[Command], ...] = (Hostname, CanonicalURI, Version)
