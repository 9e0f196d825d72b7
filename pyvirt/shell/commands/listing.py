"""
C{list}: the domains of a connection.
"""

from __future__ import annotations

from typing import Any

from pyvirt.errors import VirtError
from pyvirt.shell.command import Command, CommandError
from pyvirt.shell.options import flag
from pyvirt.shell.states import domainState
from pyvirt.shell.table import Table

__all__ = ["COMMANDS", "domainTitle"]

ACTIVE, INACTIVE = 1, 2
SHUT_OFF = 5
TITLE = 1


class ListDomains(Command):
    """C{list}: running domains, or those that filters pick."""

    name = "list"
    brief = "list domains"
    description = "Returns list of domains."
    options = (
        flag("inactive", "list inactive domains"),
        flag("all", "list inactive & active domains"),
        flag("transient", "list transient domains"),
        flag("persistent", "list persistent domains"),
        flag("with-snapshot", "list domains with existing snapshot"),
        flag("without-snapshot", "list domains without a snapshot"),
        flag("with-checkpoint", "list domains with existing checkpoint"),
        flag("without-checkpoint", "list domains without a checkpoint"),
        flag("state-running", "list domains in running state"),
        flag("state-paused", "list domains in paused state"),
        flag("state-shutoff", "list domains in shutoff state"),
        flag("state-other", "list domains in other states"),
        flag("autostart", "list domains with autostart enabled"),
        flag("no-autostart", "list domains with autostart disabled"),
        flag("with-managed-save", "list domains with managed save state"),
        flag("without-managed-save", "list domains without managed save"),
        flag("uuid", "list uuid's only"),
        flag("name", "list domain names only"),
        flag("id", "list domain IDs only"),
        flag("table", "list table (default)"),
        flag("managed-save", "mark inactive domains with managed save state"),
        flag("title", "show domain title"),
    )

    async def run(self) -> None:
        for column in ("name", "uuid", "id"):
            self.exclude("table", column)
        domains = await self._domains()
        if self.given("uuid") or self.given("name") or self.given("id"):
            self._printWords(domains)
        else:
            await self._printTable(domains)

    def _filter(self) -> int:
        flags = ACTIVE
        if self.given("inactive") or self.given("state-shutoff"):
            flags = INACTIVE
        if self.given("all"):
            flags = ACTIVE | INACTIVE
        return flags | self.flags(
            persistent=4,
            transient=8,
            state_running=16,
            state_paused=32,
            state_shutoff=64,
            state_other=128,
            with_managed_save=256,
            without_managed_save=512,
            autostart=1024,
            no_autostart=2048,
            with_snapshot=4096,
            without_snapshot=8192,
            with_checkpoint=1 << 14,
            without_checkpoint=1 << 15,
        )

    async def _domains(self) -> list[Any]:
        """Give the domains in order: running ones by id, then the others by name."""
        try:
            domains = await self.connection.listAllDomains(self._filter())
        except VirtError as error:
            raise CommandError("Failed to list domains") from error
        return sorted(domains, key=_order)

    def _printWords(self, domains: list[Any]) -> None:
        onlyIds = not self.given("uuid") and not self.given("name")
        for domain in domains:
            words = []
            if self.given("uuid"):
                words.append(domain.UUIDString())
            if self.given("id"):
                if domain.ID() >= 0:
                    words.append(str(domain.ID()))
                elif onlyIds:
                    continue
                else:
                    words.append("-")
            if self.given("name"):
                words.append(domain.name())
            self.print(" ".join(words))

    async def _printTable(self, domains: list[Any]) -> None:
        header = ["Id", "Name", "State"]
        if self.given("title"):
            header.append("Title")
        table = Table(*header)
        for domain in domains:
            row = [
                str(domain.ID()) if domain.ID() >= 0 else "-",
                domain.name(),
                await self._state(domain),
            ]
            if self.given("title"):
                row.append(await domainTitle(domain))
            table.add(*row)
        self.session.output(table.text(header=not self.session.settings.quiet))

    async def _state(self, domain: Any) -> str:
        try:
            state, _ = await domain.state(0)
        except VirtError:
            # It ended meanwhile: a list tells what it still knows.
            return domainState(SHUT_OFF if domain.ID() < 0 else 0)
        if self.given("managed-save") and state == SHUT_OFF:
            try:
                if await domain.hasManagedSaveImage(0):
                    return "saved"
            except VirtError:
                pass
        return domainState(state)


def _order(domain: Any) -> tuple[bool, int, str, str]:
    number = domain.ID()
    name = domain.name()
    if number >= 0:
        return (False, number, "", "")
    return (True, 0, name.lower(), name)


async def domainTitle(domain: Any) -> str:
    """Give the title of a domain; empty if it has none."""
    try:
        title: str = await domain.metadata(TITLE, None, 0)
    except VirtError:
        return ""
    return title


COMMANDS: tuple[type[Command], ...] = (ListDomains,)
