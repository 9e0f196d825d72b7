"""
Commands about what the host has: processors, memory, capabilities.
"""

from __future__ import annotations

import re

from pyvirt.errors import VirtError
from pyvirt.shell.command import Command, CommandError
from pyvirt.shell.options import flag, number, string

__all__ = ["COMMANDS"]


class Capabilities(Command):
    """C{capabilities}: what the hypervisor can do."""

    name = "capabilities"
    brief = "capabilities"
    description = "Returns capabilities of hypervisor/driver."

    async def run(self) -> None:
        try:
            text = await self.connection.getCapabilities()
        except VirtError as error:
            raise CommandError("failed to get capabilities") from error
        self.print(text)


class DomainCapabilities(Command):
    """C{domcapabilities}: what domains of a kind can have."""

    name = "domcapabilities"
    brief = "domain capabilities"
    description = "Returns capabilities of emulator with respect to host and libvirt."
    options = (
        string("virttype", "virtualization type (/domain/@type)"),
        string("emulatorbin", "path to emulator binary (/domain/devices/emulator)"),
        string("arch", "domain architecture (/domain/os/type/@arch)"),
        string("machine", "machine type (/domain/os/type/@machine)"),
    )

    async def run(self) -> None:
        emulator, architecture = self.text("emulatorbin"), self.text("arch")
        machine, kind = self.text("machine"), self.text("virttype")
        try:
            text = await self.connection.getDomainCapabilities(
                emulator, architecture, machine, kind, 0
            )
        except VirtError as error:
            raise CommandError("failed to get emulator capabilities") from error
        self.print(text)


class FreeCells(Command):
    """C{freecell}: how much memory is free."""

    name = "freecell"
    brief = "NUMA free memory"
    description = "display available free memory for the NUMA cell."
    options = (
        number("cellno", "NUMA cell number"),
        flag("all", "show free memory for all NUMA cells"),
    )

    async def run(self) -> None:
        self.exclude("all", "cellno")
        cell = self.integer("cellno")
        if self.given("all"):
            await self._every()
        elif cell is not None:
            free = await self.connection.getCellsFreeMemory(cell, 1)
            self.print(f"{cell}: {free[0] // 1024} KiB")
        else:
            self.print(f"Total: {await self.connection.getFreeMemory() // 1024} KiB")

    async def _every(self) -> None:
        from pyvirt.shell.xmltree import readTree

        try:
            text = await self.connection.getCapabilities()
        except VirtError as error:
            raise CommandError("unable to get node capabilities") from error
        root = readTree(text)
        cells = [int(word) for word in root.xpath("/capabilities/host//topology/cells/cell/@id")]
        if not cells:
            raise CommandError("no NUMA topology reported")
        total = 0
        for cell in cells:
            try:
                free = (await self.connection.getCellsFreeMemory(cell, 1))[0]
            except VirtError as error:
                raise CommandError(
                    f"failed to get free memory for NUMA node number: {cell}"
                ) from error
            total += free
            self.print(f"{cell:5d}: {free // 1024:10d} KiB")
        self.print("-" * 20)
        self.print(f"Total: {total // 1024:10d} KiB")


class MaximumProcessors(Command):
    """C{maxvcpus}: how many processors a domain may have."""

    name = "maxvcpus"
    brief = "connection vcpu maximum"
    description = "Show maximum number of virtual CPUs for guests on this connection."
    options = (string("type", "domain type"),)

    async def run(self) -> None:
        kind = self.text("type")
        try:
            text = await self.connection.getDomainCapabilities(None, None, None, kind, 0)
            found = re.search(r"<vcpu[^>]*\bmax='(\d+)'", text)
            if found is not None:
                self.print(found[1])
                return
        except VirtError:
            # Not every hypervisor has them; ask it in the way that all understand.
            pass
        self.print(str(await self.connection.getMaxVcpus(kind)))


class ProcessorMap(Command):
    """C{nodecpumap}: which processors the host has, and which are online."""

    name = "nodecpumap"
    brief = "node cpu map"
    description = "Displays the node's total number of CPUs, the number of online CPUs and the list of online CPUs."
    options = (flag("pretty", "return human readable output"),)

    async def run(self) -> None:
        try:
            present, states, online = await self.connection.getCPUMap(0)
        except VirtError as error:
            raise CommandError("Unable to get cpu map") from error
        shown = (
            ranges(list(states))
            if self.given("pretty")
            else "".join("y" if state else "-" for state in states)
        )
        self.print(f"{'CPUs present:':<15} {present}")
        self.print(f"{'CPUs online:':<15} {online}")
        self.print(f"{'CPU map:':<15} {shown}")


class NodeInformation(Command):
    """C{nodeinfo}: the basics of the host."""

    name = "nodeinfo"
    brief = "node information"
    description = "Returns basic information about the node."

    async def run(self) -> None:
        try:
            # The client's getInfo gives the memory in MiB only, as the binding does.
            info = await self.connection._remote.nodeGetInfo()
        except VirtError as error:
            raise CommandError("failed to get node information") from error
        model, memory, processors, frequency, cells, sockets, cores, threads = info
        for title, value in (
            ("CPU model:", model.partition(b"\0")[0].decode("utf-8", "surrogateescape")),
            ("CPU(s):", processors),
            ("CPU frequency:", f"{frequency} MHz" if frequency else None),
            ("CPU socket(s):", sockets),
            ("Core(s) per socket:", cores),
            ("Thread(s) per core:", threads),
            ("NUMA cell(s):", cells),
            ("Memory size:", f"{memory} KiB"),
        ):
            if value is not None:
                self.print(f"{title:<20} {value}")


class SystemInformation(Command):
    """C{sysinfo}: what the firmware tells of the host."""

    name = "sysinfo"
    brief = "print the hypervisor sysinfo"
    description = "output an XML string for the hypervisor sysinfo, if available"

    async def run(self) -> None:
        try:
            self.session.output(await self.connection.getSysinfo(0))
        except VirtError as error:
            raise CommandError("failed to get sysinfo") from error


def ranges(states: list[bool]) -> str:
    """Write which bits are set as numbers and ranges: C{0-2,5}."""
    parts = []
    at = 0
    while at < len(states):
        if states[at]:
            first = at
            while at + 1 < len(states) and states[at + 1]:
                at += 1
            parts.append(str(first) if first == at else f"{first}-{at}")
        at += 1
    return ",".join(parts)


COMMANDS: tuple[type[Command], ...] = (
    Capabilities,
    DomainCapabilities,
    FreeCells,
    MaximumProcessors,
    ProcessorMap,
    NodeInformation,
    SystemInformation,
)
