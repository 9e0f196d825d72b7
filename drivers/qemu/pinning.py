"""
Saying where a guest's threads run: those of its processors, those that do IO, and all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.domain._tune import CPUTune, EmulatorPin, IOThreadPin, VCPUPin
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.units import formatSet
from pyvirt.drivers.interfaces.values import DomainRef
from pyvirt.drivers.qemu import cgrouplimits as limits
from pyvirt.drivers.qemu.changing import IMPACT, Tunables, keepConfig, keepLive
from pyvirt.drivers.qemu.domain import Domain
from pyvirt.drivers.qemu.guest import Guest
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.placement import ioThreadIds, ioThreads, setAffinity
from pyvirt.drivers.qemu.refusals import checkFlags, invalidArgument, operationInvalid
from pyvirt.errors import VirtError

__all__ = ["IOThreadPinning", "Pinning", "bits"]


def bits(cpumap: bytes) -> frozenset[int]:
    """Return the numbers of the bits that are set, lowest first."""
    return frozenset(
        index * 8 + bit for index, byte in enumerate(cpumap) for bit in range(8) if byte >> bit & 1
    )


def _allowed(cpumap: bytes, what: str) -> frozenset[int]:
    cpus = bits(cpumap)
    if not cpus:
        raise invalidArgument(f"Empty {what} list for pinning")
    return cpus


def withVcpuPin(definition: DomainDefinition, vcpu: int, cpus: frozenset[int]) -> DomainDefinition:
    """Say where a processor may run."""
    tune = definition.cputune or CPUTune()
    pins = [pin for pin in tune.vcpupins if pin.vcpu != vcpu]
    pins.append(VCPUPin(vcpu=vcpu, cpuset=cpus))
    pins.sort(key=lambda pin: pin.vcpu)
    return replaced(definition, cputune=replaced(tune, vcpupins=tuple(pins)))


def withEmulatorPin(definition: DomainDefinition, cpus: frozenset[int]) -> DomainDefinition:
    """Say where all but processors and IO threads may run."""
    tune = definition.cputune or CPUTune()
    return replaced(definition, cputune=replaced(tune, emulatorpin=EmulatorPin(cpuset=cpus)))


def withIOThreadPin(
    definition: DomainDefinition, number: int, cpus: frozenset[int]
) -> DomainDefinition:
    """Say where a thread that does IO may run; it keeps its number from then on."""
    from pyvirt.drivers.qemu.iothreads import withThreads

    tune = definition.cputune or CPUTune()
    order = ioThreadIds(definition)
    pins = [pin for pin in tune.iothreadpins if pin.iothread != number]
    pins.append(IOThreadPin(iothread=number, cpuset=cpus))
    pins.sort(key=lambda pin: order.index(pin.iothread) if pin.iothread in order else 0)
    threads = tuple(
        replaced(each, counted=False) if each.id == number else each
        for each in threadsOf(definition)
    )
    definition = withThreads(definition, threads)
    return replaced(definition, cputune=replaced(tune, iothreadpins=tuple(pins)))


def threadsOf(definition: DomainDefinition) -> Iterable[Any]:
    """Return the IO threads of a definition, numbered."""
    from pyvirt.drivers.qemu.iothreads import threads

    return threads(definition)


def _confine(guest: Guest, inner: str, what: str | None, thread: int, cpus: frozenset[int]) -> None:
    if guest.group is not None and guest.group.has("cpuset"):
        try:
            limits.setCPUs(guest.group, formatSet(cpus), inner)
        except VirtError:
            if what is None:
                raise
            raise operationInvalid(f"failed to set cpuset.cpus in cgroup for {what}") from None
    setAffinity(thread, cpus)


class Pinning:
    """Pins processors and the emulator."""

    _hypervisor: Hypervisor
    _find: Callable[[DomainRef], Domain]

    async def domainPinVcpuFlags(
        self, dom: DomainRef, vcpu: int, cpumap: bytes, flags: int
    ) -> None:
        """Say where a processor may run."""
        checkFlags("qemuDomainPinVcpuFlags", flags, IMPACT)
        hypervisor = self._hypervisor
        domain: Domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainPinVcpuFlags"):
            live, config = domain.impact(flags)
            if config and vcpu >= domain.persistentDefinition.vcpu.maximum:
                known = domain.persistentDefinition.vcpu
                count = known.maximum if known.current is None else known.current
                raise invalidArgument(
                    f"vcpu {vcpu} is out of range of persistent cpu count {count}"
                )
            cpus = _allowed(cpumap, "cpu")
            if live:
                guest = domain.checkActive()
                count = domain.definition.vcpu.maximum
                if len(set(guest.vcpuThreads.values())) < len(guest.vcpuThreads):
                    raise operationInvalid("cpu affinity is not supported")
                if vcpu >= count:
                    raise invalidArgument(f"vcpu {vcpu} is out of range of live cpu count {count}")
                thread = guest.vcpuThreads.get(vcpu)
                if thread is not None:
                    _confine(guest, f"vcpu{vcpu}", None, thread, cpus)
                keepLive(hypervisor, domain, lambda each: withVcpuPin(each, vcpu, cpus))
                told = Tunables()
                told.add(f"cputune.vcpupin{vcpu}", formatSet(cpus), c.VIR_TYPED_PARAM_STRING)
                told.tell(hypervisor, domain)
            if config:
                keepConfig(hypervisor, domain, lambda each: withVcpuPin(each, vcpu, cpus))

    async def domainPinEmulator(self, dom: DomainRef, cpumap: bytes, flags: int) -> None:
        """Say where all but processors and IO threads may run."""
        checkFlags("qemuDomainPinEmulator", flags, IMPACT)
        hypervisor = self._hypervisor
        domain: Domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainPinEmulator"):
            live, config = domain.impact(flags)
            cpus = _allowed(cpumap, "cpu")
            if live:
                guest = domain.checkActive()
                _confine(guest, "emulator", "emulator threads", guest.pid, cpus)
                keepLive(hypervisor, domain, lambda each: withEmulatorPin(each, cpus))
                told = Tunables()
                told.add("cputune.emulatorpin", formatSet(cpus), c.VIR_TYPED_PARAM_STRING)
                told.tell(hypervisor, domain)
            if config:
                keepConfig(hypervisor, domain, lambda each: withEmulatorPin(each, cpus))


class IOThreadPinning:
    """Pins threads that do IO."""

    _hypervisor: Hypervisor
    _find: Callable[[DomainRef], Domain]

    async def domainPinIOThread(
        self, dom: DomainRef, iothreadsID: int, cpumap: bytes, flags: int
    ) -> None:
        """Say where a thread may run."""
        checkFlags("qemuDomainPinIOThread", flags, IMPACT)
        hypervisor = self._hypervisor
        domain: Domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainPinIOThread"):
            live, config = domain.impact(flags)
            cpus = _allowed(cpumap, "iothread cpumap")
            if live:
                guest = domain.checkActive()
                if iothreadsID not in ioThreadIds(domain.definition):
                    raise invalidArgument(f"iothread {iothreadsID} not found")
                thread = (await ioThreads(guest)).get(iothreadsID)
                if thread is None:
                    raise invalidArgument(f"iothread {iothreadsID} not found")
                _confine(guest, f"iothread{iothreadsID}", f"iothread {iothreadsID}", thread, cpus)
                keepLive(hypervisor, domain, lambda each: withIOThreadPin(each, iothreadsID, cpus))
                told = Tunables()
                told.add(
                    f"cputune.iothreadpin{iothreadsID}",
                    formatSet(cpus),
                    c.VIR_TYPED_PARAM_STRING,
                )
                told.tell(hypervisor, domain)
            if config:
                if iothreadsID not in ioThreadIds(domain.persistentDefinition):
                    raise invalidArgument(f"iothreadid {iothreadsID} not found")
                keepConfig(
                    hypervisor, domain, lambda each: withIOThreadPin(each, iothreadsID, cpus)
                )
