"""
Commands about the memory and the processors of a domain.
"""

from __future__ import annotations

from typing import Any

from pyvirt.errors import VirtError
from pyvirt.shell.command import Command, CommandError, DomainCommand
from pyvirt.shell.options import DOMAIN, alias, flag, number

__all__ = ["COMMANDS"]


class SetMaximumMemory(DomainCommand):
    """C{setmaxmem}: change how much memory a domain may have."""

    name = "setmaxmem"
    brief = "change maximum memory limit"
    description = "Change the maximum memory allocation limit in the guest domain."
    options = (
        DOMAIN,
        number("size", "new maximum memory size, as scaled integer (default KiB)", required=True),
        alias("kilobytes", "size"),
        flag("config", "affect next boot"),
        flag("live", "affect running domain"),
        flag("current", "affect current domain"),
    )

    async def run(self) -> None:
        flags = self.affected() | MAXIMUM_MEMORY
        domain = await self.domain()
        size = self.scaled("size", 1024, LARGEST)
        assert size is not None
        try:
            await domain.setMemoryFlags(kibibytes(size), flags)
        except VirtError as error:
            raise CommandError("Unable to change MaxMemorySize") from error


class SetMemory(DomainCommand):
    """C{setmem}: change how much memory a domain has."""

    name = "setmem"
    brief = "change memory allocation"
    description = "Change the current memory allocation in the guest domain."
    options = (
        DOMAIN,
        number("size", "new memory size, as scaled integer (default KiB)", required=True),
        alias("kilobytes", "size"),
        flag("config", "affect next boot"),
        flag("live", "affect running domain"),
        flag("current", "affect current domain"),
    )

    async def run(self) -> None:
        flags = self.affected()
        if not flags and not self.given("current"):
            flags = LIVE
        domain = await self.domain()
        size = self.scaled("size", 1024, LARGEST)
        assert size is not None
        await domain.setMemoryFlags(kibibytes(size), flags)


class SetProcessors(DomainCommand):
    """C{setvcpus}: change how many processors a domain has."""

    name = "setvcpus"
    brief = "change number of virtual CPUs"
    description = "Change the number of virtual CPUs in the guest domain."
    options = (
        DOMAIN,
        number("count", "number of virtual CPUs", required=True),
        flag("maximum", "set maximum limit on next boot"),
        flag("config", "affect next boot"),
        flag("live", "affect running domain"),
        flag("current", "affect current domain"),
        flag("guest", "modify cpu state in the guest"),
        flag("hotpluggable", "make added vcpus hot(un)pluggable"),
    )

    async def run(self) -> None:
        self.exclude("current", "live")
        self.exclude("current", "config")
        self.exclude("guest", "config")
        self.require("maximum", "config")
        flags = self.flags(live=1, config=2, maximum=4, guest=8, hotpluggable=16)
        domain = await self.domain()
        count = self.unsigned("count")
        assert count is not None
        if count == 0:
            raise CommandError("Can't set 0 processors for a VM")
        if flags or self.given("current"):
            await domain.setVcpusFlags(count, flags)
        else:
            await domain.setVcpus(count)


class CountProcessors(DomainCommand):
    """C{vcpucount}: how many processors a domain has, and may have."""

    name = "vcpucount"
    brief = "domain vcpu counts"
    description = "Returns the number of virtual CPUs used by the domain."
    options = (
        DOMAIN,
        flag("maximum", "get maximum count of vcpus"),
        flag("active", "get number of currently active vcpus"),
        flag("live", "get value from running domain"),
        flag("config", "get value to be used on next boot"),
        flag("current", "get value according to current domain state"),
        flag("guest", "retrieve vcpu count from the guest instead of the hypervisor"),
    )

    async def run(self) -> None:
        for first, second in (
            ("active", "maximum"),
            ("live", "config"),
            ("guest", "config"),
        ):
            self.exclude(first, second)
        chosen = any(self.given(option.name) for option in self.options[1:])
        flags = self.flags(live=1, config=2, maximum=4, guest=8)
        domain = await self.domain()
        if chosen:
            self.print(await self._count(domain, flags))
            return
        for title, kind, bits in (
            ("maximum", "config", 6),
            ("maximum", "live", 5),
            ("current", "config", 2),
            ("current", "live", 1),
        ):
            applies = await (domain.isPersistent() if bits & 2 else domain.isActive())
            if applies:
                self.print(f"{title:<12} {kind:<12} {await self._count(domain, bits):>3}")

    async def _count(self, domain: Any, flags: int) -> str:
        try:
            return str(await domain.vcpusFlags(flags))
        except VirtError as error:
            if flags & GUEST:
                raise CommandError("Failed to retrieve vCPU count from the guest") from error
            raise


LIVE, MAXIMUM_MEMORY, GUEST = 1, 4, 8

#: The largest size that travels as KiB in a signed number of 64 bits.
LARGEST = (1 << 64) - 1024


def kibibytes(size: int) -> int:
    """Give a size in KiB, rounded up."""
    return -(-size // 1024)


COMMANDS: tuple[type[Command], ...] = (
    SetMaximumMemory,
    SetMemory,
    SetProcessors,
    CountProcessors,
)
