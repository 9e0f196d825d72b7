"""
Commands that convert between the name, the UUID and the id of a domain, and change names.
"""

from __future__ import annotations

from pyvirt.errors import VirtError
from pyvirt.shell.command import Command, CommandError, DomainCommand
from pyvirt.shell.options import DOMAIN, data, flag, string

__all__ = ["COMMANDS"]


class Autostart(DomainCommand):
    """C{autostart}: start a domain with its host, or not."""

    name = "autostart"
    brief = "autostart a domain"
    description = "Configure a domain to be automatically started at boot."
    options = (
        DOMAIN,
        flag("disable", "disable autostarting"),
    )

    async def run(self) -> None:
        domain = await self.domain()
        start = not self.given("disable")
        word = "mark" if start else "unmark"
        try:
            await domain.setAutostart(int(start))
        except VirtError as error:
            raise CommandError(f"Failed to {word} domain '{self.typed}' as autostarted") from error
        self.tell(f"Domain '{self.typed}' {word}ed as autostarted")


class GuestHostname(DomainCommand):
    """C{domhostname}: the name the guest gives itself."""

    name = "domhostname"
    brief = "print the domain's hostname"
    options = (
        DOMAIN,
        string("source", "address source: 'lease' or 'agent'"),
    )

    async def run(self) -> None:
        source = self.text("source")
        flags = 0
        if source is not None:
            if source not in _HOSTNAME_SOURCES:
                raise CommandError(f"Unknown data source '{source}'")
            flags = _HOSTNAME_SOURCES[source]
        domain = await self.domain()
        try:
            self.print(await domain.hostname(flags))
        except VirtError as error:
            raise CommandError("failed to get hostname") from error


class DomainId(DomainCommand):
    """C{domid}: the id of a domain."""

    name = "domid"
    brief = "convert a domain name or UUID to domain id"
    options = (data("domain", "domain name or uuid"),)
    byId = False

    async def run(self) -> None:
        domain = await self.domain()
        self.print(str(domain.ID()) if domain.ID() >= 0 else "-")


class DomainName(DomainCommand):
    """C{domname}: the name of a domain."""

    name = "domname"
    brief = "convert a domain id or UUID to domain name"
    options = (data("domain", "domain id or uuid"),)
    byName = False

    async def run(self) -> None:
        domain = await self.domain()
        self.print(domain.name())


class RenameDomain(DomainCommand):
    """C{domrename}: give a domain another name."""

    name = "domrename"
    brief = "rename a domain"
    description = "Rename an inactive domain."
    options = (
        data("domain", "domain name or uuid"),
        data("new-name", "new domain name"),
    )

    async def run(self) -> None:
        domain = await self.domain()
        await domain.rename(self.requiredText("new-name"), 0)
        self.tell("Domain successfully renamed")


class DomainUUID(DomainCommand):
    """C{domuuid}: the UUID of a domain."""

    name = "domuuid"
    brief = "convert a domain name or id to domain UUID"
    options = (data("domain", "domain id or name"),)
    byUUID = False

    async def run(self) -> None:
        domain = await self.domain()
        self.print(domain.UUIDString())


class ManagedSave(DomainCommand):
    """C{managedsave}: save a domain where it will be continued from."""

    name = "managedsave"
    brief = "managed save of a domain state"
    description = "Save and destroy a running domain, so it can be restarted from\n    the same state at a later time.  When the virsh 'start'\n    command is next run for the domain, it will automatically\n    be started from this saved state."
    options = (
        DOMAIN,
        flag("bypass-cache", "avoid file system cache when saving"),
        flag("running", "set domain to be running on next start"),
        flag("paused", "set domain to be paused on next start"),
        flag("verbose", "display the progress of save"),
    )

    async def run(self) -> None:
        flags = self.flags(bypass_cache=1, running=2, paused=4)
        domain = await self.domain()
        try:
            await domain.managedSave(flags)
        except VirtError as error:
            raise CommandError(f"Failed to save domain '{self.typed}' state") from error
        if self.given("verbose"):
            self.session.streams.complain("\rManagedsave: [100 %]")
        self.tell(f"\nDomain '{self.typed}' state saved by libvirt")


class RemoveManagedSave(DomainCommand):
    """C{managedsave-remove}: forget what a domain would continue from."""

    name = "managedsave-remove"
    brief = "Remove managed save of a domain"
    description = "Remove an existing managed save state file from a domain"
    options = (DOMAIN,)

    async def run(self) -> None:
        domain = await self.domain()
        try:
            saved = await domain.hasManagedSaveImage(0)
        except VirtError as error:
            raise CommandError("Failed to check for domain managed save image") from error
        if not saved:
            self.session.remark(f"Domain '{self.typed}' has no manage save image; removal skipped")
            return
        try:
            await domain.managedSaveRemove(0)
        except VirtError as error:
            raise CommandError(
                f"Failed to remove managed save image for domain '{self.typed}'"
            ) from error
        self.session.remark(f"Removed managedsave image for domain '{self.typed}'")


_HOSTNAME_SOURCES = {"lease": 1, "agent": 2}


COMMANDS: tuple[type[Command], ...] = (
    Autostart,
    GuestHostname,
    DomainId,
    DomainName,
    RenameDomain,
    DomainUUID,
    ManagedSave,
    RemoveManagedSave,
)
