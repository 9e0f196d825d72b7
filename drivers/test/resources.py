"""
Memory and virtual CPUs: how many, how much, where.
"""

from __future__ import annotations

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._top import VCPUs
from pyvirt.definitions.domain._tune import CPUTune, EmulatorPin, VCPUPin
from pyvirt.definitions.schema import replaced
from pyvirt.drivers.interfaces.values import (
    DomainIOThreadInfo,
    DomainRef,
    VcpuInfo,
    VcpuPlacement,
)
from pyvirt.drivers.test.cpumaps import bitmap, bits
from pyvirt.drivers.test.iothreads import threadNumbers
from pyvirt.drivers.test.refusals import (
    IMPACT,
    checkFlags,
    invalidArgument,
    operationInvalid,
    signed,
)
from pyvirt.drivers.test.world import World

__all__ = ["MAX_VCPUS", "DomainResources", "online"]

#: The most virtual CPUs that a domain may have.
MAX_VCPUS = 32


def online(definition: DomainDefinition) -> int:
    """Return how many virtual CPUs there are now."""
    vcpu = definition.vcpu
    return vcpu.maximum if vcpu.current is None else vcpu.current


def withVCPUs(definition: DomainDefinition, vcpu: VCPUs) -> DomainDefinition:
    """Return a definition with other counts of virtual CPUs."""
    if vcpu.current == vcpu.maximum:
        vcpu = replaced(vcpu, current=None)
    return replaced(definition, vcpu=vcpu)


class DomainResources:
    """Counts and places memory and virtual CPUs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._find = world.domains.find

    def domainGetMaxMemory(self, dom: DomainRef) -> int:
        """The memory the guest is given at start, in KiB."""
        return self._find(dom).definition.memory.amount

    def domainSetMemoryFlags(self, dom: DomainRef, memory: int, flags: int) -> None:
        """Change the memory, of a running domain at most up to what it was started with."""
        checkFlags("testDomainSetMemoryFlags", flags, IMPACT | c.VIR_DOMAIN_MEM_MAXIMUM)
        domain = self._find(dom)
        live, config = domain.impactOfOne(flags)
        if flags & c.VIR_DOMAIN_MEM_MAXIMUM:
            if live:
                raise operationInvalid("cannot resize the maximum memory on an active domain")

            def resized(definition: DomainDefinition) -> DomainDefinition:
                if definition.cpu is not None and definition.cpu.numa is not None:
                    raise operationInvalid(
                        "initial memory size of a domain with NUMA nodes cannot be modified with "
                        "this API"
                    )
                return replaced(
                    definition,
                    memory=replaced(definition.memory, amount=memory),
                    currentMemory=min(definition.currentMemory or 0, memory),
                )

            domain.changeBoth(live, config, resized)
            return

        def ballooned(definition: DomainDefinition) -> DomainDefinition:
            if memory > definition.memory.amount:
                raise invalidArgument("cannot set memory higher than max memory")
            return replaced(definition, currentMemory=memory)

        domain.changeBoth(live, config, ballooned)

    def domainGetVcpusFlags(self, dom: DomainRef, flags: int) -> int:
        """Tell how many virtual CPUs there are or, with C{VIR_DOMAIN_VCPU_MAXIMUM}, can be."""
        checkFlags("testDomainGetVcpusFlags", flags, IMPACT | c.VIR_DOMAIN_VCPU_MAXIMUM)
        definition = self._find(dom).one(flags)
        return definition.vcpu.maximum if flags & c.VIR_DOMAIN_VCPU_MAXIMUM else online(definition)

    def domainSetVcpusFlags(self, dom: DomainRef, nvcpus: int, flags: int) -> None:
        """Change how many virtual CPUs there are or can be."""
        checkFlags("testDomainSetVcpusFlags", flags, IMPACT | c.VIR_DOMAIN_VCPU_MAXIMUM)
        if nvcpus > MAX_VCPUS:
            raise invalidArgument(
                f"requested cpu amount exceeds maximum supported amount ({signed(nvcpus)} > {MAX_VCPUS})"
            )
        domain = self._find(dom)
        live, config = domain.impact(flags)
        maximum = bool(flags & c.VIR_DOMAIN_VCPU_MAXIMUM)
        if live and nvcpus > domain.definition.vcpu.maximum:
            raise _tooMany(nvcpus, domain.definition)
        if config and not maximum and nvcpus > domain.persistentDefinition.vcpu.maximum:
            raise _tooMany(nvcpus, domain.persistentDefinition)

        def counted(definition: DomainDefinition) -> DomainDefinition:
            return withVCPUs(definition, replaced(definition.vcpu, current=nvcpus))

        def bounded(definition: DomainDefinition) -> DomainDefinition:
            now = min(online(definition), nvcpus)
            return withVCPUs(definition, replaced(definition.vcpu, maximum=nvcpus, current=now))

        if config:
            domain.changeBoth(False, True, bounded if maximum else counted)
        if live:
            domain.changeBoth(True, False, counted)

    def _hostCPUs(self) -> frozenset[int]:
        return frozenset(range(self._world.node.cpus))

    def _pins(self, definition: DomainDefinition) -> list[frozenset[int]]:
        """Return where each virtual CPU may run."""
        host = self._hostCPUs()
        own: dict[int, frozenset[int]] = {}
        if definition.cputune is not None:
            own = {pin.vcpu: pin.cpuset or frozenset() for pin in definition.cputune.vcpupins}
        default = definition.vcpu.cpuset or host
        return [own.get(number, default) for number in range(definition.vcpu.maximum)]

    def domainGetVcpus(self, dom: DomainRef) -> VcpuPlacement:
        """Tell where each virtual CPU of a running domain runs."""
        domain = self._find(dom)
        if not domain.active:
            raise operationInvalid("cannot list vcpus for an inactive domain")
        used = self._world.now() // 10
        infos: list[VcpuInfo] = []
        maps: list[bytes] = []
        host = self._hostCPUs()
        pins = self._pins(domain.definition)
        for number in range(online(domain.definition)):
            allowed = pins[number] & host
            infos.append(VcpuInfo(number, c.VIR_VCPU_RUNNING, used, max(pins[number], default=-1)))
            maps.append(bitmap(allowed))
        return VcpuPlacement(infos, maps)

    def domainPinVcpuFlags(self, dom: DomainRef, vcpu: int, cpumap: bytes, flags: int) -> None:
        """Say where a virtual CPU of a running domain may run."""
        checkFlags("testDomainPinVcpuFlags", flags)
        domain = self._find(dom)
        if not domain.active:
            raise operationInvalid("cannot pin vcpus on an inactive domain")
        if vcpu >= online(domain.definition):
            raise invalidArgument(f"requested vcpu '{signed(vcpu)}' is not present in the domain")
        tune = domain.definition.cputune or CPUTune()
        pins = [pin for pin in tune.vcpupins if pin.vcpu != vcpu]
        pins.append(VCPUPin(vcpu=vcpu, cpuset=bits(cpumap)))
        pins.sort(key=lambda pin: pin.vcpu)
        domain.definition = replaced(
            domain.definition, cputune=replaced(tune, vcpupins=tuple(pins))
        )

    def domainGetVcpuPinInfo(self, dom: DomainRef, flags: int) -> list[bytes]:
        """Tell where each virtual CPU may run."""
        definition = self._find(dom).one(flags)
        return [bitmap(allowed) for allowed in self._pins(definition)]

    def domainPinEmulator(self, dom: DomainRef, cpumap: bytes, flags: int) -> None:
        """Say where the emulator may run."""
        checkFlags("testDomainPinEmulator", flags, IMPACT)
        domain = self._find(dom)
        live, config = domain.impactOfOne(flags)
        allowed = bits(cpumap)
        if not allowed:
            raise invalidArgument("Empty cpu list for pinning")

        def changed(definition: DomainDefinition) -> DomainDefinition:
            tune = definition.cputune or CPUTune()
            return replaced(
                definition, cputune=replaced(tune, emulatorpin=EmulatorPin(cpuset=allowed))
            )

        domain.changeBoth(live, config, changed)

    def domainGetEmulatorPinInfo(self, dom: DomainRef, flags: int) -> bytes:
        """Tell where the emulator may run."""
        checkFlags("testDomainGetEmulatorPinInfo", flags, IMPACT)
        definition = self._find(dom).one(flags)
        tune = definition.cputune
        if tune is not None and tune.emulatorpin is not None:
            return bitmap(tune.emulatorpin.cpuset or ())
        return bitmap(definition.vcpu.cpuset or self._hostCPUs())

    def domainGetIOThreadInfo(self, dom: DomainRef, flags: int) -> list[DomainIOThreadInfo]:
        """Tell where each thread may run: by default where virtual CPUs may, or on as many CPUs as they are."""
        checkFlags("testDomainGetIOThreadInfo", flags, IMPACT)
        definition = self._find(dom).one(flags)
        tune = definition.cputune
        own = {pin.iothread: pin.cpuset for pin in tune.iothreadpins} if tune is not None else {}
        default = definition.vcpu.cpuset or range(online(definition))
        return [
            DomainIOThreadInfo(number, bitmap(own.get(number) or default))
            for number in threadNumbers(definition)
        ]


def _tooMany(count: int, definition: DomainDefinition) -> Exception:
    return invalidArgument(
        f"requested cpu amount exceeds maximum ({count} > {definition.vcpu.maximum})"
    )
