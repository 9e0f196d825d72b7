"""
The host and the guests that it can run, as C{capabilities} tells them.

What the host is comes in as values, read by who calls this.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pyvirt.definitions.kinds import escape
from pyvirt.definitions.values import definition
from pyvirt.drivers.cpus.cpumap import CPUMap
from pyvirt.drivers.cpus.decoding import Decoded, decode
from pyvirt.drivers.qemu.capabilities.binary import BinaryCapabilities
from pyvirt.drivers.qemu.machine import isX86

__all__ = [
    "CacheBank",
    "HostCell",
    "HostFacts",
    "HostProcessor",
    "capabilitiesDocument",
    "decodeHost",
]


@definition
class HostProcessor:
    """A processor of the host and where it sits."""

    id: int
    socket: int = 0
    die: int = 0
    core: int = 0
    siblings: frozenset[int] = frozenset()


@definition
class HostCell:
    """
    A NUMA cell of the host.

    @ivar memory: KiB.
    @ivar pages: C{(size in KiB, number)}.
    @ivar distances: C{(cell, distance)}.
    """

    id: int
    memory: int
    pages: tuple[tuple[int, int], ...] = ()
    distances: tuple[tuple[int, int], ...] = ()
    processors: tuple[HostProcessor, ...] = ()


@definition
class CacheBank:
    """A cache that processors share; C{size} in KiB."""

    id: int
    level: int
    type: str
    size: int
    cpus: str


@definition
class HostFacts:
    """
    What the host is.

    @ivar uuid: as text.
    @ivar topology: sockets, dies, cores and threads.
    @ivar signature: family, model and stepping.
    @ivar features: what the processor has, by the names that Linux or the tables have for it.
    @ivar pageSizes: KiB.
    @ivar suspend: ways to put the host to sleep.
    @ivar security: C{(model, domain of interpretation, C{(type, base label)} ...)}.
    """

    uuid: str
    arch: str
    vendor: str | None = None
    signature: tuple[int, int, int] = (0, 0, 0)
    features: frozenset[str] = frozenset()
    microcode: int | None = None
    topology: tuple[int, int, int, int] = (1, 1, 1, 1)
    physicalBits: int | None = None
    physicalMode: str = "emulate"
    pageSizes: tuple[int, ...] = (4,)
    suspend: tuple[str, ...] = ()
    iommu: bool = False
    cells: tuple[HostCell, ...] = ()
    caches: tuple[CacheBank, ...] = ()
    security: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = ()


#: Features that Linux does not name, and by which of those that it does they show.
_IMPLIED = (
    ("osxsave", frozenset({"xsave"})),
    ("tsc-deadline", frozenset({"tsc_deadline_timer"})),
    ("invtsc", frozenset({"constant_tsc", "nonstop_tsc"})),
)


def decodeHost(table: CPUMap, facts: HostFacts) -> Decoded | None:
    """Return the model of the host's processor."""
    found = {table.known(each) or table.spelled(each) for each in facts.features}
    names = [name for name in found if name is not None]
    if not names:
        return None
    names += [
        implied
        for implied, told in _IMPLIED
        if implied in table.features and told <= facts.features
    ]
    return decode(table, table.bitsOf(names), facts.vendor, facts.signature, host=True)


def capabilitiesDocument(
    table: CPUMap, facts: HostFacts, binaries: Sequence[BinaryCapabilities]
) -> str:
    """
    Write the document.

    @param binaries: one for each architecture, in the order of their architectures.
    """
    out = ["<capabilities>\n", "\n", "  <host>\n", f"    <uuid>{facts.uuid}</uuid>\n"]
    _writeCPU(out, table, facts)
    if facts.suspend:
        out.append("    <power_management>\n")
        out += [f"      <{each}/>\n" for each in facts.suspend]
        out.append("    </power_management>\n")
    else:
        out.append("    <power_management/>\n")
    out.append(f"    <iommu support='{'yes' if facts.iommu else 'no'}'/>\n")
    out.append(
        "    <migration_features>\n      <live/>\n      <uri_transports>\n"
        "        <uri_transport>tcp</uri_transport>\n"
        "        <uri_transport>rdma</uri_transport>\n"
        "      </uri_transports>\n    </migration_features>\n"
    )
    _writeTopology(out, facts.cells)
    if facts.caches:
        out.append("    <cache>\n")
        for bank in facts.caches:
            size, unit = (bank.size // 1024, "MiB") if bank.size % 1024 == 0 else (bank.size, "KiB")
            out.append(
                f"      <bank id='{bank.id}' level='{bank.level}' type='{bank.type}' "
                f"size='{size}' unit='{unit}' cpus='{bank.cpus}'/>\n"
            )
        out.append("    </cache>\n")
    for model, doi, labels in facts.security:
        out.append(f"    <secmodel>\n      <model>{escape(model)}</model>\n")
        out.append(f"      <doi>{escape(doi)}</doi>\n")
        out += [
            f"      <baselabel type='{kind}'>{escape(label)}</baselabel>\n"
            for kind, label in labels
        ]
        out.append("    </secmodel>\n")
    out.append("  </host>\n\n")
    for binary in binaries:
        _writeGuest(out, binary)
    out.append("</capabilities>\n")
    return "".join(out)


def _writeCPU(out: list[str], table: CPUMap, facts: HostFacts) -> None:
    out.append(f"    <cpu>\n      <arch>{facts.arch}</arch>\n")
    found = decodeHost(table, facts)
    if found is not None:
        out.append(f"      <model>{found.model}</model>\n")
        if facts.vendor is not None:
            out.append(f"      <vendor>{facts.vendor}</vendor>\n")
    if facts.microcode:
        out.append(f"      <microcode version='{facts.microcode}'/>\n")
    if any(facts.signature):
        family, model, stepping = facts.signature
        out.append(f"      <signature family='{family}' model='{model}' stepping='{stepping}'/>\n")
    sockets, dies, cores, threads = facts.topology
    out.append(
        f"      <topology sockets='{sockets}' dies='{dies}' cores='{cores}' threads='{threads}'/>\n"
    )
    if facts.physicalBits:
        out.append(
            f"      <maxphysaddr mode='{facts.physicalMode}' bits='{facts.physicalBits}'/>\n"
        )
    if found is not None:
        out += [f"      <feature name='{name}'/>\n" for name in found.required]
    out += [f"      <pages unit='KiB' size='{size}'/>\n" for size in facts.pageSizes]
    out.append("    </cpu>\n")


def _writeTopology(out: list[str], cells: Sequence[HostCell]) -> None:
    if not cells:
        return
    out.append(f"    <topology>\n      <cells num='{len(cells)}'>\n")
    for cell in cells:
        out.append(f"        <cell id='{cell.id}'>\n")
        out.append(f"          <memory unit='KiB'>{cell.memory}</memory>\n")
        out += [
            f"          <pages unit='KiB' size='{size}'>{count}</pages>\n"
            for size, count in cell.pages
        ]
        if cell.distances:
            out.append("          <distances>\n")
            out += [
                f"            <sibling id='{other}' value='{value}'/>\n"
                for other, value in cell.distances
            ]
            out.append("          </distances>\n")
        out.append(f"          <cpus num='{len(cell.processors)}'>\n")
        for each in cell.processors:
            out.append(
                f"            <cpu id='{each.id}' socket_id='{each.socket}' die_id='{each.die}' "
                f"core_id='{each.core}' siblings='{_ranges(each.siblings)}'/>\n"
            )
        out.append("          </cpus>\n        </cell>\n")
    out.append("      </cells>\n    </topology>\n")


def _ranges(numbers: Iterable[int]) -> str:
    """Write numbers as ranges."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def _writeGuest(out: list[str], binary: BinaryCapabilities) -> None:
    """Write what guests of an architecture can be."""
    wordsize = 64 if binary.arch.endswith("64") or binary.arch == "s390x" else 32
    out.append("  <guest>\n    <os_type>hvm</os_type>\n")
    out.append(f"    <arch name='{binary.arch}'>\n      <wordsize>{wordsize}</wordsize>\n")
    out.append(f"      <emulator>{escape(binary.binary)}</emulator>\n")
    # The one that guests get by default comes first.
    machines = sorted(binary.machines, key=lambda each: not each.isDefault)
    for machine in machines:
        if machine.name == "none":
            continue
        tail = f" maxCpus='{machine.maxCPUs}'" if machine.maxCPUs else ""
        old = " deprecated='yes'" if machine.deprecated else ""
        out.append(f"      <machine{tail}{old}>{machine.name}</machine>\n")
        if machine.alias is not None:
            out.append(
                f"      <machine canonical='{machine.name}'{tail}{old}>{machine.alias}</machine>\n"
            )
    out.append("      <domain type='qemu'/>\n")
    if binary.kvm:
        out.append("      <domain type='kvm'/>\n")
    out.append("    </arch>\n    <features>\n")
    if isX86(binary.arch):
        if binary.arch == "i686":
            out.append("      <pae/>\n      <nonpae/>\n")
        out.append("      <acpi default='on' toggle='yes'/>\n")
        out.append("      <apic default='on' toggle='no'/>\n")
    out.append("      <cpuselection/>\n      <deviceboot/>\n")
    out.append("      <disksnapshot default='on' toggle='no'/>\n")
    out.append("    </features>\n  </guest>\n\n")
