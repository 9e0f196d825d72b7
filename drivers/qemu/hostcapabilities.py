"""
What the host and its QEMU can do: capabilities, kinds of guests, processors.
"""

from __future__ import annotations

import fcntl
import os
import platform
from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain._top import ARCHITECTURES, DOMAIN_TYPES
from pyvirt.drivers.cpus.baseline import baseline, hypervisorBaseline, modelNames
from pyvirt.drivers.cpus.comparing import HostCPU, compare, parseCPU
from pyvirt.drivers.cpus.decoding import Decoded
from pyvirt.drivers.cpus.tables import cpuMap
from pyvirt.drivers.qemu.binaries import emulatorFor
from pyvirt.drivers.qemu.capabilities import BinaryCapabilities
from pyvirt.drivers.qemu.capabilities.domaincaps import (
    OLD_FIRMWARES,
    checkKind,
    domainCapabilities,
)
from pyvirt.drivers.qemu.capabilities.hostdoc import capabilitiesDocument, decodeHost
from pyvirt.drivers.qemu.capabilities.hostmodel import hostModel
from pyvirt.drivers.qemu.hostfacts import firmwares, hostFacts
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.refusals import checkFlags, invalidArgument, systemFailure
from pyvirt.errors import ErrorCode, ErrorDomain, virtError

__all__ = ["HostCapabilities"]

_COMPARE = c.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE | c.VIR_CONNECT_COMPARE_CPU_VALIDATE_XML
_BASELINE = c.VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES | c.VIR_CONNECT_BASELINE_CPU_MIGRATABLE

#: The architectures whose binaries are looked for, in the order in which they are told.
#: From Linux's kvm.h; what holds where it does not say.
_KVM_CHECK_EXTENSION, _KVM_CAP_NR_VCPUS, _KVM_CAP_MAX_VCPUS, _KVM_DEFAULT = 0xAE03, 9, 66, 4

#: Architectures that one emulator serves.
_PERSONAL = {"i686", "x86_64"}
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
        """
        Return the binary that is asked about.

        @raise VirtError: INVALID_ARG: words that are not known, or that do not fit.
        """
        if virtType is not None and virtType not in DOMAIN_TYPES:
            raise invalidArgument(f"unknown virttype: {virtType}")
        if arch is not None and arch not in ARCHITECTURES:
            raise invalidArgument(f"unknown architecture: {arch}")
        if emulator is None:
            wanted = arch or platform.machine()
            emulator = emulatorFor(wanted)
            if not os.access(emulator, os.X_OK):
                raise virtError(
                    ErrorCode.CONFIG_UNSUPPORTED,
                    f"unable to find any emulator to serve '{wanted}' architecture",
                    ErrorDomain.QEMU,
                )
        binary = await self._hypervisor.binaries.of(emulator)
        if arch is not None and arch != binary.arch and {arch, binary.arch} != _PERSONAL:
            raise invalidArgument(
                f"architecture from emulator '{binary.arch}' doesn't match given architecture '{arch}'"
            )
        return binary

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
        text = domainCapabilities(
            binary,
            cpuMap(),
            firmwares(),
            machine=machine or binary.defaultMachine() or "",
            virtType=virttype or _virtType(binary),
            arch=arch,
            vfio=os.path.exists("/dev/vfio/vfio"),
            loaders=filter(os.path.exists, OLD_FIRMWARES),
        )
        wanted = arch or platform.machine()
        if (binary.arch, wanted) == ("i686", "x86_64"):
            raise invalidArgument(f"Emulator '{binary.binary}' does not support arch '{wanted}'")
        return text

    def connectGetMaxVcpus(self, type: str | None) -> int:
        """
        Tell how many CPUs guests of a type can have; of emulated ones, what libvirt answers.

        @raise VirtError: INVALID_ARG: the type is another hypervisor's.
        """
        kind = (type or "qemu").lower()
        if kind == "qemu":
            return 16
        if kind != "kvm":
            raise invalidArgument(f"unknown type '{type}'")
        try:
            fd = os.open("/dev/kvm", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as problem:
            raise systemFailure(problem, "Unable to open /dev/kvm") from None
        try:
            for extension in (_KVM_CAP_MAX_VCPUS, _KVM_CAP_NR_VCPUS):
                try:
                    found = fcntl.ioctl(fd, _KVM_CHECK_EXTENSION, extension)
                except OSError:
                    continue
                if found > 0:
                    return found
        finally:
            os.close(fd)
        return _KVM_DEFAULT

    def connectCompareCPU(self, xml: str, flags: int) -> int:
        """Tell whether the host can be a processor."""
        checkFlags("qemuConnectCompareCPU", flags, _COMPARE)
        fail = bool(flags & c.VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE)
        facts = hostFacts(())
        return _compared(decodeHost(cpuMap(), facts), facts.arch, xml, fail)

    def connectBaselineCPU(self, xmlCPUs: list[str], flags: int) -> str:
        """Make the processor that all of some hosts can be."""
        checkFlags("qemuConnectBaselineCPU", flags, _BASELINE)
        return baseline(
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
        checkKind(binary, machine or binary.defaultMachine() or "", virttype or _virtType(binary))
        return _compared(hostModel(cpuMap(), binary), binary.arch, xmlcpu, fail)

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
        checkKind(binary, machine or binary.defaultMachine() or "", virttype or _virtType(binary))
        return hypervisorBaseline(
            cpuMap(),
            xmlCPUs,
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
                ErrorCode.INVALID_ARG, f"cannot find architecture {arch}", ErrorDomain.QEMU
            )
        return modelNames(arch)


def _compared(model: Decoded | None, arch: str, xml: str, fail: bool) -> int:
    """
    Tell whether a host whose processor is of a model can be what a description says.

    @param model: None: it is not known.
    @param fail: whether no is an error.
    """
    if model is None:
        if fail:
            raise virtError(
                ErrorCode.CPU_INCOMPATIBLE, "cannot get host CPU capabilities", ErrorDomain.CPU
            )
        return 0
    return int(compare(cpuMap(), HostCPU.of(cpuMap(), model, arch), parseCPU(xml), fail=fail))


def _virtType(binary: BinaryCapabilities) -> str:
    """The type of guests that is best with a binary."""
    return "kvm" if binary.kvm else "qemu"
