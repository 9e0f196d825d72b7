"""
What the host and its QEMU can do: capabilities, kinds of guests, processors.
"""

from __future__ import annotations

import os
import platform
from typing import Any

from pyvirt import constants as c
from pyvirt.drivers.qemu.binaries import emulatorFor
from pyvirt.drivers.qemu.capabilities import BinaryCapabilities
from pyvirt.drivers.qemu.capabilities.comparing import HostCPU, baseline, compare, parseCPU
from pyvirt.drivers.qemu.capabilities.decoding import hostModel
from pyvirt.drivers.qemu.capabilities.domaincaps import domainCapabilities
from pyvirt.drivers.qemu.capabilities.hostdoc import capabilitiesDocument, decodeHost
from pyvirt.drivers.qemu.hostfacts import cpuMap, firmwares, hostFacts
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.refusals import checkFlags
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["HostCapabilities"]

_COMPARE = c.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE | c.VIR_CONNECT_COMPARE_CPU_VALIDATE_XML
_BASELINE = c.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES | c.VIR_CONNECT_BASELINE_CPU_MIGRATABLE

#: The architectures whose binaries are looked for, in the order in which they are told.
_ARCHES = ("aarch64", "armv7l", "i686", "ppc64", "ppc64le", "riscv64", "s390x", "x86_64")


class HostCapabilities:
    """Answers for what the host and its QEMU can do."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor

    async def connectGetCapabilities(self) -> str:
        """Describe the host and the guests that it runs."""
        found = []
        for arch in _ARCHES:
            path = emulatorFor(arch)
            if os.access(path, os.X_OK):
                found.append(await self._hypervisor.binaries.of(path))
        return capabilitiesDocument(cpuMap(), hostFacts(self._security()), found)

    def _security(self) -> tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]:
        """Return who guards guests from each other: none, and the owner of files."""
        config = self._hypervisor.config
        none = ("none", "0", ())
        if not self._hypervisor.privileged:
            return (none,)
        label = f"+{config.user or 0}:+{config.group or 0}"
        return (none, ("dac", "0", (("kvm", label), ("qemu", label))))

    async def _binary(
        self, emulator: str | None, arch: str | None, virtType: str | None
    ) -> BinaryCapabilities:
        """Return the binary that is asked about."""
        if emulator is None:
            wanted = arch or platform.machine()
            emulator = emulatorFor(wanted)
            if not os.access(emulator, os.X_OK):
                raise virtError(
                    ErrorCode.CONFIG_UNSUPPORTED,
                    f"unable to find any emulator to serve '{wanted}' architecture",
                    ErrorDomain.QEMU,
                )
        return await self._hypervisor.binaries.of(emulator)

    async def connectGetDomainCapabilities(
        self,
        emulatorbin: str | None,
        arch: str | None,
        machine: str | None,
        virttype: str | None,
        flags: int,
    ) -> str:
        """Describe what one kind of guest can be given."""
        checkFlags("qemuConnectGetDomainCapabilities", flags, 0)
        binary = await self._binary(emulatorbin, arch, virttype)
        return domainCapabilities(
            binary,
            cpuMap(),
            firmwares(),
            machine=machine or binary.defaultMachine() or "",
            virtType=virttype or ("kvm" if binary.kvm else "qemu"),
            arch=arch,
            vfio=os.path.exists("/dev/vfio/vfio"),
        )

    def connectCompareCPU(self, xml: str, flags: int) -> int:
        """Tell whether the host can be a processor."""
        checkFlags("qemuConnectCompareCPU", flags, _COMPARE)
        fail = bool(flags & c.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE)
        facts = hostFacts(())
        found = decodeHost(cpuMap(), facts)
        if found is None:
            if fail:
                raise virtError(
                    ErrorCode.CPU_INCOMPATIBLE, "cannot get host CPU capabilities", ErrorDomain.CPU
                )
            return 0
        host = HostCPU.of(cpuMap(), found, facts.arch)
        return int(compare(cpuMap(), host, parseCPU(xml), fail=fail))

    def connectBaselineCPU(self, xmlCPUs: list[str], flags: int) -> str:
        """Make the processor that all of some hosts can be."""
        checkFlags("qemuConnectBaselineCPU", flags, _BASELINE)
        return baseline(
            cpuMap(),
            xmlCPUs,
            expand=bool(flags & c.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES),
            migratable=bool(flags & c.VIR_CONNECT_BASELINE_CPU_MIGRATABLE),
        )

    async def connectCompareHypervisorCPU(
        self,
        emulator: str | None,
        arch: str | None,
        machine: str | None,
        virttype: str | None,
        xmlcpu: str,
        flags: int,
    ) -> int:
        """Tell whether guests can be given a processor."""
        checkFlags("qemuConnectCompareHypervisorCPU", flags, _COMPARE)
        fail = bool(flags & c.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE)
        binary = await self._binary(emulator, arch, virttype)
        found = hostModel(cpuMap(), binary)
        if found is None:
            if fail:
                raise virtError(
                    ErrorCode.CPU_INCOMPATIBLE, "cannot get host CPU capabilities", ErrorDomain.CPU
                )
            return 0
        host = HostCPU.of(cpuMap(), found, binary.arch)
        return int(compare(cpuMap(), host, parseCPU(xmlcpu), fail=fail))

    async def connectBaselineHypervisorCPU(
        self,
        emulator: str | None,
        arch: str | None,
        machine: str | None,
        virttype: str | None,
        xmlCPUs: list[str],
        flags: int,
    ) -> str:
        """Make the processor that guests on all of some hosts can be given."""
        checkFlags("qemuConnectBaselineHypervisorCPU", flags, _BASELINE)
        binary = await self._binary(emulator, arch, virttype)
        return baseline(
            cpuMap(),
            xmlCPUs,
            hypervisor=True,
            usable=[each.name for each in binary.cpus],
            blockers={each.name: each.blockers or () for each in binary.cpus},
            expand=bool(flags & c.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES),
            migratable=bool(flags & c.VIR_CONNECT_BASELINE_CPU_MIGRATABLE),
        )

    def connectGetCPUModelNames(self, arch: str, flags: int) -> list[str]:
        """List the models known for an architecture."""
        checkFlags("qemuConnectGetCPUModelNames", flags, 0)
        from pyvirt.definitions.domain._top import ARCHITECTURES

        if arch not in ARCHITECTURES:
            raise virtError(
                ErrorCode.INVALID_ARG, f"cannot find architecture {arch}", ErrorDomain.NONE
            )
        if arch in ("x86_64", "i686"):
            return list(cpuMap().models)
        return []
