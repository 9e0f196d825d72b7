"""
Commands about storage pools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyvirt.errors import VirtError
from pyvirt.shell.command import Command, CommandError
from pyvirt.shell.commands.builtin import splitList
from pyvirt.shell.commands.networks import answerOrNone
from pyvirt.shell.lookup import findByNameOrUUID
from pyvirt.shell.options import data, flag, string
from pyvirt.shell.table import Table
from pyvirt.shell.xmltext import printXML

if TYPE_CHECKING:
    from pyvirt.client.storage import StoragePool

__all__ = ["COMMANDS"]


class Autostart(Command):
    """C{pool-autostart}: start a pool with its host, or not."""

    name = "pool-autostart"
    brief = "autostart a pool"
    description = "Configure a pool to be automatically started at boot."
    options = (
        data("pool", "pool name or uuid"),
        flag("disable", "disable autostarting"),
    )

    async def run(self) -> None:
        pool = await findPool(self)
        start = not self.given("disable")
        try:
            await pool.setAutostart(int(start))
        except VirtError as error:
            word = "mark" if start else "unmark"
            raise CommandError(f"failed to {word} pool {pool.name()} as autostarted") from error
        word = "marked" if start else "unmarked"
        self.tell(f"Pool {pool.name()} {word} as autostarted")


class Define(Command):
    """C{pool-define}: define a pool."""

    name = "pool-define"
    brief = "define an inactive persistent storage pool or modify an existing persistent one from an XML file"
    description = "Define or modify a persistent storage pool."
    options = (
        data("file", "file containing an XML pool description"),
        flag("validate", "validate the XML against the schema"),
    )

    async def run(self) -> None:
        path = self.requiredText("file")
        text = self.readFile(path)
        try:
            pool = await self.connection.storagePoolDefineXML(text, self.flags(validate=1))
        except VirtError as error:
            raise CommandError(f"Failed to define pool from {path}") from error
        self.tell(f"Pool {pool.name()} defined from {path}")


class Delete(Command):
    """C{pool-delete}: delete what a pool keeps its volumes in."""

    name = "pool-delete"
    brief = "delete a pool"
    description = "Delete a given pool."
    options = (data("pool", "pool name or uuid"),)

    async def run(self) -> None:
        pool = await findPool(self)
        try:
            await pool.delete(0)
        except VirtError as error:
            raise CommandError(f"Failed to delete pool {pool.name()}") from error
        self.tell(f"Pool {pool.name()} deleted")


class Destroy(Command):
    """C{pool-destroy}: stop a pool."""

    name = "pool-destroy"
    brief = "destroy (stop) a pool"
    description = "Forcefully stop a given pool. Raw data in the pool is untouched"
    options = (data("pool", "pool name or uuid"),)

    async def run(self) -> None:
        pool = await findPool(self)
        try:
            await pool.destroy()
        except VirtError as error:
            raise CommandError(f"Failed to destroy pool {pool.name()}") from error
        self.tell(f"Pool {pool.name()} destroyed")


class DumpXML(Command):
    """C{pool-dumpxml}: print the definition of a pool."""

    name = "pool-dumpxml"
    brief = "pool information in XML"
    description = "Output the pool information as an XML dump to stdout."
    options = (
        data("pool", "pool name or uuid"),
        flag("inactive", "show inactive defined XML"),
        string("xpath", "xpath expression to filter the XML document", named=True),
        flag("wrap", "wrap xpath results in an common root element"),
    )

    async def run(self) -> None:
        expression = self.quietText("xpath")
        pool = await findPool(self)
        text = await pool.XMLDesc(self.flags(inactive=1))
        printXML(self, text, expression, self.given("wrap"))


class Information(Command):
    """C{pool-info}: the basics of a pool."""

    name = "pool-info"
    brief = "storage pool information"
    description = "Returns basic information about the storage pool."
    options = (
        data("pool", "pool name or uuid"),
        flag("bytes", "Return pool info in bytes"),
    )

    async def run(self) -> None:
        pool = await findPool(self)
        self._field("Name:", pool.name())
        self._field("UUID:", pool.UUIDString())
        info = await pool.info()
        self._field("State:", poolState(info[0]))
        persistent = await answerOrNone(pool.isPersistent())
        self._field(
            "Persistent:", "unknown" if persistent is None else "yes" if persistent else "no"
        )
        autostart = await answerOrNone(pool.autostart())
        self._field(
            "Autostart:", "no autostart" if autostart is None else "yes" if autostart else "no"
        )
        if info[0] not in (RUNNING, DEGRADED):
            return
        for title, size in zip(("Capacity:", "Allocation:", "Available:"), info[1:], strict=True):
            self._field(title, str(size) if self.given("bytes") else prettySize(size))

    def _field(self, title: str, value: str) -> None:
        self.print(f"{title:<15} {value}")


class ListPools(Command):
    """C{pool-list}: pools, all or those that filters pick."""

    name = "pool-list"
    brief = "list pools"
    description = "Returns list of pools."
    options = (
        flag("inactive", "list inactive pools"),
        flag("all", "list inactive & active pools"),
        flag("transient", "list transient pools"),
        flag("persistent", "list persistent pools"),
        flag("autostart", "list pools with autostart enabled"),
        flag("no-autostart", "list pools with autostart disabled"),
        string("type", "only list pool of specified type(s) (if supported)"),
        flag("details", "display extended details for pools"),
        flag("uuid", "list UUID of active pools only"),
        flag("name", "list name of active pools only"),
    )

    async def run(self) -> None:
        self.exclude("details", "uuid")
        self.exclude("details", "name")
        try:
            pools = await self.connection.listAllStoragePools(self._filter())
        except VirtError as error:
            raise CommandError("Failed to list pools") from error
        pools.sort(key=lambda pool: (pool.name().lower(), pool.name()))
        if self.given("name") or self.given("uuid"):
            for pool in pools:
                words = []
                if self.given("uuid"):
                    words.append(pool.UUIDString())
                if self.given("name"):
                    words.append(f"{pool.name():<20}")
                self.print(" ".join(words))
            return
        table = (
            Table(
                "Name",
                "State",
                "Autostart",
                "Persistent",
                "Capacity",
                "Allocation",
                "Available",
            )
            if self.given("details")
            else Table("Name", "State", "Autostart")
        )
        for pool in pools:
            table.add(*await self._row(pool))
        self.session.output(table.text(header=not self.session.settings.quiet))

    def _filter(self) -> int:
        flags = 1 if self.given("inactive") else 2
        if self.given("all"):
            flags = 3
        flags |= self.flags(persistent=4, transient=8, autostart=16, no_autostart=32)
        kinds = self.text("type")
        for kind in splitList(kinds or ""):
            if kind not in _TYPES:
                raise CommandError(f"Invalid pool type '{kind}'")
            flags |= _TYPES[kind]
        return flags

    async def _row(self, pool: Any) -> list[str]:
        autostart = await answerOrNone(pool.autostart())
        row = [pool.name(), "no autostart" if autostart is None else "yes" if autostart else "no"]
        if not self.given("details"):
            row.insert(1, "active" if await pool.isActive() else "inactive")
            return row
        persistent = await answerOrNone(pool.isPersistent())
        row.append("unknown" if persistent is None else "yes" if persistent else "no")
        info = await answerOrNone(pool.info())
        if info is None:
            row.insert(1, "unknown")
            return [*row, "unknown", "unknown", "unknown"]
        row.insert(1, poolState(info[0]))
        if info[0] not in (RUNNING, DEGRADED):
            return [*row, "-", "-", "-"]
        return row + [prettySize(size) for size in info[1:]]


class Name(Command):
    """C{pool-name}: the name of a pool."""

    name = "pool-name"
    brief = "convert a pool UUID to pool name"
    options = (data("pool", "pool name or uuid"),)

    async def run(self) -> None:
        pool = await findPool(self, byName=False)
        self.print(pool.name())


class Refresh(Command):
    """C{pool-refresh}: look again at what a pool holds."""

    name = "pool-refresh"
    brief = "refresh a pool"
    description = "Refresh a given pool."
    options = (data("pool", "pool name or uuid"),)

    async def run(self) -> None:
        pool = await findPool(self)
        try:
            await pool.refresh(0)
        except VirtError as error:
            raise CommandError(f"Failed to refresh pool {pool.name()}") from error
        self.tell(f"Pool {pool.name()} refreshed")


class Start(Command):
    """C{pool-start}: start a pool."""

    name = "pool-start"
    brief = "start a (previously defined) inactive pool"
    description = "Start a pool."
    options = (
        data("pool", "pool name or uuid"),
        flag("build", "build the pool as normal"),
        flag("no-overwrite", "do not overwrite any existing data"),
        flag("overwrite", "overwrite any existing data"),
    )

    async def run(self) -> None:
        pool = await findPool(self)
        flags = self.flags(build=1, build_overwrite=2, build_no_overwrite=4)
        try:
            await pool.create(flags)
        except VirtError as error:
            raise CommandError(f"Failed to start pool {pool.name()}") from error
        self.tell(f"Pool {pool.name()} started")


class Undefine(Command):
    """C{pool-undefine}: forget a pool."""

    name = "pool-undefine"
    brief = "undefine an inactive pool"
    description = "Undefine the configuration for an inactive pool."
    options = (data("pool", "pool name or uuid"),)

    async def run(self) -> None:
        pool = await findPool(self)
        try:
            await pool.undefine()
        except VirtError as error:
            raise CommandError(f"Failed to undefine pool {pool.name()}") from error
        self.tell(f"Pool {pool.name()} has been undefined")


class UUID(Command):
    """C{pool-uuid}: the UUID of a pool."""

    name = "pool-uuid"
    brief = "convert a pool name to pool UUID"
    options = (data("pool", "pool name or uuid"),)

    async def run(self) -> None:
        pool = await findPool(self, byUUID=False)
        self.print(pool.UUIDString())


RUNNING, DEGRADED = 2, 3
_STATES = ("inactive", "building", "running", "degraded", "inaccessible")

#: The kinds of pools and the bits that pick them.
_TYPES = {
    kind: 64 << at
    for at, kind in enumerate(
        (
            "dir",
            "fs",
            "netfs",
            "logical",
            "disk",
            "iscsi",
            "scsi",
            "mpath",
            "rbd",
            "sheepdog",
            "gluster",
            "zfs",
            "vstorage",
            "iscsi-direct",
        )
    )
}

_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")


def poolState(number: int) -> str:
    """Name the state of a pool."""
    return _STATES[number] if 0 <= number < len(_STATES) else "unknown"


def prettySize(size: int) -> str:
    """Write a size in bytes with the largest unit of which it has one."""
    value, unit = float(size), 0
    while value >= 1024 and unit < len(_UNITS) - 1:
        value /= 1024
        unit += 1
    return f"{value:.2f} {_UNITS[unit]}"


async def findPool(command: Command, byName: bool = True, byUUID: bool = True) -> StoragePool:
    """Find the pool that C{pool} names."""
    connection = command.connection
    found: StoragePool = await findByNameOrUUID(
        command,
        "pool",
        "pool",
        connection.storagePoolLookupByUUIDString if byUUID else None,
        connection.storagePoolLookupByName if byName else None,
    )
    return found


COMMANDS: tuple[type[Command], ...] = (
    Autostart,
    Define,
    Delete,
    Destroy,
    DumpXML,
    Information,
    ListPools,
    Name,
    Refresh,
    Start,
    Undefine,
    UUID,
)
