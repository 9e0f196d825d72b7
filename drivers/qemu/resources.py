"""
Memory and processors of guests: how many there are, where they run, and changing that.
"""

from __future__ import annotations

import os
from typing import Any

from pyvirt import constants as c
from pyvirt.definitions.domain import DomainDefinition
from pyvirt.definitions.schema import replaced
from pyvirt.definitions.units import parseSet
from pyvirt.drivers.interfaces.values import DomainRef, VcpuInfo, VcpuPlacement
from pyvirt.drivers.qemu import vcpus
from pyvirt.drivers.qemu.hypervisor import Hypervisor
from pyvirt.drivers.qemu.iothreads import IOThreadListing
from pyvirt.drivers.qemu.pinning import Pinning
from pyvirt.drivers.qemu.procfs import threadTimes
from pyvirt.drivers.qemu.refusals import (
    checkFlags,
    exclusiveFlags,
    invalidArgument,
    operationInvalid,
)
from pyvirt.errors import ErrorDomain

__all__ = ["DomainResources"]

_LIVE, _CONFIG = c.VIR_DOMAIN_AFFECT_LIVE, c.VIR_DOMAIN_AFFECT_CONFIG


def cpuMap(cpus: set[int] | frozenset[int]) -> bytes:
    """Write CPUs of the host as bits, lowest first."""
    size = ((os.cpu_count() or 1) + 7) // 8
    found = bytearray(size)
    for cpu in cpus:
        if cpu < size * 8:
            found[cpu // 8] |= 1 << cpu % 8
    return bytes(found)


def _numbers(text: str) -> set[int]:
    """
    Read numbers and ranges of processors.

    @raise VirtError: there are none, or they make no sense.
    """
    found = parseSet(text, size=16384)
    if found is None:
        raise invalidArgument(f"Failed to parse bitmap '{text}'", ErrorDomain.NONE)
    if not found:
        raise invalidArgument("no vcpus selected for modification")
    return set(found)


class DomainResources(Pinning, IOThreadListing):
    """Answers for memory and processors."""

    def __init__(self, hypervisor: Hypervisor, connection: Any) -> None:
        self._hypervisor = hypervisor
        self._find = hypervisor.domains.find
        self._running = hypervisor.domains.running

    def domainGetMaxMemory(self, dom: DomainRef) -> int:
        """Tell the memory a guest is given at most."""
        return self._find(dom).definition.memory.amount

    def domainGetVcpus(self, dom: DomainRef) -> VcpuPlacement:
        """Tell what each processor does, and where."""
        domain = self._find(dom)
        guest = domain.guest
        if guest is None or not domain.active:
            raise operationInvalid("cannot retrieve vcpu information for inactive domain")
        info, maps = [], []
        for number, thread in sorted(guest.vcpuThreads.items()):
            used = threadTimes(guest.pid, thread)
            info.append(
                VcpuInfo(
                    number,
                    c.VIR_VCPU_RUNNING,
                    used.total if used is not None else 0,
                    used.cpu if used is not None else 0,
                )
            )
            try:
                allowed: set[int] = os.sched_getaffinity(thread)
            except OSError:
                allowed = set(range(os.cpu_count() or 1))
            maps.append(cpuMap(allowed))
        return VcpuPlacement(info, maps)

    async def domainGetVcpusFlags(self, dom: DomainRef, flags: int) -> int:
        """Tell how many processors there are, or may be."""
        maximum, agent = c.VIR_DOMAIN_VCPU_MAXIMUM, c.VIR_DOMAIN_VCPU_GUEST
        checkFlags("qemuDomainGetVcpusFlags", flags, _LIVE | _CONFIG | maximum | agent)
        domain = self._find(dom)
        if flags & agent:
            from pyvirt.drivers.qemu.guestinfo import processorsOf

            if not domain.active:
                raise invalidArgument(
                    "vCPU count provided by the guest agent can only be requested for live domains"
                )
            known = await processorsOf(domain)
            return len(known) if flags & maximum else sum(each.online for each in known)
        vcpu = domain.one(flags).vcpu
        if flags & maximum or vcpu.current is None:
            return vcpu.maximum
        return vcpu.current

    def domainGetVcpuPinInfo(self, dom: DomainRef, flags: int) -> list[bytes]:
        """Tell where each processor may run."""
        checkFlags("qemuDomainGetVcpuPinInfo", flags, _LIVE | _CONFIG)
        definition = self._find(dom).onePlaced(flags)
        everywhere = definition.vcpu.cpuset or set(range(os.cpu_count() or 1))
        pins = {}
        tune = definition.cputune
        for pin in getattr(tune, "vcpupins", ()) if tune is not None else ():
            pins[pin.vcpu] = pin.cpuset
        return [cpuMap(pins.get(number) or everywhere) for number in range(definition.vcpu.maximum)]

    def domainGetEmulatorPinInfo(self, dom: DomainRef, flags: int) -> bytes:
        """Tell where all but the processors may run."""
        checkFlags("qemuDomainGetEmulatorPinInfo", flags, _LIVE | _CONFIG)
        definition = self._find(dom).onePlaced(flags)
        tune = definition.cputune
        pin = getattr(tune, "emulatorpin", None) if tune is not None else None
        everywhere = definition.vcpu.cpuset or set(range(os.cpu_count() or 1))
        return cpuMap(getattr(pin, "cpuset", None) or everywhere)

    async def domainSetMemoryFlags(self, dom: DomainRef, memory: int, flags: int) -> None:
        """Change the memory a guest has, or may have."""
        maximum = c.VIR_DOMAIN_MEM_MAXIMUM
        checkFlags("qemuDomainSetMemoryFlags", flags, _LIVE | _CONFIG | maximum)
        hypervisor = self._hypervisor
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainSetMemoryFlags"):
            live, config = domain.impact(flags)
            if flags & maximum:
                if live:
                    raise operationInvalid("cannot resize the maximum memory on an active domain")
                pending = domain.persistentDefinition
                if pending.cpu is not None and pending.cpu.numa is not None:
                    raise operationInvalid(
                        "initial memory size of a domain with NUMA nodes cannot be modified with this API"
                    )
                changed = replaced(pending, memory=replaced(pending.memory, amount=memory))
                if (pending.currentMemory or memory) > memory:
                    changed = replaced(changed, currentMemory=memory)
                self._keep(domain, changed)
                return
            limit = (domain.definition if live else domain.persistentDefinition).memory.amount
            if memory > limit:
                raise invalidArgument("cannot set memory higher than max memory")
            if live:
                balloon = domain.definition.devices.memballoon
                if balloon is None or balloon.model == "none":
                    raise operationInvalid(
                        "Unable to change memory of active domain without the balloon device and guest OS balloon driver"
                    )
                await domain.checkActive().execute("balloon", {"value": memory * 1024})
            if config:
                self._keep(domain, replaced(domain.persistentDefinition, currentMemory=memory))
            hypervisor.saveStatus(domain)

    async def domainSetVcpusFlags(self, dom: DomainRef, nvcpus: int, flags: int) -> None:
        """Change how many processors a guest has, now or at its next start."""
        maximum, agent = c.VIR_DOMAIN_VCPU_MAXIMUM, c.VIR_DOMAIN_VCPU_GUEST
        hotpluggable = c.VIR_DOMAIN_VCPU_HOTPLUGGABLE
        checkFlags(
            "qemuDomainSetVcpusFlags", flags, _LIVE | _CONFIG | maximum | agent | hotpluggable
        )
        exclusiveFlags(
            "qemuDomainSetVcpusFlags",
            flags,
            ("VIR_DOMAIN_VCPU_GUEST", agent),
            ("VIR_DOMAIN_VCPU_HOTPLUGGABLE", hotpluggable),
        )
        hypervisor = self._hypervisor
        domain = self._find(dom)
        async with domain.jobs.change("remoteDispatchDomainSetVcpusFlags"):
            live, config = domain.impact(flags)
            if flags & agent:
                from pyvirt.drivers.qemu.guestagent import setVcpus

                await setVcpus(domain, nvcpus)
                return
            pending = None
            if live and not flags & maximum:
                vcpus.checkCount(domain.definition, nvcpus, "live")
            if config:
                pending = self._stored(domain.persistentDefinition, nvcpus, flags)
            elif flags & maximum:
                raise operationInvalid(
                    "setting maximum vcpu count of a running domain is not possible"
                )
            if live:
                guest = domain.checkActive()
                await vcpus.plugCount(hypervisor, domain, guest, nvcpus)
            if pending is not None:
                self._keep(domain, pending)

    @staticmethod
    def _stored(definition: DomainDefinition, nvcpus: int, flags: int) -> DomainDefinition:
        """Return what a domain will be with so many processors, or so many at most."""
        if flags & c.VIR_DOMAIN_VCPU_MAXIMUM:
            return vcpus.storedMaximum(definition, nvcpus)
        vcpus.checkCount(definition, nvcpus, "persistent")
        hotpluggable = bool(flags & c.VIR_DOMAIN_VCPU_HOTPLUGGABLE)
        return vcpus.storedCount(definition, nvcpus, hotpluggable)

    async def domainSetVcpu(self, dom: DomainRef, cpumap: str, state: int, flags: int) -> None:
        """Plug processors in or out, by number."""
        checkFlags("qemuDomainSetVcpu", flags, _LIVE | _CONFIG)
        if state not in (0, 1):
            raise invalidArgument("unsupported state value")
        domain = self._find(dom)
        numbers = _numbers(cpumap)
        async with domain.jobs.change("remoteDispatchDomainSetVcpu"):
            live, config = domain.impact(flags)
            pending = None
            if config:
                pending = vcpus.storedSet(domain.persistentDefinition, numbers, bool(state))
            if live:
                guest = domain.checkActive()
                await vcpus.plugSet(self._hypervisor, domain, guest, numbers, bool(state))
            if pending is not None:
                self._keep(domain, pending)

    def _keep(self, domain: Any, definition: Any) -> None:
        """Keep what a domain will be, on disk first."""
        self._hypervisor.store.saveDefinition(definition)
        if domain.pending is not None:
            domain.pending = definition
        else:
            domain.definition = definition
