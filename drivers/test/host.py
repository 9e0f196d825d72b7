"""
The host of a world: what it is and what it can do, none of which changes.
"""

from __future__ import annotations

from pyvirt.drivers.interfaces.values import NodeCPUMap, NodeCPUStat, NodeInfo, SecurityModel
from pyvirt.drivers.test.cpu import baseline, modelNames
from pyvirt.drivers.test.refusals import checkFlags, invalidArgument
from pyvirt.drivers.test.resources import MAX_VCPUS
from pyvirt.drivers.test.world import Cell, World
from pyvirt.errors import ErrorCode, ErrorDomain, VirtError

__all__ = ["Host", "hostPart"]

#: C{major * 1000000 + minor * 1000 + release} of the driver, and of the library it behaves like.
VERSION = 2
LIBRARY_VERSION = 9000000

PAGE_SIZES = (4, 8, 2048, 1048576)

#: Migration peer to peer, its third protocol, protection from changes meanwhile, definitions that can travel, guests that do
#: not run, and typed parameters: numbers that libvirt's client asks for.
_FEATURES = frozenset((4, 6, 7, 11, 12, 13))

_SYSINFO = """\
<sysinfo type='smbios'>
  <bios>
    <entry name='vendor'>LENOVO</entry>
    <entry name='version'>G4ETA1WW (2.61 )</entry>
    <entry name='date'>05/07/2014</entry>
    <entry name='release'>2.61</entry>
  </bios>
</sysinfo>
"""

_CPU_STATS = (
    ("user", 9797400000),
    ("kernel", 34678723400000),
    ("idle", 87264900000),
    ("iowait", 763600000),
)

_GUEST = """\
  <guest>
    <os_type>{}</os_type>
    <arch name='i686'>
      <wordsize>32</wordsize>
      <emulator>/usr/bin/test-hv</emulator>
      <domain type='test'/>
    </arch>
    <features>
      <pae/>
      <nonpae/>
    </features>
  </guest>

"""

_HEAD = """\
<capabilities>

  <host>
    <cpu>
      <arch>i686</arch>
      <features>
        <pae/>
        <nonpae/>
      </features>
      <pages unit='KiB' size='4'/>
      <pages unit='KiB' size='8'/>
      <pages unit='KiB' size='2048'/>
      <pages unit='KiB' size='1048576'/>
    </cpu>
    <power_management/>
    <iommu support='no'/>
    <topology>
"""

_TAIL = """\
    </topology>
    <secmodel>
      <model>testSecurity</model>
      <doi></doi>
    </secmodel>
  </host>

"""


def _cells(cells: tuple[Cell, ...]) -> str:
    """Write the nodes of memory and processors."""
    out = [f"      <cells num='{len(cells)}'>\n"]
    for number, cell in enumerate(cells):
        out.append(f"        <cell id='{number}'>\n")
        out.append(f"          <memory unit='KiB'>{cell.memory}</memory>\n")
        for size, count in cell.pages:
            out.append(f"          <pages unit='KiB' size='{size}'>{count}</pages>\n")
        out.append(f"          <cpus num='{len(cell.cpus)}'>\n")
        for core, cpu in enumerate(cell.cpus):
            out.append(
                f"            <cpu id='{cpu}' socket_id='{number}' die_id='0' core_id='{core}'"
                f" siblings='{cpu}'/>\n"
            )
        out.append("          </cpus>\n        </cell>\n")
    out.append("      </cells>\n")
    return "".join(out)


def hostPart(world: World) -> str:
    """Write what the host is: the beginning of its capabilities."""
    return _HEAD + _cells(world.cells) + _TAIL


class Host:
    """Answers for the host."""

    def __init__(self, world: World) -> None:
        self._world = world

    def connectGetType(self) -> str:
        """The name of the driver."""
        return "TEST"

    def connectGetVersion(self) -> int:
        """The version of the driver, which never changes."""
        return VERSION

    def connectGetLibVersion(self) -> int:
        """The version of the library that this one behaves like."""
        return LIBRARY_VERSION

    def connectGetHostname(self) -> str:
        """The name of the machine."""
        import socket

        return socket.gethostname()

    def connectSupportsFeature(self, feature: int) -> bool:
        """Migration, led by a client or by this side; the rest is what the session supports by itself."""
        return feature in _FEATURES

    def connectGetMaxVcpus(self, type: str | None) -> int:
        """The most virtual CPUs that a domain may have."""
        return MAX_VCPUS

    def connectIsSecure(self) -> bool:
        """Nothing leaves the process."""
        return True

    def nodeGetInfo(self) -> NodeInfo:
        """What the host is."""
        return self._world.node

    def connectGetCapabilities(self) -> str:
        """What the host is, and what guests it can run."""
        return (
            hostPart(self._world)
            + _GUEST.format("hvm")
            + _GUEST.format("xen")
            + "</capabilities>\n"
        )

    def nodeGetCellsFreeMemory(self, startCell: int, maxcells: int) -> list[int]:
        """Tell the memory of some nodes, in KiB."""
        cells = self._world.cells
        if maxcells < 1 or startCell < 0 or startCell >= len(cells):
            raise invalidArgument("Range exceeds available cells")
        return [cell.memory for cell in cells[startCell : startCell + maxcells]]

    def nodeGetFreeMemory(self) -> int:
        """Half of the memory of all nodes is free."""
        return sum(cell.memory for cell in self._world.cells) // 2

    def nodeGetFreePages(
        self, pages: list[int], startCell: int, cellCount: int, flags: int
    ) -> list[int]:
        """There are no free pages to tell of, which callers are told as a failure without a reason."""
        checkFlags("testNodeGetFreePages", flags)
        raise VirtError(
            "Library function returned error but did not set virError",
            code=ErrorCode.INTERNAL_ERROR,
            domain=ErrorDomain.RPC,
            int1=0,
            int2=0,
        )

    def nodeGetSecurityModel(self) -> SecurityModel:
        """A model that secures nothing."""
        return SecurityModel("testSecurity", "")

    def connectGetSysinfo(self, flags: int) -> str:
        """What a machine's firmware says of itself."""
        checkFlags("testConnectGetSysinfo", flags)
        return _SYSINFO

    def nodeGetCPUStats(self, cpuNum: int, flags: int) -> list[NodeCPUStat]:
        """The same for each CPU and for all of them, nanoseconds."""
        checkFlags("testNodeGetCPUStats", flags)
        return [NodeCPUStat(name, value) for name, value in _CPU_STATS]

    def nodeGetCPUMap(self, flags: int) -> NodeCPUMap:
        """Three of eight CPUs are online."""
        checkFlags("testNodeGetCPUMap", flags)
        return NodeCPUMap(b"\x15", 3, 8)

    def connectGetCPUModelNames(self, arch: str, flags: int) -> list[str]:
        """Tell the CPU models of an architecture; none if any name will do there."""
        checkFlags("testConnectGetCPUModelNames", flags)
        return modelNames(arch)

    def connectBaselineCPU(self, xmlCPUs: list[str], flags: int) -> str:
        """Find the CPU that all of some hosts provide."""
        return baseline(xmlCPUs, flags)
