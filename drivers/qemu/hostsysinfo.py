"""
What the host's firmware says of the machine, as dmidecode tells it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.sax.saxutils import escape

from pyvirt.drivers.qemu.hostmemory import HostMemory
from pyvirt.drivers.qemu.refusals import checkFlags, unsupportedConfig
from pyvirt.errors import VirtError
from pyvirt.process import Command

__all__ = ["HostSysinfo", "oemStrings", "sysinfo"]

_PROGRAM = "/usr/sbin/dmidecode"
#: The kinds of structures that are wanted: firmware, system, boards, chassis, processors, strings, memory.
_KINDS = "0,1,2,3,4,11,17"

#: Per group of the document: the heading, whether there may be several, and what each entry is called there.
_GROUPS: tuple[tuple[str, str, bool, tuple[tuple[str, str], ...]], ...] = (
    (
        "bios",
        "BIOS Information",
        False,
        (
            ("vendor", "Vendor"),
            ("version", "Version"),
            ("date", "Release Date"),
            ("release", "BIOS Revision"),
        ),
    ),
    (
        "system",
        "System Information",
        False,
        (
            ("manufacturer", "Manufacturer"),
            ("product", "Product Name"),
            ("version", "Version"),
            ("serial", "Serial Number"),
            ("uuid", "UUID"),
            ("sku", "SKU Number"),
            ("family", "Family"),
        ),
    ),
    (
        "baseBoard",
        "Base Board Information",
        True,
        (
            ("manufacturer", "Manufacturer"),
            ("product", "Product Name"),
            ("version", "Version"),
            ("serial", "Serial Number"),
            ("asset", "Asset Tag"),
            ("location", "Location In Chassis"),
        ),
    ),
    (
        "chassis",
        "Chassis Information",
        False,
        (
            ("manufacturer", "Manufacturer"),
            ("version", "Version"),
            ("serial", "Serial Number"),
            ("asset", "Asset Tag"),
            ("sku", "SKU Number"),
        ),
    ),
    (
        "processor",
        "Processor Information",
        True,
        (
            ("socket_destination", "Socket Designation"),
            ("type", "Type"),
            ("family", "Family"),
            ("manufacturer", "Manufacturer"),
            ("signature", "Signature"),
            ("version", "Version"),
            ("external_clock", "External Clock"),
            ("max_speed", "Max Speed"),
            ("status", "Status"),
            ("serial_number", "Serial Number"),
            ("part_number", "Part Number"),
        ),
    ),
    (
        "memory_device",
        "Memory Device",
        True,
        (
            ("size", "Size"),
            ("form_factor", "Form Factor"),
            ("locator", "Locator"),
            ("bank_locator", "Bank Locator"),
            ("type", "Type"),
            ("type_detail", "Type Detail"),
            ("speed", "Speed"),
            ("manufacturer", "Manufacturer"),
            ("serial_number", "Serial Number"),
            ("part_number", "Part Number"),
        ),
    ),
)
_EMPTY_SLOT = "No Module Installed"


def _entries(text: str, keys: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """
    Find what follows each key, to the end of its line.

    libvirt takes the next place where the key is, be it of a later structure; so do we, for that is what its
    users get.
    """
    found = []
    for name, key in keys:
        _, colon, rest = text.partition(f"{key}: ")
        value = rest.partition("\n")[0].rstrip()
        if colon and value:
            found.append((name, value))
    return found


def _group(name: str, entries: Iterable[str]) -> list[str]:
    inner = [f"    {each}\n" for each in entries]
    return [f"  <{name}>\n", *inner, f"  </{name}>\n"] if inner else []


def oemStrings(text: str) -> list[tuple[str, str]]:
    """
    Find the numbered strings of the maker.

    @return: number and text of each.
    @raise ValueError: one has no number.
    """
    found = []
    for line in text.partition("OEM Strings\n")[2].splitlines():
        match = re.match(r"\s*String ([^:]*): ?(.*)", line)
        if match is None:
            break
        if not match[1].isdecimal():
            raise ValueError(line.strip())
        if match[2].strip():
            found.append((match[1], match[2].strip()))
    return found


def sysinfo(text: str, strings: Iterable[str]) -> str:
    """
    Write the document.

    @param text: what dmidecode printed.
    @param strings: the maker's.
    """
    out: list[str] = []
    for name, heading, several, keys in _GROUPS:
        parts = text.split(heading)[1:]
        for place in range(len(parts) if several else min(1, len(parts))):
            rest = heading.join(parts[place:])
            entries = _entries(rest, keys)
            if name == "memory_device" and ("size", _EMPTY_SLOT) in entries:
                continue
            out += _group(name, (f"<entry name='{a}'>{_escape(b)}</entry>" for a, b in entries))
    out += _group("oemStrings", (f"<entry>{_escape(each)}</entry>" for each in strings))
    if not out:
        return "<sysinfo type='smbios'/>\n"
    return "".join(("<sysinfo type='smbios'>\n", *out, "</sysinfo>\n"))


def _escape(text: str) -> str:
    return escape(text, {"'": "&apos;", '"': "&quot;"})


class HostSysinfo(HostMemory):
    """Answers for the machine that the host is."""

    _sysinfo: str | None = None

    async def connectGetSysinfo(self, flags: int) -> str:
        """Describe firmware, boards and memory modules; asked of them once."""
        checkFlags("qemuConnectGetSysinfo", flags)
        if self._sysinfo is None:
            try:
                text = await self._told("-q", "-t", _KINDS)
                strings = []
                for number, string in oemStrings(text):
                    # A dot may stand for what cannot be printed.
                    raw = "." in string
                    strings.append(
                        await self._told("--dump", "--oem-string", number) if raw else string
                    )
            except (VirtError, ValueError):
                raise unsupportedConfig("Host SMBIOS information is not available") from None
            self._sysinfo = sysinfo(text, strings)
        return self._sysinfo

    async def _told(self, *words: str) -> str:
        finished = await self._hypervisor.processes.run(Command(argv=(_PROGRAM, *words)))
        return finished.output.decode(errors="replace")
