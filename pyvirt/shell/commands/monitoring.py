"""
Commands that look at one domain.
"""

from __future__ import annotations

from typing import Any

from pyvirt.errors import ErrorCode, VirtError
from pyvirt.shell.command import Command, CommandError, DomainCommand
from pyvirt.shell.options import DOMAIN, flag
from pyvirt.shell.states import domainReason, domainState
from pyvirt.shell.table import Table

__all__ = ["COMMANDS"]

#: What maximum memory is when there is no limit.
UNLIMITED = (1 << 32) - 1


class DomainInformation(DomainCommand):
    """C{dominfo}: the basics of a domain."""

    name = "dominfo"
    brief = "domain information"
    description = "Returns basic information about the domain."
    options = (DOMAIN,)

    async def run(self) -> None:
        domain = await self.domain()
        identity = domain.ID()
        self._field("Id:", identity if identity >= 0 else "-")
        self._field("Name:", domain.name())
        self._field("UUID:", domain.UUIDString())
        self._field("OS Type:", await _orNone(domain.OSType()))
        failure = await self._resources(domain)
        await self._settings(domain)
        await self._security(domain)
        await self._messages(domain)
        if failure is not None:
            raise failure

    def _field(self, title: str, value: object) -> None:
        if value is not None:
            self.print(f"{title:<15} {value}")

    async def _resources(self, domain: Any) -> VirtError | None:
        try:
            state, maximum, used, processors, time = await domain.info()
        except VirtError as error:
            return error
        self._field("State:", domainState(state))
        self._field("CPU(s):", processors)
        if time:
            self._field("CPU time:", f"{time / 1e9:.1f}s")
        self._field("Max memory:", "no limit" if maximum == UNLIMITED else f"{maximum} KiB")
        self._field("Used memory:", f"{used} KiB")
        return None

    async def _settings(self, domain: Any) -> None:
        persistent = await _orNone(domain.isPersistent())
        self.session.trace(
            0, f"Domain persistent flag value: {-1 if persistent is None else int(persistent)}\n"
        )
        self._field("Persistent:", _answer(persistent))
        autostart = await _orNone(domain.autostart())
        if autostart is not None:
            self._field("Autostart:", "enable" if autostart else "disable")
        self._field("Managed save:", _answer(await _orNone(domain.hasManagedSaveImage(0))))

    async def _security(self, domain: Any) -> None:
        try:
            model, doi = await self.connection.getSecurityModel()
        except VirtError as error:
            if error.code != ErrorCode.NO_SUPPORT:
                raise
            return
        if not model:
            return
        self._field("Security model:", model)
        self._field("Security DOI:", doi)
        try:
            label, enforcing = await domain.securityLabel()
        except VirtError as error:
            raise CommandError from error
        if label:
            mode = "enforcing" if enforcing else "permissive"
            self._field("Security label:", f"{label} ({mode})")

    async def _messages(self, domain: Any) -> None:
        messages = await _orNone(domain.messages(0)) or []
        for at, message in enumerate(messages):
            self._field("" if at else "Messages:", message)


async def _orNone(answer: Any) -> Any:
    """Wait for an answer; None if it cannot be had."""
    try:
        return await answer
    except VirtError:
        return None


def _answer(value: object) -> str:
    if value is None:
        return "unknown"
    return "yes" if value else "no"


class DomainState(DomainCommand):
    """C{domstate}: whether a domain runs."""

    name = "domstate"
    brief = "domain state"
    description = "Returns state about a domain."
    options = (DOMAIN, flag("reason", "also print reason for the state"))

    async def run(self) -> None:
        domain = await self.domain()
        state, reason = await domain.state(0)
        text = domainState(state)
        if self.given("reason"):
            text = f"{text} ({domainReason(state, reason)})"
        self.print(text)


class ListBlocks(DomainCommand):
    """C{domblklist}: the disks of a domain."""

    name = "domblklist"
    brief = "list all domain blocks"
    description = "Get the summary of block devices for a domain."
    options = (
        DOMAIN,
        flag("inactive", "get inactive rather than running configuration"),
        flag("details", "additionally display the type and device value"),
    )

    async def run(self) -> None:
        root = await definition(self, self.flags(inactive=2))
        details = self.given("details")
        table = Table(*(["Type", "Device"] if details else []), "Target", "Source")
        for disk in root.findall("./devices/disk"):
            target = disk.find("target")
            if target is None or target.get("dev") is None:
                raise CommandError("unable to query block list")
            row = [target.get("dev"), _source(disk) or "-"]
            if details:
                row[:0] = [disk.get("type", "-"), disk.get("device", "disk")]
            table.add(*row)
        self.session.output(table.text(header=not self.session.settings.quiet))


class ListInterfaces(DomainCommand):
    """C{domiflist}: the network interfaces of a domain."""

    name = "domiflist"
    brief = "list all domain virtual interfaces"
    description = "Get the summary of virtual interfaces for a domain."
    options = (DOMAIN, flag("inactive", "get inactive rather than running configuration"))

    async def run(self) -> None:
        root = await definition(self, self.flags(inactive=2))
        table = Table("Interface", "Type", "Source", "Model", "MAC")
        for interface in root.findall("./devices/interface"):
            source = interface.xpath(
                "string(./source/@bridge|./source/@dev|./source/@network|./source/@name)"
            )
            table.add(
                interface.xpath("string(./target/@dev)") or "-",
                interface.get("type", ""),
                source or "-",
                interface.xpath("string(./model/@type)") or "-",
                interface.xpath("string(./mac/@address)") or "-",
            )
        self.session.output(table.text(header=not self.session.settings.quiet))


class Processors(DomainCommand):
    """C{vcpuinfo}: where the processors of a domain run."""

    name = "vcpuinfo"
    brief = "detailed domain vcpu information"
    description = "Returns basic information about the domain virtual CPUs."
    options = (DOMAIN, flag("pretty", "return human readable output"))

    async def run(self) -> None:
        domain = await self.domain()
        hosts = (await self.connection.getCPUMap(0))[0]
        info = await domain.info()
        try:
            processors, places = await domain.vcpus()
        except VirtError:
            if info[0] != SHUT_OFF:
                raise
            processors, places = [], await domain.vcpuPinInfo(CONFIG)
        for at, place in enumerate(places):
            if at:
                self.print("")
            if processors:
                self._running(*processors[at])
            else:
                self._field("VCPU:", at)
                self._field("CPU:", "N/A")
                self._field("State:", "N/A")
                self._field("CPU time", "N/A")
            self._affinity(place[:hosts], hosts)

    def _running(self, number: int, state: int, time: int, host: int) -> None:
        self._field("VCPU:", number)
        self._field("CPU:", host)
        self._field("State:", _PROCESSOR_STATES[state] if 0 <= state < 3 else "no state")
        if time:
            self._field("CPU time:", f"{time / 1e9:.1f}s")

    def _affinity(self, place: Any, hosts: int) -> None:
        if self.given("pretty"):
            from pyvirt.shell.commands.hostresources import ranges

            text = f"{ranges(list(place))} (out of {hosts})"
        else:
            text = "".join("y" if may else "-" for may in place)
        self._field("CPU Affinity:", text)

    def _field(self, title: str, value: object) -> None:
        self.print(f"{title:<15} {value}")


SHUT_OFF, CONFIG = 5, 2
_PROCESSOR_STATES = ("offline", "running", "blocked")


async def definition(command: DomainCommand, flags: int) -> Any:
    """Give the definition of a command's domain, as a tree."""
    from pyvirt.shell.xmltree import readTree

    domain = await command.domain()
    text = await domain.XMLDesc(flags)
    return readTree(text)


def _source(disk: Any) -> str:
    """Say where the content of a disk is."""
    if disk.get("type") == "nvme":
        parts = [int(disk.xpath(f"string(./source/address/@{key})"), 16) for key in _PCI]
        space = disk.xpath("string(./source/@namespace)")
        return "nvme://{:04x}:{:02x}:{:02x}.{:d}/{}".format(*parts, space)
    source: str = disk.xpath(
        "string(./source/@file|./source/@dev|./source/@dir|./source/@name|./source/@volume)"
    )
    return source


_PCI = ("domain", "bus", "slot", "function")

COMMANDS: tuple[type[Command], ...] = (
    DomainInformation,
    DomainState,
    ListBlocks,
    ListInterfaces,
    Processors,
)
